"""How much a caller may send, and how often."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gather_pipeline.api.problems import problem_of
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import GatherError, InvalidInput, TooLarge, TooMany
from gather_pipeline.ports import Clock

WINDOW_S = 60.0
CALLERS = 10_000  # remembered at once


class Rates:
    """Limits the requests of each caller to so many a minute, evenly or in a burst."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._used: dict[str, tuple[float, float]] = {}  # by caller: requests not yet paid back, and when that was

    def take(self, caller: str) -> None:
        """Counts a request; raises `TooMany`, with the seconds to wait, where it is one too many."""
        now = self._clock.monotonic()
        used, at = self._used.pop(caller, (0.0, now))
        used = max(0.0, used - (now - at) * self._per_minute / WINDOW_S)
        if used + 1 > self._per_minute:
            self._used[caller] = used, now
            wait = (used + 1 - self._per_minute) * WINDOW_S / self._per_minute
            raise TooMany(f"more than {self._per_minute} requests a minute, expected another in {wait:.1f} s", wait)
        self._used[caller] = used + 1, now
        if len(self._used) > CALLERS:
            del self._used[next(iter(self._used))]  # the one that has not asked for longest


class Bounded:
    """Middleware that refuses a body of more than `most` bytes: by its Content-Length, or while it is read."""

    def __init__(self, app: ASGIApp, most: int, secrets: Secrets) -> None:
        self._app, self._most, self._secrets = app, most, secrets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers with a problem document."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            self._check(size)
            return message

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        try:
            if not length.isdecimal():
                raise InvalidInput.field("Content-Length", length, "a number of bytes")
            self._check(int(length))
        except GatherError as error:
            await problem_of(error, self._secrets)(scope, receive, send)
        else:
            await self._app(scope, counted, send)

    def _check(self, size: int) -> None:
        if size > self._most:
            raise TooLarge(f"the request's body has {size} bytes or more, expected at most {self._most}")
