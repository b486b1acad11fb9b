"""A content management system on the loopback that answers as Payload 3.90 does (docs/decisions/0018-cms.md), and fails as told.

    with CmsServer(department("story", 1), department("music", 2)) as cms:
        client = PayloadClient(cms.url, KEY, Secrets())
        cms.faults += [500, hang, ...]

Each request first takes the next of `faults`: a status, an `Answer`, or a function of the handler. `paths` holds what was asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gather_pipeline_tests.http_server import HttpServer, QuietHandler

KEY = "planted-key/0123456789"
REFUSAL = {"errors": [{"message": "You are not allowed to perform this action."}]}
FAILURE = {"errors": [{"message": "Something went wrong."}]}
COLUMNS = ("gatherCheck", "isActive", "codeDepNumber", "slug", "updatedAt", "id")

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An answer as it goes over the wire."""

    content: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


Fault = int | Answer | Callable[[BaseHTTPRequestHandler], None]


def lexical(*paragraphs: str) -> Row:
    """A rich text as Payload's editor keeps it."""
    about = {"format": "", "indent": 0, "version": 1, "direction": "ltr"}
    words = {"type": "text", "detail": 0, "format": 0, "mode": "normal", "style": "", "version": 1}
    lines = [{"type": "paragraph", "textFormat": 0, "children": [{**words, "text": line}], **about} for line in paragraphs]
    return {"root": {"type": "root", "children": lines, **about}}


def department(slug: str, number: int | None, **fields: Any) -> Row:
    """A row of the collection, all languages asked for."""
    aspects = [{"id": f"a{n}", "aspect": text} for n, text in enumerate(("dread", "hope"))]
    return {
        "slug": slug,
        "name": {"en": slug.title()},
        "description": lexical(f"What {slug} is about."),
        "codeDepNumber": number,
        "gatherCheck": True,
        "isActive": True,
        "defaultModel": None,
        "project": {"id": 1, "name": "Salt"},
        "coordinationSettings": {"minQualityThreshold": None, "maxIterations": 1, "aspects": aspects},
        "_status": "published",
    } | fields


class CmsServer(HttpServer):
    """Use as a context manager; `rows` may be changed meanwhile, `url` is the application's address."""

    def __init__(self, *rows: Row, most: int = 10_000, port: int = 0) -> None:
        self.rows = [{"id": number, **row} for number, row in enumerate(rows, 1)]
        self.most = most  # rows of a page, however many are asked for
        self.faults: list[Fault] = []
        self.paths: list[str] = []
        super().__init__(_handler(self), port)

    def answer(self, path: str, authorization: str | None) -> Answer:
        """What Payload answers; its order of equal numbers is its own, so here it is another one on every page."""
        parts = urlsplit(path)
        if parts.path != "/api/departments":
            return said({"message": f'Route not found "{parts.path}"'}, 404)
        if authorization != f"users API-Key {KEY}":
            return said(REFUSAL, 403)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        filters = {name[6:-9]: value for name, value in query.items() if name.startswith("where[") and name.endswith("][equals]")}
        for name in filters:
            if name not in COLUMNS:
                return said({"errors": [{"name": "QueryError", "message": f"The following path cannot be queried: {name}"}]}, 400)
        found = [row for row in self.rows if all(json.dumps(row.get(name)) == value for name, value in filters.items())]
        page, size = int(query.get("page", 1)), min(int(query.get("limit", 10)) or self.most, self.most)
        turn = -1 if page % 2 else 1
        sort = query.get("sort", "-id")
        found.sort(key=lambda row: (row.get(sort) is not None, row.get(sort) or 0, turn * row["id"]))
        docs, pages = found[(page - 1) * size : page * size], max(1, -(-len(found) // size))
        more = {"hasNextPage": page < pages, "hasPrevPage": page > 1, "nextPage": page + 1 if page < pages else None}
        return said({"docs": docs, "limit": size, "page": page, "totalDocs": len(found), "totalPages": pages, **more})


def said(value: object, status: int = 200, **headers: str) -> Answer:
    """A JSON answer."""
    return Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Promises a list and breaks off in the middle of it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"docs": [')
    handler.close_connection = True


def _handler(server: CmsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(QuietHandler):
        def do_GET(self) -> None:
            server.paths.append(self.path)
            fault = server.faults.pop(0) if server.faults else server.answer(self.path, self.headers.get("Authorization"))
            if callable(fault):
                fault(self)
                return
            answer = said(FAILURE, fault) if isinstance(fault, int) else fault
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(answer.content))} | dict(answer.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.content)

    return Handler
