"""A Brain service on the loopback: what `gather brain serve` serves, by uvicorn in a thread, with faults where it is told to.

    with BrainServer(folder) as server:
        server.faults += [500, {"results": []}, b"<html>"]
        HttpBrain(server.url, KEY, Secrets())

Each request first takes the next of `faults`: a status, a JSON value, or bytes. `asked` holds method, path and JSON body of what came.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from gather_pipeline import bootstrap
from gather_pipeline.api.brain import create_brain_app
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.server_process import free_port

KEY = "planted-brain-key/0123456789"
Fault = int | bytes | Mapping[str, Any] | list[Any]


class BrainServer:
    """Use as a context manager, or `start` and `stop` it; what it is told stays in its folder."""

    def __init__(self, folder: Path, *, key: str = KEY) -> None:
        self._folder, self._key = folder, key
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.asked: list[tuple[str, str, Any]] = []
        self.keys: list[str | None] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it, on the port that it had."""
        self._services = bootstrap.build_services(make_settings(self._folder))
        self._app = create_brain_app(*bootstrap.served_brain(self._services), self._key, self._services.secrets)
        config = uvicorn.Config(
            self._serve, interface="asgi3", port=self.port, log_level="error", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)

    def stop(self) -> None:
        """Stops it; whoever asks is refused the connection."""
        self._server.should_exit = True
        self._thread.join()
        self._services.close()

    @property
    def indexed(self) -> list[tuple[str, int, bool]]:
        """Id, version and whether it is gone of every item that came in a batch, in order."""
        bodies = (body for _, path, body in self.asked if path.endswith("/nodes/batch"))
        return [(item["id"], item["version"], item.get("deleted", False)) for body in bodies for item in body["items"]]

    def known(self, project_id: str) -> dict[str, str]:
        """Content by id of what it knows."""
        nodes, _ = bootstrap.served_brain(self._services)[1].all(project_id)
        return {node.id: node.content for node in nodes}

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        messages: list[Message] = []
        while True:
            messages.append(await receive())
            body += messages[-1].get("body", b"")
            if not messages[-1].get("more_body"):
                break
        self.asked.append((scope["method"], scope["path"], json.loads(body) if body else None))
        self.keys.append(dict(scope["headers"]).get(b"authorization", b"").decode() or None)
        fault = self.faults.pop(0) if self.faults else self.always
        if fault is not None:
            await _answer(fault)(scope, receive, send)
            return

        async def again() -> MutableMapping[str, Any]:
            return messages.pop(0) if messages else await receive()

        await self._app(scope, again, send)


def _answer(fault: Fault) -> Response:
    if isinstance(fault, int):
        return JSONResponse({"detail": f"told to, with {KEY}"}, fault)
    return Response(fault) if isinstance(fault, bytes) else JSONResponse(fault)
