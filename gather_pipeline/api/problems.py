"""Errors as RFC 9457 problem documents, with the sentence that the command line would print."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match

from gather_pipeline import errors
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import GatherError, InvalidInput, expected

STATUS: Mapping[type[GatherError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnknownEntity: HTTPStatus.NOT_FOUND,
    errors.StaleCursor: HTTPStatus.GONE,
    errors.OutputInvalid: HTTPStatus.BAD_GATEWAY,
    errors.NotSignedIn: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    errors.ProjectBusy: HTTPStatus.CONFLICT,
    errors.EditConflict: HTTPStatus.CONFLICT,
    errors.StoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DuplicateKey: HTTPStatus.CONFLICT,
    errors.VersionConflict: HTTPStatus.CONFLICT,
    errors.SetupMissing: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.BrainRefused: HTTPStatus.BAD_GATEWAY,
    errors.OutputRejected: HTTPStatus.BAD_GATEWAY,
    errors.ModelRefused: HTTPStatus.BAD_GATEWAY,
    errors.TransientError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Stopped: HTTPStatus.CONFLICT,
    errors.DeadlineReached: HTTPStatus.GATEWAY_TIMEOUT,
    errors.GatherError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


NO_JSON = "the body is no JSON, expected a JSON object in UTF-8"


class Fault(BaseModel):
    """A value of the request that is wrong."""

    field: str = Field(description="Where it stands", examples=["body.priority"])
    detail: str = Field(description="What was expected there", examples=["less than or equal to 10"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(examples=["urn:gather:problem:unknown-entity"])
    title: str = Field(examples=["Unknown entity"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["project id is 'solt', expected one of those that gather project list shows"])
    errors: list[Fault] = []


def problem_of(error: GatherError, secrets: Secrets, faults: list[Fault] | None = None) -> Response:
    """The answer that tells of an error."""
    family = next(known for known in type(error).__mro__ if known in STATUS)
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", family.__name__).split()
    headers = {}
    seconds = getattr(error, "retry_after_s", None)
    if seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    if STATUS[family] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="gather"'
    return _answer(STATUS[family], "-".join(words).lower(), " ".join(words).capitalize(), secrets.mask(str(error)), headers, faults)


def _answer(
    status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, faults: list[Fault] | None = None
) -> Response:
    problem = Problem(type=f"urn:gather:problem:{kind}", title=title, status=status, detail=detail, errors=faults or [])
    body = problem.model_dump(exclude={"errors"} if not faults else None)
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def add_handlers(app: FastAPI, secrets: Secrets, routes: Sequence[BaseRoute]) -> None:
    """Has every error of a route answered by a problem document: ours, those of the framework, and those that nobody foresaw."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatherError)
        return problem_of(error, secrets)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, ValidationException)
        faults = [
            Fault(field=secrets.mask(".".join(map(str, one["loc"]))), detail=secrets.mask(expected(str(one["msg"]))))
            for one in error.errors()  # their `input` may be a secret or of any length
        ]
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return problem_of(InvalidInput(NO_JSON), secrets)
        if first["loc"] == ("body",) and isinstance(first["input"], bytes):  # read as JSON only where it is called that
            return problem_of(InvalidInput.field("Content-Type", request.headers.get("content-type", ""), "application/json"), secrets)
        field = ".".join(map(str, first["loc"]))
        told = f"{field} is missing" if first["type"] == "missing" else str(InvalidInput.field(field, first["input"], faults[0].detail))
        return problem_of(InvalidInput(told), secrets, faults)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, GatherError):  # a body that was too large, as it was read
            return problem_of(error.__cause__, secrets)
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {error.detail}"
        if error.status_code == HTTPStatus.BAD_REQUEST:  # the framework could not read the body
            packed = request.headers.get("content-encoding", "identity")
            detail = str(InvalidInput.field("Content-Encoding", packed, "a body as it is")) if packed != "identity" else NO_JSON
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # the framework names the methods of the path's first route alone
            there = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
            headers["Allow"] = ", ".join(sorted({method for route in there for method in getattr(route, "methods", ())}))
        return _answer(error.status_code, title.lower().replace(" ", "-"), title.capitalize(), secrets.mask(detail), headers)

    async def unforeseen(request: Request, error: Exception) -> Response:
        detail = "something unexpected went wrong; the server's log has the traceback"
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "Unexpected error", detail)

    app.add_exception_handler(GatherError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(WebSocketRequestValidationError, invalid)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unforeseen)
