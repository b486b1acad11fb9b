"""The API behind a real server in a thread of this process, for what only a connection shows: streams, WebSockets, who is slow."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx2
import uvicorn
from websockets.sync.client import ClientConnection, connect

from gather_pipeline.api.app import create_app
from gather_pipeline.api.live import Live
from gather_pipeline.domain.events import Event
from gather_pipeline_tests.harness import PROJECT, Studio

PATIENCE_S = 20.0


class Served:
    """Use as a context manager."""

    def __init__(self, studio: Studio) -> None:
        app = create_app(studio.services)
        self.live: Live = app.state.live
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)  # so that little is sent to who does not read
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve([self._listener])

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.end_streams()
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._listener.close()

    def end_streams(self) -> None:
        """What a signal does first."""
        self._loop.call_soon_threadsafe(self.live.close)

    def socket(self, query: str = "", **options: Any) -> ClientConnection:
        """A WebSocket on the project's events."""
        return connect(f"ws://{self.address}/ws/projects/{PROJECT}{query}", **options)

    @contextmanager
    def stream(self, query: str = "", **headers: str) -> Iterator[Iterator[str]]:
        """Lines of the project's server-sent events."""
        url = f"http://{self.address}/api/projects/{PROJECT}/events{query}"
        with httpx2.stream("GET", url, headers=headers, timeout=PATIENCE_S) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield answer.iter_lines()


def wait_for(condition: Callable[[], object]) -> None:
    """Fails where something does not come true."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def happen(studio: Studio, number: int, **fields: Any) -> None:
    """So many events more are stored, at once."""
    last = studio.records.last_sequence()
    given = {"department": "story", **fields}
    studio.records.add_events(
        [
            Event(type="deduplicating", fields=given, project_id=PROJECT, task_id="t", sequence=sequence, at="now")
            for sequence in range(last + 1, last + number + 1)
        ]
    )


def stored(studio: Studio) -> list[dict[str, Any]]:
    return [json.loads(event.to_json()) for event in studio.records.events()]


def numbers(lines: Iterator[str], number: int) -> list[int]:
    """Numbers of so many server-sent events; each is what its `id` says."""
    found: list[int] = []
    for line in lines:
        if line.startswith("id: "):
            found.append(int(line[4:]))
        elif line.startswith("data: "):
            assert json.loads(line[6:])["sequence"] == found[-1]
            if len(found) == number:
                break
    return found
