"""Live events, as server-sent events and by WebSocket: what is stored after a number, and then what happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, WebSocket
from pydantic import BeforeValidator
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse
from starlette.types import Message, Send
from starlette.websockets import WebSocketDisconnect

from gather_pipeline.api.deps import GivenAccess, GivenRecords, GivenServices
from gather_pipeline.api.live import FAREWELL_S, HEARTBEAT_S, STALL_S, TOO_SLOW, Line, Live, TooSlow, in_time
from gather_pipeline.errors import StoreUnavailable

router = APIRouter(tags=["events"])

GOING_AWAY, TRY_AGAIN_LATER, SIGNED_OUT = 1001, 1013, 4401  # why a WebSocket is closed
STOPS = "the server stops; come back with the number of the last event that you have"
REVOKED = "the token was revoked, or one is needed by now"
COME_BACK_MS = 1000  # until a browser connects anew
EXAMPLE = (
    'id: 42\ndata: {"type": "deduplicating", "department": "story", "project_id": "salt-ledger", '
    '"task_id": "0b8e6c1e-6f0e-4c58-9d0c-5d3b1a2f7e11", "sequence": 42, "at": "2026-11-26T08:00:00.000000+00:00"}\n\n'
)


class Following:
    """A client of a project's events, from where it left off for as long as it may see them; `is_revoked` once it may not."""

    def __init__(
        self,
        connection: HTTPConnection,
        services: GivenServices,
        access: GivenAccess,
        records: GivenRecords,
        after: Annotated[
            int, Query(ge=0, description="Number of the last event that you have; 0 for all that are stored", examples=[41])
        ] = 0,
        last_event_id: Annotated[
            int | None,
            BeforeValidator(lambda given: given or None),  # some clients send it empty before the first event
            Header(ge=0, description="The same, as browsers send it; wins over `after`"),
        ] = None,
    ) -> None:
        self._tokens, self._token_id, self._project_id = services.tokens, access.token_id, records.project_id
        self._live: Live = connection.app.state.live
        self._after = min(after if last_event_id is None else last_event_id, records.last_sequence())  # a store put back has fewer
        self.is_revoked = False

    async def lines(self, way: str) -> AsyncGenerator[list[Line]]:
        """Events in order, and an empty list now and then."""
        checked = time.monotonic()
        async with aclosing(self._live.follow(self._project_id, self._after, way)) as found:
            async for lines in found:
                if time.monotonic() - checked >= HEARTBEAT_S:
                    checked = time.monotonic()
                    self.is_revoked = not await asyncio.to_thread(self._may_see)
                    if self.is_revoked:
                        return
                yield lines

    def _may_see(self) -> bool:
        try:
            return self._tokens.is_valid(self._token_id) if self._token_id else not self._tokens.exist()
        except StoreUnavailable:  # it is asked again; until it answers there are no events either
            return True


GivenFollowing = Annotated[Following, Depends()]


class EventStream(StreamingResponse):
    """Server-sent events; a client that does not take them gets a last event that says why."""

    media_type = "text/event-stream"

    def __init__(self, following: Following) -> None:
        self._lines = _texts(following)
        super().__init__(self._lines, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def stream_response(self, send: Send) -> None:
        """Sends every text in time, and ends in good order."""

        async def send_in_time(message: Message) -> None:
            await in_time(send(message), STALL_S)

        try:
            async with aclosing(self._lines):
                await super().stream_response(send_in_time)
        except TooSlow:
            farewell: Message = {"type": "http.response.body", "body": f"event: dropped\ndata: {TOO_SLOW}\n\n".encode()}
            with suppress(TooSlow):
                await in_time(send(farewell), FAREWELL_S)


async def _texts(following: Following) -> AsyncGenerator[str]:
    yield f"retry: {COME_BACK_MS}\n\n"
    async for lines in following.lines("sse"):
        for line in lines:
            yield f"id: {line.sequence}\ndata: {line.text}\n\n"
        if not lines:
            yield ": nothing new\n\n"
    yield f": {REVOKED if following.is_revoked else STOPS}\n\n"


@router.get(
    "/api/projects/{project_id}/events",
    status_code=200,  # or FastAPI looks for it among what the class is made with
    response_class=EventStream,
    response_description="One message an event, its number as `id`",
    responses={200: {"content": {"text/event-stream": {"example": EXAMPLE}}}},
)
async def stream(following: GivenFollowing) -> EventStream:
    """Follow a project's events as server-sent events (`EventSource`): those after a number, then each as it happens.

    The answer does not end. Comments come every 15 s where nothing happens. A client that does not read is sent `event: dropped`.
    """
    return EventStream(following)


@router.websocket("/ws/projects/{project_id}")
async def socket(socket: WebSocket, following: GivenFollowing) -> None:
    """The same by WebSocket, one text message an event: `?after=` the number of the last event that the client has."""
    await socket.accept()
    reading = asyncio.create_task(_read(socket))
    sending = asyncio.create_task(_send(socket, following))
    try:
        await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)


async def _read(socket: WebSocket) -> None:
    """Reads until the client goes; what it sends is ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _send(socket: WebSocket, following: Following) -> None:
    with suppress(WebSocketDisconnect, TooSlow):
        try:
            async with aclosing(following.lines("websocket")) as found:
                async for lines in found:
                    for line in lines:
                        await in_time(socket.send_text(line.text), STALL_S)
        except TooSlow:
            await in_time(socket.close(TRY_AGAIN_LATER, TOO_SLOW), FAREWELL_S)
        else:
            await in_time(socket.close(*((SIGNED_OUT, REVOKED) if following.is_revoked else (GOING_AWAY, STOPS))), STALL_S)
