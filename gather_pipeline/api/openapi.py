"""The OpenAPI document: what FastAPI makes of the routes, with every operation's problems and tokens said once, here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from gather_pipeline.api.access import HOOKS, OPEN
from gather_pipeline.api.problems import Problem

TAGS = {
    "tasks": "Start, watch and cancel whatever is executed: the automation of a project, and every task definition.",
    "projects": "A studio's projects, how each and its departments stand, and the departments that the source has.",
    "items": "Gather items in people's hands. Every version is kept; what a person wrote is never overwritten.",
    "events": "What happens and what has happened, in order, by sequence number.",
    "reports": "What the runs were measured to do.",
    "reviews": "Whatever waits for a person.",
    "executions": "The log of executions, and how models rank by it.",
    "session": "A page hands in its token once and gets a cookie for it.",
    "hooks": "What other systems call.",
    "operations": "Whether the server works, and how well.",
}
MEANS = {
    401: "There are tokens, and the request names none that is valid",
    403: "The token is for another project, or the request comes from an address or a page that may not ask",
    404: "There is no such thing",
    409: "Somebody else was first, or another run holds the project",
    413: "The body is larger than the limit",
    422: "A value is wrong; the sentence names it and what was expected",
    429: "Too many requests; `Retry-After` says how long to wait",
    500: "The store refuses, or something unexpected went wrong; the server's log says more",
    503: "A service does not answer, or something has to be set up first; the same request may succeed later",
    507: "The disk is full",
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def document(app: FastAPI) -> None:
    """Completes the application's OpenAPI document."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())  # which the application keeps
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(found: dict[str, Any]) -> None:
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= made.pop("$defs", {}) | {"Problem": made}
    found["components"]["securitySchemes"] = {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "From `gather token create`. Without any token this machine alone is served, and needs none.",
        }
    }
    found["tags"] = [{"name": name, "description": told} for name, told in TAGS.items()]
    for path, method, operation in ((path, method, one) for path, item in found["paths"].items() for method, one in item.items()):
        is_open = path in OPEN or path.startswith(HOOKS)  # a hook shows a secret of its own
        if not is_open:
            operation["security"] = [{"token": []}, {}]
        means = {status: MEANS[status] for status in _problems(path, method, operation, is_open)}
        problems = {str(status): {"description": told, "content": PROBLEM} for status, told in means.items()}
        own = {status: answer for status, answer in operation["responses"].items() if status != "422"}
        for status in own.keys() & problems:
            problems[status]["content"] = PROBLEM | own[status].get("content", {})
        operation["responses"] = own | problems


def _problems(path: str, method: str, operation: dict[str, Any], is_open: bool) -> Iterator[int]:
    """Statuses in which an operation may be refused."""
    yield from (500, 503, 507, 429, 413, 403)
    if not is_open:
        yield 401
    if "422" in operation["responses"]:
        yield 422
    if "{" in path:
        yield 404
    if method != "get":
        yield 409
    yield from operation.pop("x-problems", ())
