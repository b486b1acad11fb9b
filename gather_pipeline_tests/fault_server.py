"""A real HTTP server on the loopback that speaks chat completions and fails as told.

    with FaultServer([rate_limited(retry_after="2"), answer("a note")]) as server:
        model = OpenAiModel(base_url=server.base_url, ...)

Each request plays the next reply of the script; when it is played out, `then` answers. `server.requests` holds the bodies seen,
`server.headers` their headers (names in lower case), `server.paths` their paths with the query, `server.hung_up` how many callers left a
hanging reply.
"""

from __future__ import annotations

import asyncio
import json
import select
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline_tests.http_server import HttpServer, QuietHandler

Body = dict[str, Any]
Reply = Callable[["Exchange"], None]


class Exchange:
    """One request, and the means to answer it well or badly."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: Body, server: FaultServer) -> None:
        self.handler = handler
        self.body = body
        self.server = server

    def send(self, status: int, content: bytes, headers: Mapping[str, str] | None = None, *, cut: bool = False) -> None:
        """Answers; `cut` promises more bytes than are sent and then hangs up."""
        self.handler.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | dict(headers or {})).items():
            self.handler.send_header(name, value)
        self.handler.send_header("Content-Length", str(len(content) * 2 + 9 if cut else len(content)))
        self.handler.end_headers()
        self.handler.wfile.write(content)
        if cut:
            self.hang_up()

    def send_json(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        self.send(status, json.dumps(value).encode(), headers)

    def hang_up(self) -> None:
        self.handler.close_connection = True
        with suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)


class FaultServer(HttpServer):
    """Use as a context manager; `base_url` is the address to give to a client."""

    def __init__(self, script: Sequence[Reply] = (), *, then: Reply | None = None) -> None:
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.hung_up = 0
        self.most_at_once = 0
        self._script = list(script)
        self._then = then or answer("ok")
        self._lock = threading.Lock()
        self._now = 0
        self._sockets: set[socket.socket] = set()
        super().__init__(_handler(self))
        self.base_url = f"{self.url}/v1"

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        with self._lock:
            for connection in self._sockets:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(connection)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        body = json.loads(content)
        with self._lock:
            self.requests.append(body)
            self.paths.append(handler.path)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            reply = self._script.pop(0) if self._script else self._then
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            reply(Exchange(handler, body, self))
        finally:
            with self._lock:
                self._now -= 1


def _handler(server: FaultServer) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            server.opened(self.connection)

        def finish(self) -> None:
            server.closed(self.connection)
            with suppress(OSError):
                super().finish()

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def do_POST(self) -> None:
            server.serve(self)

    return Handler


# Answers


def completion(text: str | None, **overrides: Any) -> Body:
    """A chat completion as a provider sends it."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "a-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    } | overrides


def answer(text: str | None, *, after_s: float = 0.0, **overrides: Any) -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.server.closing.wait(after_s)
        exchange.send_json(200, completion(text, **overrides))

    return reply


def answered_by(write: Callable[[Body], str]) -> Reply:
    """Answers whatever the function makes of the request's body."""
    return lambda exchange: exchange.send_json(200, completion(write(exchange.body)))


def scripted_text(body: Body, after_s: float = 0.0) -> str:
    """What `ScriptedModel` answers to the same turns, seed and schema."""
    request = ModelRequest(
        model=body["model"],
        messages=tuple(Message(**message) for message in body["messages"]),
        max_tokens=body.get("max_tokens", 100_000),
        seed=body.get("seed"),
        response_schema=body.get("response_format", {}).get("json_schema", {}).get("schema"),
    )
    return asyncio.run(ScriptedModel(latency_s=after_s).complete(request)).text


def like_the_scripted_model(after_s: float = 0.0) -> Reply:
    """Answers as `scripted_text`, so that a whole run can go over HTTP."""
    return answered_by(lambda body: scripted_text(body, after_s))


def nothing() -> Reply:
    return answer("")


def prose() -> Reply:
    return answer("Sure! Here are some thoughts about your film, in no particular order.")


def half_json() -> Reply:
    """A structured answer that was cut by its token limit."""
    message = {"role": "assistant", "content": '{"content": "Mara hides the key under the thi'}
    return answer(None, choices=[{"index": 0, "message": message, "finish_reason": "length"}])


def foreign_schema() -> Reply:
    return answer('{"recipe": "pancakes", "eggs": 3}')


def body(value: object) -> Reply:
    """Status 200 with a JSON that is no completion."""
    return lambda exchange: exchange.send_json(200, value)


# Faults


def status(number: int, message: str = "no", *, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    return lambda exchange: exchange.send_json(number, {"error": {"message": message} | fields}, headers)


def rate_limited(retry_after: str | None = None) -> Reply:
    return status(429, "slow down", headers={"Retry-After": retry_after} if retry_after is not None else None)


def malformed() -> Reply:
    """Status 200, content type JSON, half a completion."""
    return lambda exchange: exchange.send(200, json.dumps(completion("x")).encode()[:60])


def page(code: int = 502) -> Reply:
    """What a gateway in between answers."""
    return lambda exchange: exchange.send(code, b"<html><h1>Bad\ngateway</h1></html>", {"Content-Type": "text/html"})


def truncated() -> Reply:
    """The connection breaks in the middle of the body."""
    return lambda exchange: exchange.send(200, json.dumps(completion("x")).encode()[:60], cut=True)


def dropped() -> Reply:
    """The connection breaks before any answer."""
    return Exchange.hang_up


def hang(seconds: float = 60.0) -> Reply:
    """No answer; ends when the caller hangs up, the server closes, or the time is over."""

    def reply(exchange: Exchange) -> None:
        waited = 0.0
        while waited < seconds and not exchange.server.closing.is_set():
            readable, _, _ = select.select([exchange.handler.connection], [], [], 0.02)
            if readable and not exchange.handler.connection.recv(1, socket.MSG_PEEK):
                exchange.server.hung_up += 1
                break
            waited += 0.02
        exchange.hang_up()

    return reply
