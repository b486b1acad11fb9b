"""Where an API is found, and how its bodies come: what is plainly meant is found, and nothing is taken to another host."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from gather_pipeline.errors import ModelRefused
from gather_pipeline_tests.adapters.models.openai_asking import NoWait, ask, ask_all, make_request
from gather_pipeline_tests.fault_server import Exchange, Reply, completion

BODY = json.dumps(completion("A note.")).encode()
NOTHING: tuple[tuple[int, bytes], ...] = ((404, b"404 page not found"), (405, b'{"detail": "Method Not Allowed"}'))


def under(path: str, elsewhere: Callable[[Exchange], None]) -> Reply:
    """Answers at one path alone."""
    return lambda exchange: exchange.send(200, BODY) if exchange.handler.path == path else elsewhere(exchange)


def says(status: int, content: bytes = b"", **headers: str) -> Reply:
    return lambda exchange: exchange.send(status, content, headers)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(
    ("status", "content"),
    [*NOTHING, (200, b'{"error": "Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway"}')],
)
def test_an_address_without_a_path_means_the_api_under_v1(
    serve: Any,
    clock: NoWait,
    status: int,
    content: bytes,
    slash: str,
) -> None:
    server = serve(then=under("/v1/chat/completions", says(status, content)))
    first, second = ask_all(f"{server.url}{slash}", clock, [make_request(), make_request()])
    assert (first.text, second.text) == ("A note.", "A note.")
    assert server.paths == ["/chat/completions", "/v1/chat/completions", "/v1/chat/completions"]


def test_an_api_that_is_nowhere_is_refused_with_what_was_said_first_and_where(serve: Any, clock: NoWait) -> None:
    server = serve(says(404, b'{"error": "model a/model is not there"}'), then=says(404, b"nothing"))
    with pytest.raises(ModelRefused) as refused:
        ask(server.url, clock)
    assert str(refused.value) == f"custom refused 'a/model' (HTTP 404 at {server.url}/chat/completions): model a/model is not there"
    with pytest.raises(ModelRefused, match="HTTP 404 at http://.*/v1/chat/completions"):
        ask(serve(then=says(404)), clock)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_host_is_followed_with_the_same_post(serve: Any, clock: NoWait, status: int) -> None:
    server = serve(then=under("/v2/chat/completions", says(status, Location="/v2/chat/completions?x=1")))
    assert ask(server, clock).text == "A note."
    assert server.paths == ["/v1/chat/completions", "/v2/chat/completions"]
    assert server.requests[0] == server.requests[1]


@pytest.mark.parametrize(
    "place", ["http://other.example.org/v1/chat/completions?token=x", "//127.0.0.2/v1/chat/completions", "/login", "http://["]
)
def test_a_redirect_elsewhere_is_refused_with_where_it_points(serve: Any, clock: NoWait, place: str) -> None:
    server = serve(then=says(307, Location=place))
    with pytest.raises(ModelRefused) as refused:
        ask(server, clock)
    assert f"a redirect to {place.partition('?')[0]}, expected that address in its base URL" in str(refused.value)
    assert len(server.paths) == 1


def test_a_redirect_that_never_ends_is_followed_once(serve: Any, clock: NoWait) -> None:
    server = serve(then=says(307, Location="/v2/chat/completions"))
    with pytest.raises(ModelRefused, match="HTTP 307 at .*/v2/chat/completions"):
        ask(server, clock)
    assert len(server.paths) == 2


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(BODY, "gzip"), (BODY, "br"), (BODY, "utf-8"), (gzip.compress(BODY), "gzip"), (gzip.compress(BODY), ""), (gzip.compress(BODY), "x")],
    ids=["plain as gzip", "plain as br", "plain as utf-8", "packed", "packed without a label", "packed as x"],
)
def test_a_body_is_unpacked_by_what_it_is_whatever_its_header_says(
    serve: Any,
    clock: NoWait,
    content: bytes,
    encoding: str,
) -> None:
    server = serve(then=says(200, content, **({"Content-Encoding": encoding} if encoding else {})))
    assert ask(server, clock).text == "A note."


def test_a_refusal_in_another_charset_is_read(serve: Any, clock: NoWait) -> None:
    words = '{"error": {"message": "Der Schlüssel passt nicht"}}'.encode("latin-1")
    with pytest.raises(ModelRefused, match="Der Schlüssel passt nicht"):
        ask(serve(then=says(400, words)), clock)
