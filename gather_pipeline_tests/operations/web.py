"""A real web server on the loopback that answers by path and by key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gather_pipeline_tests.http_server import HttpServer, QuietHandler


class Web(HttpServer):
    """Use as a context manager. `answers` holds status and JSON by path, 404 for others; `asked` what came, `keys` its Authorization.

    Args:
        answers: Status and JSON value by path.
        key: The one that is taken, every one where it is None.
    """

    def __init__(self, answers: Mapping[str, tuple[int, Any]], *, key: str | None = None) -> None:
        self.asked: list[str] = []
        web = self

        class Handler(QuietHandler):
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

        super().__init__(Handler)
