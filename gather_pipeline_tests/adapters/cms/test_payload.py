"""Payload CMS over real HTTP: all pages, odd values, refusals told at once, faults asked again."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

import pytest

from gather_pipeline.adapters.cms import payload
from gather_pipeline.adapters.cms.payload import PayloadClient
from gather_pipeline.domain.departments import in_order
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import CmsUnavailable, InvalidInput
from gather_pipeline_tests.cms_server import KEY, Answer, CmsServer, Fault, department, hang_up, lexical, said
from gather_pipeline_tests.server_process import free_port

HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
def cms() -> Iterator[CmsServer]:
    with CmsServer(department("story", 1), department("music", 2)) as server:
        yield server


def client(url: str, key: str = KEY, waits: list[float] | None = None) -> PayloadClient:
    return PayloadClient(url, key, Secrets([KEY, "123456"]), sleep=(waits if waits is not None else []).append)


def test_one_request_gives_the_filtered_list_in_order_with_every_field(cms: CmsServer) -> None:
    cms.rows += [department("off", 3, id=7, isActive=False), department("hand", 4, id=8, gatherCheck=False)]
    story, music = client(cms.url).departments()
    assert (story.slug, story.id, story.name, story.codeDepNumber) == ("story", "1", "Story", 1)
    assert (music.description, music.aspects) == ("What music is about.", ("dread", "hope"))
    assert (music.threshold, music.coordinationSettings.maxIterations) == (80, 1)
    (path,) = cms.paths
    asked = parse_qs(urlsplit(path).query)
    assert (asked["where[gatherCheck][equals]"], asked["where[isActive][equals]"], asked["sort"]) == (["true"], ["true"], ["codeDepNumber"])


def test_all_pages_of_a_server_that_gives_ten_at_once_are_read() -> None:
    rows = [department(f"dep-{place}", place) for place in range(25)]
    with CmsServer(*rows, most=10) as cms:
        assert [one.slug for one in client(cms.url).departments()] == [row["slug"] for row in rows]
        assert len(cms.paths) == 3


def test_rows_that_change_places_between_pages_are_not_taken_for_the_whole_list() -> None:
    with CmsServer(*(department(f"dep-{place}", 5) for place in range(25)), most=10) as cms:
        with pytest.raises(CmsUnavailable, match="gave 20 of 25 departments: its list changed as it was read"):
            client(cms.url).departments()
        cms.most = 1000
        assert len(client(cms.url).departments()) == 25


def test_a_list_that_changes_as_it_is_read_is_read_again() -> None:
    with CmsServer(*(department(f"dep-{place}", place) for place in range(5)), most=3) as cms:

        def drop_one(handler: BaseHTTPRequestHandler) -> None:
            answer = cms.answer(handler.path, handler.headers["Authorization"])
            del cms.rows[0]
            handler.send_response(answer.status)
            handler.send_header("Content-Length", str(len(answer.content)))
            handler.end_headers()
            handler.wfile.write(answer.content)

        cms.faults.append(drop_one)
        assert [one.slug for one in client(cms.url).departments()] == ["dep-1", "dep-2", "dep-3", "dep-4"]


def test_a_server_that_gives_the_first_page_again_and_again_is_left(cms: CmsServer) -> None:
    again = {"docs": cms.rows, "hasNextPage": True, "totalDocs": 4}
    cms.faults += [said(again)] * 4
    with pytest.raises(CmsUnavailable, match="gave 2 of 4 departments"):
        client(cms.url).departments()


def test_odd_values_are_read_as_the_cms_means_them() -> None:
    rows = [
        department("no-number", None),
        department("draft", 1, _status="draft", name=None),
        department("german", 2, name={"de": "Geschichte"}, description={"en": lexical("One.", "Two."), "de": lexical("Eins.")}),
        department("related", 3, defaultModel={"id": 4, "modelId": "vendor/model", "createdAt": "2026-01-01"}),
        department("polymorph", 4, defaultModel={"relationTo": "models", "value": {"id": 4, "name": "vendor/other"}}),
        department("key", 123456, name={"en": f"Key {KEY}"}),
        department("listed", 5, coordinationSettings={"aspects": [{"id": 1, "title": "light", "updatedAt": "2026-01-01"}]}),
    ]
    with CmsServer(*rows) as cms:
        found = {one.slug: one for one in client(cms.url).departments()}
    assert [one.slug for one in in_order(list(found.values()))] == ["german", "related", "polymorph", "listed", "key", "no-number"]
    assert (found["german"].name, found["german"].description) == ("Geschichte", "One.\nTwo.")
    assert (found["related"].defaultModel, found["polymorph"].defaultModel) == ("vendor/model", "vendor/other")
    assert found["listed"].aspects == ("light",)
    assert (found["key"].name, found["key"].codeDepNumber) == ("Key ***", 123456)


def test_rows_without_ids_and_a_total_that_is_no_number_do_not_matter(cms: CmsServer) -> None:
    rows = [{name: value for name, value in row.items() if name != "id"} for row in cms.rows]
    cms.faults.append(said({"docs": rows, "totalDocs": {}}))
    assert [one.slug for one in client(cms.url).departments()] == ["story", "music"]


def test_a_wrong_row_is_named() -> None:
    with (
        CmsServer(department("story", 1), department("a slug", 2)) as cms,
        pytest.raises(InvalidInput, match=r"row 2 \(id 2\), field slug is 'a slug'"),
    ):
        client(cms.url).departments()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (403, r"refuses PAYLOAD_API_KEY \(HTTP 403: Something went wrong\.\), expected the API key of a user"),
        (401, "refuses PAYLOAD_API_KEY"),
        (
            said({"message": "Route not found"}, 404),
            "answers /api/departments with HTTP 404: Route not found, expected",
        ),
        (said({"errors": [{"message": "The following path cannot be queried: isActive"}]}, 400), "HTTP 400: The following path cannot"),
        (Answer(b"<html>Please log in", 200, HTML), "answers /api/departments with no JSON"),
        (said([1, 2]), "with something else, expected the list"),
        (said({"docs": [], "errors": [{"message": "half of it"}]}), "with HTTP 200: half of it"),
        (
            Answer(b"", 302, {"Location": "https://login.example/in?token=1"}),
            r"HTTP 302, a redirect to https://login\.example/in,",
        ),
        (Answer(b"[" * 100_000), "cannot be read: it is nested more than"),
        (Answer(gzip.compress(b" " * 6_000_000), 200, {"Content-Encoding": "gzip"}), "more than 5000000 bytes"),
        (said({"message": f"You sent {KEY}"}, 400), r"HTTP 400: You sent \*\*\*"),
    ],
    ids=["403", "401", "404", "400", "html", "list", "errors", "redirect", "deep", "large", "key"],
)
def test_a_refusal_is_told_once_and_at_once(cms: CmsServer, fault: Fault, told: str) -> None:
    cms.faults.append(fault)
    with pytest.raises(InvalidInput, match=told):
        client(cms.url).departments()
    assert len(cms.paths) == 1


def test_a_wrong_key_and_none_are_told_apart(cms: CmsServer) -> None:
    with pytest.raises(InvalidInput, match="expected the API key of a user who may read departments"):
        client(cms.url, "wrong").departments()
    with pytest.raises(InvalidInput, match="expected an API key, for the CMS does not let everybody read"):
        client(cms.url, "").departments()
    with pytest.raises(InvalidInput, match="PAYLOAD_API_KEY holds a blank"):
        client(cms.url, "a key")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (500, "does not answer: HTTP 500: Something went wrong"),
        (429, "HTTP 429"),
        (Answer(b"<html>Bad gateway", 502, HTML), "HTTP 502"),
        (Answer(b'{"docs": [{"id": 1'), "its list is no JSON"),
        (hang_up, "no connection"),
    ],
    ids=["500", "429", "502", "half", "cut"],
)
def test_a_fault_is_asked_again_twice_and_then_told(cms: CmsServer, fault: Fault, told: str) -> None:
    waits: list[float] = []
    cms.faults += [fault, fault]
    assert len(client(cms.url, waits=waits).departments()) == 2
    assert len(waits) == 2
    cms.faults += [fault] * 3
    with pytest.raises(CmsUnavailable, match=told):
        client(cms.url).departments()
    assert len(cms.paths) == 6


def test_a_server_that_asks_for_a_short_wait_gets_it_and_a_long_one_is_not_waited_for(cms: CmsServer) -> None:
    waits: list[float] = []
    cms.faults.append(said({}, 429, **{"Retry-After": "7"}))
    assert client(cms.url, waits=waits).departments()
    assert waits == [7.0]
    cms.faults.append(said({}, 503, **{"Retry-After": "600"}))
    with pytest.raises(CmsUnavailable, match="HTTP 503"):
        client(cms.url, waits=waits).departments()
    assert waits == [7.0]


def test_nobody_there_and_no_answer_in_time_are_told(cms: CmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CmsUnavailable, match="no connection"):
        client(f"http://127.0.0.1:{free_port()}").departments()
    monkeypatch.setattr(payload, "TIMEOUT_S", 0.05)
    cms.faults += [lambda _: cms.closing.wait(5) and None] * 3
    with pytest.raises(CmsUnavailable, match=r"no answer within 0\.05 s"):
        client(cms.url).departments()


def test_a_list_that_trickles_is_not_waited_for_longer_than_the_deadline(cms: CmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not cms.closing.wait(0.01):
            handler.wfile.write(b" ")

    monkeypatch.setattr(payload, "DEADLINE_S", 0.1)
    cms.faults.append(trickle)
    with pytest.raises(CmsUnavailable, match=r"no answer within 0\.1 s"):
        client(cms.url).departments()
    assert len(cms.paths) == 1


def test_a_redirect_within_the_host_is_followed_with_the_key(cms: CmsServer) -> None:
    cms.faults.append(Answer(b"", 308, {"Location": "/api/departments?limit=1000&page=1"}))
    assert len(client(cms.url).departments()) == 2
