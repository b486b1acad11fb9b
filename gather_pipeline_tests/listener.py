"""A real receiver of events on the loopback, which answers late or badly where it is told to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gather_pipeline_tests.http_server import HttpServer, QuietHandler


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0


class Listener(HttpServer):
    """Use as a context manager. Plays `answers`, one a request, and then says 204, or answers what `by_event` says of an event.

    `events`, `bodies`, `headers` (names in lower case) and `methods` hold what came; `taken` the numbers of events that got a 2xx.
    """

    def __init__(self, *answers: Said, by_event: Callable[[Mapping[str, Any]], Said] | None = None, port: int = 0) -> None:
        self.answers, self.by_event = list(answers), by_event
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.methods: list[str] = []
        self.taken: list[int] = []
        listener = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                listener.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                event = json.loads(listener.bodies[-1] or "{}")
                listener.methods.append(self.command)
                listener.events.append(event)
                listener.headers.append({name.lower(): value for name, value in self.headers.items()})
                said = listener.by_event(event) if listener.by_event else listener.answers.pop(0) if listener.answers else Said()
                time.sleep(said.delay_s)
                if 200 <= said.status < 300:
                    listener.taken.append(event.get("sequence"))
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

        super().__init__(Handler, port)
        self.url += "/hook/s3cret?token=s3cret"
