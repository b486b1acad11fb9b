"""Asks `OpenAiModel` over HTTP for tests, on a clock that never waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import openai  # noqa: F401  loading it takes a second, which must not count against the short timeouts below
import pytest

from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.domain.executions import Completion, Message, ModelRequest
from gather_pipeline_tests.fault_server import FaultServer, Reply

KEY = "sk-secret-0123456789abcdef"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"], "additionalProperties": False}


class NoWait:
    """A clock on which every wait is over at once and remembered."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.seconds = 0.0

    def now(self) -> str:
        return NOON.isoformat(timespec="microseconds")

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> NoWait:
    return NoWait()


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    servers: list[FaultServer] = []

    def start(*script: Reply, then: Reply | None = None) -> FaultServer:
        servers.append(FaultServer(script, then=then).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


def ask(server: FaultServer | str, clock: NoWait, request: ModelRequest | None = None, **options: Any) -> Completion:
    """One completion through a model that is closed afterwards."""
    return ask_all(server, clock, [request or make_request()], **options)[0]


def ask_all(server: FaultServer | str, clock: NoWait, requests: list[ModelRequest], **options: Any) -> list[Completion]:
    async def talk() -> list[Completion]:
        url = server if isinstance(server, str) else server.base_url
        given = {"base_url": url, "api_key": KEY, "provider": "custom", "clock": clock, "jitter": lambda: 0.0} | options
        model = OpenAiModel(**given)
        try:
            return [await model.complete(request) for request in requests]
        finally:
            await model.aclose()

    return asyncio.run(talk())


def make_request(**fields: Any) -> ModelRequest:
    given = {"model": "a/model", "messages": (Message(role="user", content="Write a note."),), "timeout_s": 10.0} | fields
    return ModelRequest(**given)
