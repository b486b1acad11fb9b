"""The OpenAPI document against the application: requests made up from it, right ones and wrong ones, and what comes back held to it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from gather_pipeline.api.app import create_app
from gather_pipeline_tests.harness import Studio

CONFIG = {
    "generation": {"max-examples": 4, "deterministic": True, "no-shrink": True},
}


class FromHere:
    """An application that is asked from this machine, by its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "client": ("127.0.0.1", 50_000), "headers": [*headers, (b"host", b"127.0.0.1:8000")]}
        await self._app(scope, receive, send)


@pytest.fixture
def contract(studio: Studio) -> Any:
    return schemathesis.openapi.from_asgi(
        "/openapi.json", FromHere(create_app(studio.services)), config=SchemathesisConfig.from_dict(CONFIG)
    )


schema = schemathesis.pytest.from_fixture("contract")


@schema.parametrize()
def test_what_comes_back_is_what_the_document_says(case: schemathesis.Case) -> None:
    case.call_and_validate()
