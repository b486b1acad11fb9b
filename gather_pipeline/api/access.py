"""Who may ask: the gate before every route, WebSocket and page.

Without any token the server serves this machine alone, by a name that no resolver can change. Once one was made, everything but `OPEN`
needs one, as `Authorization: Bearer` or in the cookie that a page keeps it in. A page of another origin, which a browser sends the cookie
or a local address along for, is refused unless `GATHER_API_ORIGINS` names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from gather_pipeline.api.limits import Rates
from gather_pipeline.api.problems import problem_of
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import GatherError, InvalidInput, NotAllowed, NotSignedIn
from gather_pipeline.people.person import person
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

COOKIE = "gather_token"
OPEN = ("/health", "/session")
HOOKS = "/api/hooks/"  # whose callers show a secret of their own
OPEN_BELOW = (HOOKS, "/static/")  # the sign-in page needs its style
UNKNOWN_TOKEN = "the token is not known or is revoked, expected one that gather token create printed"
NO_TOKENS = "expected a request from this machine to a name of it, such as 127.0.0.1, or a token: gather token create makes one"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who asks.

    Attributes:
        name: The token's, or this machine's user's where there are no tokens; changes are kept under it.
        token_id: The token's, for `Tokens.is_valid`; empty where there are none.
        project_id: The only project that may be seen; None for all.
    """

    name: str
    token_id: str = ""
    project_id: str | None = None

    def check(self, project_id: str | None) -> None:
        """Raises `NotAllowed` where the token is for another project; None stands for more than one project."""
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
    """Middleware that lets through who may ask, and no more often than the settings allow.

    Args:
        app: What is asked.
        services: The engines.
        sign_in: Makes the page, of status 401, that a browser without a token gets; of a scope and the sentence to show.
    """

    def __init__(self, app: ASGIApp, services: Services, sign_in: Callable[[Scope, str], Response]) -> None:
        self._app, self._services, self._sign_in = app, services, sign_in
        settings = services.settings
        self._rates, self._origins = Rates(settings.api_rate, services.clock), settings.api_origins
        self._local = Access(name=_local_name(settings))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through or answers with a problem document."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        path = scope["path"]  # that routes are found by; the one of `connection.url` depends on the header Host
        address = connection.client.host if connection.client else ""
        try:
            self._check_origin(connection)
            if path in OPEN or path.startswith(OPEN_BELOW):
                self._rates.take(address)
                access = None
            else:
                try:
                    access = await run_in_threadpool(self._identify, connection)
                except NotSignedIn:
                    self._rates.take(address)
                    raise
                self._rates.take(access.token_id or address)
        except GatherError as error:
            await self._refuse(error, scope, receive, send)
            return
        connection.state.access = access
        await self._app(scope, receive, send)

    def _check_origin(self, connection: HTTPConnection) -> None:
        origin = connection.headers.get("origin")
        is_own = origin is None or origin.partition("://")[2] == connection.headers.get("host") or origin in self._origins
        if not is_own and "authorization" not in connection.headers:
            raise NotAllowed(f"the request comes from a page of {origin}, expected one of this server or of GATHER_API_ORIGINS")

    def _identify(self, connection: HTTPConnection) -> Access:
        secret = _secret(connection)
        tokens = self._services.tokens
        if secret is not None:
            token = tokens.find(secret)
            if token is None:
                raise NotSignedIn(UNKNOWN_TOKEN)
            return Access(name=token.name, token_id=token.id, project_id=token.project_id)
        if tokens.exist():
            raise NotSignedIn("the request has no token, expected Authorization: Bearer and one that gather token create printed")
        if not is_local(connection):
            address, host = connection.client.host if connection.client else "nowhere", connection.headers.get("host", "")
            raise NotAllowed(f"there are no tokens and the request comes from {address} and is for host {host!r}, {NO_TOKENS}")
        return self._local

    async def _refuse(self, error: GatherError, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers instead of the application, a WebSocket before it is opened."""
        response = problem_of(error, self._services.secrets)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(response)
            return
        if isinstance(error, NotSignedIn) and "text/html" in HTTPConnection(scope).headers.get("accept", ""):
            response = self._sign_in(scope, str(error))
        await response(scope, receive, send)


def is_local(connection: HTTPConnection) -> bool:
    """Whether a request comes from this machine, and by a name of it that no resolver can give to another."""
    try:
        name = urlsplit(f"//{connection.headers.get('host', '')}").hostname
    except ValueError:
        return False
    return connection.client is not None and is_loopback(connection.client.host) and is_loopback(name or "")


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
