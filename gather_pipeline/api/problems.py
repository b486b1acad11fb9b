"""Errors as RFC 9457 problem documents, with the sentence that the command line would print."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, ValidationException, WebSocketRequestValidationError
from pydantic import BaseModel, Field, ValidationError
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
    errors.StoreFull: HTTPStatus.INSUFFICIENT_STORAGE,
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
UNUSABLE = {"missing": "is missing", "extra_forbidden": "is not a known field"}  # by pydantic's type of a fault


class Fault(BaseModel):
    """A value of the request that is wrong."""

    field: str = Field(description="Where it stands", examples=["body.priority"])
    detail: str = Field(description="What was expected there, or that it is missing or not known", examples=["less than or equal to 10"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(examples=["urn:gather:problem:unknown-entity"])
    title: str = Field(examples=["Unknown entity"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["project id is 'solt', expected one of those that gather project list shows"])
    errors: list[Fault] = []


def problem_of(error: GatherError, secrets: Secrets, faults: list[Fault] | None = None) -> Response:
    """The answer that tells of an error."""
    family, headers = _family(error), {}
    seconds = getattr(error, "retry_after_s", None)
    if seconds is not None:
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    if STATUS[family] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="gather"'
    title = re.sub(r"(?<!^)(?=[A-Z])", " ", family.__name__)
    return _answer(STATUS[family], title, secrets.mask(str(error)), headers, faults)


def status_of(error: GatherError) -> HTTPStatus:
    """The status that an error is answered with."""
    return STATUS[_family(error)]


def _family(error: GatherError) -> type[GatherError]:
    return next(known for known in type(error).__mro__ if known in STATUS)


def _answer(status: int, title: str, detail: str, headers: Mapping[str, str] | None = None, faults: list[Fault] | None = None) -> Response:
    kind = title.lower().replace(" ", "-")
    problem = Problem(type=f"urn:gather:problem:{kind}", title=title.capitalize(), status=status, detail=detail, errors=faults or [])
    body = problem.model_dump(exclude={"errors"} if not faults else None)
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def add_handlers(app: FastAPI, secrets: Secrets, routes: Sequence[BaseRoute]) -> None:
    """Has every error answered by a problem document.

    Args:
        app: The application.
        secrets: What no answer may show.
        routes: All routes, those of its routers included, which the application itself does not list.
    """

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatherError)
        return problem_of(error, secrets)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, ValidationException)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return problem_of(InvalidInput(NO_JSON), secrets)
        if first["loc"] == ("body",) and isinstance(first["input"], bytes):  # read as JSON only where it is called that
            return problem_of(InvalidInput.field("Content-Type", request.headers.get("content-type", ""), "application/json"), secrets)
        faults = [
            Fault(
                field=secrets.mask(".".join(map(str, one["loc"]))), detail=secrets.mask(UNUSABLE.get(one["type"]) or expected(one["msg"]))
            )
            for one in error.errors()  # their `input` may be a secret or of any length
        ]
        field = ".".join(map(str, first["loc"]))
        told = f"{field} {UNUSABLE[first['type']]}" if first["type"] in UNUSABLE else None
        return problem_of(InvalidInput(told) if told else InvalidInput.field(field, first["input"], faults[0].detail), secrets, faults)

    async def of_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, GatherError):  # a body that was too large, as it was read
            return problem_of(error.__cause__, secrets)
        if error.status_code == HTTPStatus.BAD_REQUEST and error.__cause__:  # a body that is no text, or nested too deeply
            packed = request.headers.get("content-encoding", "identity")
            of_body = InvalidInput(NO_JSON) if packed == "identity" else InvalidInput.field("Content-Encoding", packed, "a body as it is")
            return problem_of(of_body, secrets)
        title = HTTPStatus(error.status_code).phrase
        detail = f"{request.method} {request.url.path}: {error.detail}"
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:  # the framework names the methods of the path's first route alone
            there = [route for route in routes if route.matches(request.scope)[0] != Match.NONE]
            headers["Allow"] = ", ".join(sorted({method for route in there for method in getattr(route, "methods", ())}))
        return _answer(error.status_code, title, secrets.mask(detail), headers)

    async def of_disk(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise error
        return problem_of(errors.StoreFull(f"{error.strerror}: cannot write {error.filename}"), secrets)

    async def unforeseen(request: Request, error: Exception) -> Response:
        detail = "something unexpected went wrong; the server's log has the traceback"
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Unexpected", detail)

    app.add_exception_handler(GatherError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(WebSocketRequestValidationError, invalid)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(OSError, of_disk)
    app.add_exception_handler(Exception, unforeseen)


def faults_in(error: ValidationError, *place: str) -> RequestValidationError:
    """What was refused in a part of a request that the framework did not check itself."""
    return RequestValidationError([{**one, "loc": (*place, *one["loc"])} for one in error.errors(include_url=False)])
