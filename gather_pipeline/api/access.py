"""Who may ask: the gate before every route, WebSocket and page.

Without any token the server serves this machine alone. Once one exists, everything but `OPEN` needs one, as `Authorization: Bearer`
or as the cookie that a page keeps it in.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from gather_pipeline.api.limits import Rates, check_size
from gather_pipeline.api.problems import problem_of
from gather_pipeline.errors import GatherError, InvalidInput, NotAllowed
from gather_pipeline.services import Services

OPEN = ("/health",)


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who asks.

    Attributes:
        name: Of the token; of this machine's user where there are no tokens.
        project_id: The only project that may be seen; None for all.
    """

    name: str
    project_id: str | None = None

    def check(self, project_id: str | None) -> None:
        """Refuses another project than the token's; None stands for more than one project.

        Raises:
            NotAllowed: The token is for another project.
        """
        if self.project_id is not None and self.project_id != project_id:
            wanted = "all projects" if project_id is None else f"project {project_id}"
            raise NotAllowed(f"the token {self.name!r} is for project {self.project_id}, expected one for {wanted}")


class Gate:
    """Middleware that lets through who may ask, and no more and no larger than the settings allow."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._services = app, services
        settings = services.settings
        self._rates, self._most = Rates(settings.api_rate, services.clock), settings.api_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through or answers with a problem document."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        caller = connection.client.host if connection.client else ""
        try:
            access = Access(name="this machine") if connection.url.path in OPEN else self._identify(connection)
            self._rates.take(caller)
            check_size(_length(connection), self._most)
        except GatherError as error:
            await refuse(problem_of(error, self._services.secrets), scope, receive, send)
            return
        connection.state.access = access
        await self._app(scope, _limited(receive, self._most), send)

    def _identify(self, connection: HTTPConnection) -> Access:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
        client = connection.client.host if connection.client else ""
        if not (is_loopback(client) and is_loopback(host)):
            raise NotAllowed("there are no tokens yet, expected a request from this machine: make one with gather token create")
        return Access(name="this machine")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by an address or the name that no resolver changes."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers instead of the application, a WebSocket before it is opened."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _length(connection: HTTPConnection) -> int:
    given = connection.headers.get("content-length", "0")
    if not given.isdecimal():
        raise InvalidInput.field("Content-Length", given, "a number of bytes")
    return int(given)


def _limited(receive: Receive, most: int) -> Receive:
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
