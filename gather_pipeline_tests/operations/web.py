"""A real web server on the loopback that answers by path and by key."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Web:
    """Use as a context manager. `answers` holds status and JSON by path, 404 for others; `asked` what came, `keys` its Authorization.

    Args:
        answers: Status and JSON value by path.
        key: The one that is taken, every one where it is None.
    """

    def __init__(self, answers: Mapping[str, tuple[int, Any]], *, key: str | None = None) -> None:
        self.asked: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                web.asked.append(f"{self.command} {self.path}")
                status, value = answers.get(self.path.partition("?")[0], (404, {}))
                if key is not None and self.headers.get("Authorization") != f"Bearer {key}":
                    status, value = 401, {"error": f"no such key: {self.headers.get('Authorization')}"}
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_HEAD = do_POST = answer

            def log_message(self, *_: Any) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)
