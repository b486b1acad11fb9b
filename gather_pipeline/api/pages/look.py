"""How a page is made: templates in which everything is escaped, its headers, and how it tells an error."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine, Mapping
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi.routing import APIRoute
from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from gather_pipeline.api.access import COOKIE
from gather_pipeline.api.problems import status_of
from gather_pipeline.domain.texts import CONTROL, clean
from gather_pipeline.errors import GatherError
from gather_pipeline.report.page import ENDED_BY, FOLDER, environment

HERE = Path(__file__).parent
STATIC: Mapping[str, tuple[Path, str]] = {  # by name: file and media type
    "app.js": (HERE / "static" / "app.js", "text/javascript"),
    "icon.svg": (HERE / "static" / "icon.svg", "image/svg+xml"),
    "report.css": (FOLDER / "style.css", "text/css"),
    "style.css": (HERE / "static" / "style.css", "text/css"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none of it a form's Origin would be unknown
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TITLES = {401: "Sign in", 403: "Not for you", 404: "Not found", 409: "Not now", 422: "That cannot be"}


def page(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """A page, made by a template of these values."""
    common = {"access": getattr(request.state, "access", None), "said": "", "ended_by": ENDED_BY}
    return HTMLResponse(_environment().get_template(f"{name}.html.j2").render(common | values), status, HEADERS)


def faults_of(request: Request, error: GatherError, *fields: str) -> dict[str, str]:
    """The sentence of an error by the field that it begins with; by an empty name where it is of none of these."""
    told = request.app.state.services.secrets.mask(str(error))
    return {next((name for name in fields if told.startswith((f"{name} ", f"project {name} "))), ""): told}


def sign_in_page(scope: Scope, told: str, wanted: str = "") -> Response:
    """The form for a token, for a browser that came without one or with one that is of no use."""
    request = Request(scope)
    is_known = COOKIE in request.cookies or request.method == "POST"
    asked = f"{request.url.path}{'?' if request.url.query else ''}{request.url.query}" if request.method == "GET" else "/"
    return page(request, "sign_in", 401, faults={"token": told} if is_known else {}, next=wanted or asked)


class PageRoute(APIRoute):
    """A route whose errors are told by a page, with the status and the sentence of the problem document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors of ours answered."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except GatherError as error:
                status = status_of(error)
                title = TITLES.get(status, "Something went wrong")
                return page(request, "error", status, title=title, faults=faults_of(request, error))

        return answered


@cache
def _environment() -> Environment:
    made = environment(HERE / "templates")
    made.finalize = _shown
    made.policies["json.dumps_kwargs"] = {"sort_keys": False}
    made.filters.update(static=_static, query=_query, as_typed=lambda text: Markup(escape(clean(text))), against_text=_against)
    return made


def _shown(value: object) -> object:
    """A text without control characters, of which some show what follows backwards; HTML stays as it is."""
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _static(name: str) -> str:
    """The address of a file, which changes with its content, so that browsers keep it."""
    return f"/static/{name}?{hashlib.sha256(STATIC[name][0].read_bytes()).hexdigest()[:12]}"


def _against(text: str, other: str | None) -> list[tuple[str, bool]]:
    """A text in pieces, each with whether the other text lacks it; in one piece where there is no other text."""
    words = [re.findall(r"\S+\s*|\s+", one) for one in (text, other or "")]
    said = [[word.strip().lower() for word in one] for one in words]
    places = SequenceMatcher(None, said[0], said[1], autojunk=False).get_opcodes() if other else [("equal", 0, len(words[0]), 0, 0)]
    return [("".join(words[0][first:last]), kind != "equal") for kind, first, last, *_ in places if last > first]


def _query(values: Mapping[str, str | None]) -> str:
    return urlencode({name: value for name, value in values.items() if value is not None})
