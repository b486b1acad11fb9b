"""Who may ask: the gate before every route, WebSocket and page.

Without any token the server serves this machine alone, by a name that no resolver can change. Once one was made, everything but `OPEN`
needs one, as `Authorization: Bearer` or in the cookie that a page keeps it in. A page of another origin, which a browser sends the cookie
or a local address along for, is refused unless `GATHER_API_ORIGINS` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gather_pipeline.api.limits import Rates, check_size
from gather_pipeline.api.problems import problem_of
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import GatherError, InvalidInput, NotAllowed, NotSignedIn
from gather_pipeline.people.person import person
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

COOKIE, SIGN_IN = "gather_token", "sign_in"
OPEN = ("/health", "/session")
HOOKS = "/api/hooks/"  # whose callers show a secret of their own
OPEN_BELOW = (HOOKS, "/static/")  # the latter is what the form for a token looks like
NO_TOKENS = "expected a request from this machine to a name of it, such as 127.0.0.1, or a token: gather token create makes one"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who asks.

    Attributes:
        name: Under which what they change is kept: the token's, or this machine's user's where there are no tokens.
        token_id: The token's, for `Tokens.is_valid`; empty where there are none.
        project_id: The only project that may be seen; None for all.
    """

    name: str
    token_id: str = ""
    project_id: str | None = None

    def check(self, project_id: str | None) -> None:
        """Refuses another project than the token's; None stands for more than one project.

        Raises:
            NotAllowed: The token is for another project.
        """
        if self.project_id is not None and self.project_id != project_id:
            wanted = "all projects" if project_id is None else f"project {project_id}"
            raise NotAllowed(f"the token {self.name!r} is for project {self.project_id}, expected one for {wanted}")


class Lenient:
    """Middleware that reads what clients send for the same: a slash at a path's end, HEAD for a GET, and filters without a value.

    The server keeps the body of an answer to HEAD back. A redirect to the other path would name it by what the proxy before it calls it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a request on as it is meant."""
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}  # a copy, for the server looks at its own
            if scope.get("method") == "HEAD" and not scope["path"].endswith("/events"):  # streams have no end
                scope["method"] = "GET"
            if scope.get("method", "GET") == "GET":
                parts = scope["query_string"].split(b"&")
                scope["query_string"] = b"&".join(part for part in parts if part.partition(b"=")[1:] != (b"=", b""))
        await self._app(scope, receive, send)


class Gate:
    """Middleware that lets through who may ask, and no more and no larger than the settings allow.

    Where `app.state` has a function `SIGN_IN` (scope, sentence) -> response of status 401, a browser without a token gets that page.
    """

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services
        settings = services.settings
        self._rates, self._most, self._origins = Rates(settings.api_rate, services.clock), settings.api_body_bytes, settings.api_origins
        self._local = Access(name=_local_name(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through or answers with a problem document."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        path, address = connection.url.path, connection.client.host if connection.client else ""
        try:
            check_size(_length(connection), self._most)
            self._check_origin(connection)
            if path in OPEN or path.startswith(OPEN_BELOW):
                self._rates.take(address)
                access = None
            else:
                try:
                    access = await run_in_threadpool(self._identify, connection, address)
                except NotSignedIn:
                    self._rates.take(address)
                    raise
                self._rates.take(access.token_id or address)
        except GatherError as error:
            await self._refuse(error, scope, receive, send)
            return
        connection.state.access = access
        await self._app(scope, _counted(receive, self._most), send)

    def _check_origin(self, connection: HTTPConnection) -> None:
        origin = connection.headers.get("origin")
        is_own = origin is None or origin.partition("://")[2] == connection.headers.get("host") or origin in self._origins
        if not is_own and "authorization" not in connection.headers:
            raise NotAllowed(f"the request comes from a page of {origin}, expected one of this server or of GATHER_API_ORIGINS")

    def _identify(self, connection: HTTPConnection, address: str) -> Access:
        secret = _secret(connection)
        tokens = self._services.tokens
        if secret is not None:
            token = tokens.find(secret)
            if token is None:
                raise NotSignedIn("the token is not known or is revoked, expected one that gather token create printed")
            return Access(name=token.name, token_id=token.id, project_id=token.project_id)
        if tokens.exist():
            raise NotSignedIn("the request has no token, expected Authorization: Bearer and one that gather token create printed")
        host = connection.headers.get("host", "")
        if not is_loopback(address):
            raise NotAllowed(f"there are no tokens and the request comes from {address or 'nowhere'}, {NO_TOKENS}")
        if not is_loopback(_name(host)):
            raise NotAllowed(f"there are no tokens and the request is for host {host!r}, {NO_TOKENS}")
        return self._local

    async def _refuse(self, error: GatherError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers instead of the application, a WebSocket before it is opened."""
        response: Response = problem_of(error, self._services.secrets)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
            return
        page = getattr(scope["app"].state, SIGN_IN, None)
        if page is not None and isinstance(error, NotSignedIn) and "text/html" in HTTPConnection(scope).headers.get("accept", ""):
            response = page(scope, str(error))
        await response(scope, receive, send)


def _name(host: str) -> str:
    """The name in a Host header, empty where there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _local_name(settings: Settings) -> str:
    try:
        return person(None, settings)
    except InvalidInput:
        return "somebody"


def _secret(connection: HTTPConnection) -> str | None:
    given = connection.headers.get("authorization")
    if given is None:
        return connection.cookies.get(COOKIE)
    scheme, _, secret = given.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _length(connection: HTTPConnection) -> int:
    given = connection.headers.get("content-length", "0")
    if not given.isdecimal():
        raise InvalidInput.field("Content-Length", given, "a number of bytes")
    return int(given)


def _counted(receive: Receive, most: int) -> Receive:
    """Counts what comes of a body whose length was not told."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            check_size(size, most)
        return message

    return counted
