"""The OpenAPI document against the application: requests made up from it, right ones and wrong ones, and every answer held to it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema
import pytest
import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig
from starlette.types import ASGIApp, Receive, Scope, Send

from gather_pipeline.api.app import ROUTERS, create_app
from gather_pipeline.api.openapi import document
from gather_pipeline.domain.reviews import Proposal
from gather_pipeline_tests.harness import PROJECT, Studio

EXAMPLES = 4  # made up for each operation, beside those at the borders of its schema
ENDLESS = "/api/projects/{project_id}/events"


class Door:
    """An application that is asked from this machine by its address; which one, is said later."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "client": ("127.0.0.1", 50_000), "headers": [*headers, (b"host", b"127.0.0.1:8000")]}
        await self.app(scope, receive, send)


def described() -> FastAPI:
    """The routes without anything behind them, for the document."""
    app = FastAPI(title="gather_pipeline", version="0")
    for router in ROUTERS:
        app.include_router(router)
    document(app)
    return app


DOOR = Door()
DOOR.app = described()
CONFIG = SchemathesisConfig.from_dict(
    {
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "no-shrink": True},
        "request-timeout": 60,
        # A name of nothing that can be seen, a revision that is not there: more is refused than a schema can say.
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
)
schema = schemathesis.openapi.from_asgi("/openapi.json", DOOR, config=CONFIG).exclude(path=ENDLESS)


@pytest.fixture(scope="module")
def real(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The application over a studio that has something of everything: the ids that stand for the document's examples."""
    studio = Studio.open(Path(shutil.copytree(written, tmp_path_factory.mktemp("contract") / "home")), api_rate=10_000_000)
    services = studio.services
    services.metrics.ingest()
    asked = Proposal(kind="task_output", title="A skill", content={"skill": "clocks"}, subject={"task": "x"}, source="0" * 32)
    DOOR.app = app = create_app(services)
    yield {
        "project_id": PROJECT,
        "item_id": studio.view.items[0].id,
        "review_id": services.reviews.propose(asked).id,
        "execution_id": services.executions.find(limit=1)[0].id,
        "task_id": "task-1",
    }
    app.state.closing.close()
    studio.close()


@schema.parametrize()
@hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_what_comes_back_is_what_the_document_says(case: schemathesis.Case, real: dict[str, str]) -> None:
    named = {parameter["name"]: parameter["schema"].get("examples") for parameter in case.operation.definition.raw.get("parameters", ())}
    for name, value in case.path_parameters.items():
        if named.get(name) == [value] and name in real:  # of what is there more is answered than that it is not
            case.path_parameters[name] = real[name]
    case.call_and_validate()


def test_every_example_of_the_document_fits_its_schema() -> None:
    found = described().openapi()["components"]
    wrong = [f"{where}: {told}" for where, schema, example in examples(found["schemas"], "") if (told := misfit(schema, example, found))]
    assert wrong == []


def examples(value: Any, where: str) -> Iterator[tuple[str, Any, Any]]:
    """Every example of a document with the schema that it is of."""
    if isinstance(value, dict):
        for example in value.get("examples", ()) if isinstance(value.get("examples"), list) else ():
            yield where, value, example
        for name, part in value.items():
            yield from examples(part, f"{where}/{name}")
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from examples(part, f"{where}/{place}")


def misfit(schema: Any, example: Any, components: Any) -> str:
    found = list(jsonschema.Draft202012Validator({**schema, "components": components}).iter_errors(example))
    return found[0].message if found else ""


def test_every_operation_says_what_it_does_and_how_it_may_fail() -> None:
    found = described().openapi()
    operations = [(path, method, one) for path, item in found["paths"].items() for method, one in item.items()]
    for path, method, one in operations:
        assert one.get("summary") and one.get("description") and one.get("tags"), (method, path)
        problems = [answer["content"] for status, answer in one["responses"].items() if status >= "400"]
        assert problems and all("application/problem+json" in content for content in problems), (method, path)
    assert {tag for _, _, one in operations for tag in one["tags"]} == {tag["name"] for tag in found["tags"]}
    ids = [one["operationId"] for _, _, one in operations]
    assert len(set(ids)) == len(ids)
