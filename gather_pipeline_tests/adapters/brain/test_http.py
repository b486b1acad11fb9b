"""The client of a Brain service: services that say the same otherwise, and services that are of no use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.brain import http
from gather_pipeline.adapters.brain.http import HttpBrain
from gather_pipeline.domain.departments import parse_departments
from gather_pipeline.domain.nodes import Coverage, Node
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import BrainRefused, BrainUnavailable, InvalidInput
from gather_pipeline_tests.brain_server import KEY, BrainServer
from gather_pipeline_tests.harness import department_row

(STORY,) = parse_departments([department_row("story", 1)], "test")
ITEM = {"id": "1", "content": "Night.", "summary": "N", "department": "story", "similarity": 0.95}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BrainServer]:
    with BrainServer(tmp_path) as server:
        yield server


@pytest.fixture
def brain(server: BrainServer) -> Iterator[HttpBrain]:
    brain = HttpBrain(server.url, KEY, Secrets([KEY]), sleep=lambda seconds: None)
    yield brain
    brain.close()


@pytest.mark.parametrize(
    "answer",
    [
        {"duplicates": [ITEM]},
        [ITEM],
        {"results": [{"node": {"id": "1", "text": "Night.", "summary": "N", "department": {"slug": "story"}}, "score": 0.95}]},
        {"matches": [{"node_id": 1, "score": "0.95", "properties": {"content": "Night.", "summary": "N", "department": "story"}}]},
        {"nodes": {"story": [{"_id": "1", "content": "Night.", "summary": "N", "similarity_score": 0.95}]}},
        {"data": [ITEM, {**ITEM, "id": "2", "similarity": 0.2}]},
        {"success": True, "data": {"items": [ITEM], "total": 1}},
        {"result": {"duplicates": [ITEM]}},
        {"Duplicates": [{"nodeId": 1, "Content": "Night.", "Summary": "N", "departmentSlug": "story", "SimilarityScore": "0.95"}]},
        {"context": {"story": {"results": [{**ITEM, "department": None}]}}},
        {"result": [{"id": 1, "score": 0.95, "payload": {"text": "Night.", "summary": "N", "department": "story"}}], "status": "ok"},
        {"documents": [{"id": "1", "page_content": "Night.", "metadata": {"summary": "N", "department": "story", "score": 0.95}}]},
    ],
)
def test_items_are_read_by_whatever_names_a_service_gives_them(brain: HttpBrain, server: BrainServer, answer: Any) -> None:
    server.faults.append(answer)
    (found,) = brain.duplicates("salt", "Night!")
    assert (found.id, found.content, found.summary, found.department, found.similarity) == ("1", "Night.", "N", "story", 0.95)


@pytest.mark.parametrize(
    ("answer", "score", "least"),
    [
        ({"coverage_score": 62.5, "least_covered": ["tower"]}, 62.5, ("tower",)),
        ({"coverage_score": 0.5}, 0.5, ()),
        ({"coverage": 0.625, "gaps": ["tower", 7]}, 62.5, ("tower",)),
        ({"score": 62}, 62, ()),
        ({"data": {"coverageScore": "62.5", "leastCovered": ["tower"]}}, 62.5, ("tower",)),
        ({"coverage": "62.5%"}, 62.5, ()),
    ],
)
def test_a_coverage_is_read_on_its_scale(brain: HttpBrain, server: BrainServer, answer: Any, score: float, least: tuple[str, ...]) -> None:
    server.faults.append(answer)
    assert brain.coverage("salt", STORY, []) == Coverage(score=score, least_covered=least)


@pytest.mark.parametrize(
    "nonsense",
    [b"<html>", b"", b"[1, 2", {"answer": "none"}, {"duplicates": "none"}, [1], [{**ITEM, "content": None}], [{**ITEM, "similarity": 95}]],
)
def test_an_answer_that_is_none_is_asked_for_again_and_then_counts_as_no_answer(
    brain: HttpBrain, server: BrainServer, nonsense: Any
) -> None:
    server.faults += [nonsense] * 3
    with pytest.raises(BrainUnavailable, match="the Brain at 127.0.0.1:.* answers /search/duplicates with something else"):
        brain.duplicates("salt", "Night!")
    assert len(server.asked) == http.ATTEMPTS


@pytest.mark.parametrize("score", [True, "much", -1, 101, None, float("nan")])
def test_a_coverage_off_the_scale_is_none(brain: HttpBrain, server: BrainServer, score: Any) -> None:
    server.faults += [b'{"coverage_score": NaN}' if score != score else {"coverage_score": score}] * 3
    with pytest.raises(BrainUnavailable, match="expected coverage_score from 0 to 100"):
        brain.coverage("salt", STORY, [])


@pytest.mark.parametrize("nothing", [204, [], {"duplicates": None}, {"results": []}])
def test_a_service_that_finds_nothing_says_so_in_its_own_way(brain: HttpBrain, server: BrainServer, nothing: Any) -> None:
    server.faults.append(nothing)
    assert brain.duplicates("salt", "Night!") == [] and len(server.asked) == 1


def test_what_passes_is_tried_again(brain: HttpBrain, server: BrainServer) -> None:
    server.faults += [503, b"<html>"]
    brain.index("salt", [Node(id="1", department="story", content="Night.", summary="N")])
    assert server.known("salt") == {"1": "Night."} and server.keys == [f"Bearer {KEY}"] * 3


@pytest.mark.parametrize(
    ("status", "kind", "asked", "told"),
    [
        (401, BrainUnavailable, 1, "refuses BRAIN_SERVICE_API_KEY"),
        (403, BrainUnavailable, 1, "refuses BRAIN_SERVICE_API_KEY"),
        (404, BrainUnavailable, 3, "answers /nodes/batch with HTTP 404"),
        (302, BrainUnavailable, 3, "answers /nodes/batch with HTTP 302"),
        (429, BrainUnavailable, 3, "HTTP 429"),
        (500, BrainUnavailable, 3, "HTTP 500"),
        (422, BrainRefused, 1, "refuses /nodes/batch"),
    ],
)
def test_a_refusal_is_told_without_the_key(
    brain: HttpBrain, server: BrainServer, status: int, kind: type[Exception], asked: int, told: str
) -> None:
    server.always = status
    with pytest.raises(kind, match=told) as caught:
        brain.index("salt", [Node(id="1", department="story", content="Night.", summary="N")])
    assert KEY not in str(caught.value) and KEY not in repr(brain) and len(server.asked) == asked


def test_nodes_go_in_batches_of_one_department(brain: HttpBrain, server: BrainServer) -> None:
    nodes = [Node(id=str(n), department=f"d{n % 2}", content=f"Text {n}.", summary="") for n in range(250)]
    brain.index("salt", nodes)
    batches = [(body["department"]["slug"], len(body["items"])) for _, _, body in server.asked]
    assert batches == [("d0", 100), ("d0", 25), ("d1", 100), ("d1", 25)]
    assert len(server.known("salt")) == 250


def test_it_is_checked_with_the_key_and_tells_its_version(brain: HttpBrain, server: BrainServer) -> None:
    state = brain.check()
    assert state.version == "1.0.0" and state.latency_s > 0
    with (
        closing(HttpBrain(server.url, "another", Secrets())) as other,
        pytest.raises(BrainUnavailable, match="refuses BRAIN_SERVICE_API_KEY"),
    ):
        other.check()
    with pytest.raises(InvalidInput, match="BRAIN_SERVICE_API_KEY holds a blank"):
        HttpBrain(server.url, "two words", Secrets())


def test_a_number_that_holds_the_digits_of_the_key_stays_a_number(server: BrainServer) -> None:
    with closing(HttpBrain(server.url, "950000", Secrets(["950000"]))) as brain:
        server.faults.append({"duplicates": [{**ITEM, "similarity": 0.9500001, "summary": "Key 950000"}]})
        (found,) = brain.duplicates("salt", "Night!")
    assert (found.similarity, found.summary) == (0.9500001, "Key ***")


def test_a_version_in_an_answer_nested_without_end_is_unknown(brain: HttpBrain, server: BrainServer) -> None:
    server.faults += [[], b"[" * 100_000]
    assert brain.check().version == ""


def test_a_service_that_is_down_does_not_answer(tmp_path: Path) -> None:
    server = BrainServer(tmp_path)
    with pytest.raises(BrainUnavailable, match=f"the Brain at 127.0.0.1:{server.port} does not answer: no connection"):
        HttpBrain(server.url, KEY, Secrets([KEY]), sleep=lambda seconds: None).duplicates("salt", "Night!")
