"""A Brain service beside the store: told of every item once, left out where it is away, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.nodes import Node
from gather_pipeline.errors import BrainRefused
from gather_pipeline.operations.checks import brain as look_at_brain
from gather_pipeline.operations.doctor import Site
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.records.lease import Owner
from gather_pipeline.upkeep import remember, rounds
from gather_pipeline.upkeep.remember import Indexer, Told, resume
from gather_pipeline_tests.brain_server import KEY, BrainServer
from gather_pipeline_tests.cli.commands import wait_until
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

STORY = (department_row("story", 1, most=2),)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(remember, "POLL_S", 0.01)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BrainServer]:
    server = BrainServer(tmp_path / "brain")
    server.start()
    yield server
    if server._thread.is_alive():
        server.stop()


def open_studio(folder: Path, server: BrainServer, **overrides: Any) -> Studio:
    return Studio.open(folder, overrides.pop("departments", STORY), brain_url=server.url, brain_api_key=KEY, **overrides)


@pytest.fixture
def studio(tmp_path: Path, server: BrainServer) -> Iterator[Studio]:
    studio = open_studio(tmp_path / "home", server)
    yield studio
    studio.close()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING" and "Brain" in record.getMessage()]


def indexed(studio: Studio) -> Indexer:
    """What a process indexes that comes now."""
    service = studio.services.brain_service
    assert service is not None
    indexer = Indexer(studio.services, PROJECT, service, Told())
    indexer.end(20)
    return indexer


def test_a_run_tells_the_service_of_each_of_its_items_once(studio: Studio, server: BrainServer, caplog: pytest.LogCaptureFixture) -> None:
    studio.run()
    assert server.known(PROJECT) == studio.state()
    assert sorted(server.indexed) == sorted((id, 1, False) for id in studio.state())
    studio.run("again")
    assert len(server.indexed) == len(studio.state()) and indexed(studio).taken == 0
    assert told(caplog) == [] and set(server.keys) == {f"Bearer {KEY}"}
    assert all(0 < one.seconds["brain"] <= sum(one.seconds.values()) / 2 for one in studio.view.iterations)


def test_a_service_that_is_down_costs_a_run_one_line_and_the_next_process_makes_up_for_it(
    studio: Studio, server: BrainServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.stop()
    assert studio.run().status == "completed"
    (line,) = told(caplog)
    assert f"The Brain at 127.0.0.1:{server.port} does not answer: no connection" in line and "the local index stands in" in line
    assert KEY not in caplog.text
    while any(thread.name == "indexing in the Brain" for thread in threading.enumerate()):
        time.sleep(0.01)  # the run did not wait for its last attempt
    server.start()
    assert resume(studio.services, time.monotonic() + 20) == [f"project {PROJECT}: {len(studio.state())} items indexed"]
    assert server.known(PROJECT) == studio.state()
    assert sorted(server.indexed) == sorted((id, 1, False) for id in studio.state())
    assert resume(studio.services, time.monotonic() + 20) == []


def test_a_service_that_dies_in_the_middle_and_comes_back_has_everything_once(
    tmp_path: Path, studio: Studio, server: BrainServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remember, "AWAY_S", 0.05)
    studio.model.at = {3: server.stop}

    def come_back(event: Event) -> None:
        if event.type == "iteration_complete" and not server._thread.is_alive():  # the first, whose duplicates and score it was missed for
            server.start()

    assert studio.run(progress=come_back).status == "completed"
    studio.run("next")
    assert len(told(caplog)) == 1
    assert server.known(PROJECT) == studio.state()
    assert len(server.indexed) == len(set(server.indexed)) == len(studio.state())


@pytest.mark.parametrize("nonsense", [b"<html>down for maintenance</html>", 500, 401, {"answer": "none"}])
def test_a_service_that_answers_nonsense_is_left_out(
    studio: Studio, server: BrainServer, nonsense: Any, caplog: pytest.LogCaptureFixture
) -> None:
    server.always = nonsense
    assert studio.run().status == "completed"
    assert len(told(caplog)) == 1 and KEY not in caplog.text
    assert all(one.quality.scorer == "text-statistics" for one in studio.view.iterations)


def test_edits_and_deletions_follow(studio: Studio, server: BrainServer) -> None:
    studio.run()
    (first, second), editor = studio.view.items[:2], People(studio.services)
    editor.edit(first.id, Texts(content="Ada counts eleven bells."), "Ada")
    editor.delete(second.id, "Ada")
    assert resume(studio.services, time.monotonic() + 20) == [f"project {PROJECT}: 2 items indexed"]
    assert server.known(PROJECT) == studio.state() and server.known(PROJECT)[first.id] == "Ada counts eleven bells."
    assert sorted(server.indexed[-2:]) == sorted([(first.id, 2, False), (second.id, 2, True)])


def test_what_was_sent_by_a_process_that_was_killed_is_sent_again_and_known_once(studio: Studio, server: BrainServer) -> None:
    studio.run()
    service, indexing = studio.services.brain_service, studio.services.indexing
    assert service is not None
    cursor = indexing.claim(PROJECT, service, Owner.this_process("killed"))
    assert cursor is not None
    indexing.move(cursor, items="", iterations="", owner=None, expires=0.0)
    again = indexed(studio)
    assert again.left == 0 and len(server.indexed) == 2 * len(studio.state())
    assert server.known(PROJECT) == studio.state()


def test_one_process_at_a_time_tells_of_a_project(studio: Studio, server: BrainServer) -> None:
    studio.run()
    service, indexing = studio.services.brain_service, studio.services.indexing
    assert service is not None
    before = len(server.indexed)
    cursor = indexing.claim(PROJECT, service, Owner.this_process("other"))
    assert cursor is not None
    indexing.move(cursor, items="", iterations="")
    assert indexed(studio).taken == 0 and len(server.indexed) == before


def test_an_item_that_is_refused_keeps_back_no_other(
    studio: Studio, server: BrainServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, service = studio.services.brain_service, studio.services.brain_service
    assert real is not None and service is not None
    index, odd = real.index, []

    def refusing(project_id: str, nodes: list[Node]) -> None:
        odd.extend(nodes[:1] if not odd else [])
        if odd[0] in nodes:
            raise BrainRefused(f"the Brain at {real.host} refuses /nodes/batch (HTTP 422)")
        index(project_id, nodes)

    monkeypatch.setattr(service, "index", refusing)
    studio.run()
    assert server.known(PROJECT) == {id: text for id, text in studio.state().items() if id != odd[0].id}
    (line,) = told(caplog)
    assert f"1 item refused, such as {odd[0].id}: the Brain at" in line
    assert "it refused 1 item" in look_at_brain(Site(studio.services.settings, _Probes(studio))).text  # type: ignore[arg-type]


def test_an_item_that_was_refused_and_is_taken_once_it_was_edited_counts_as_taken(
    studio: Studio, server: BrainServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, desk = studio.services.brain_service, People(studio.services)
    assert service is not None
    id, index = desk.add(PROJECT, "story", Texts(content="Too odd."), "ana").id, service.index

    def refusing(project_id: str, nodes: list[Node]) -> None:
        if any(node.content == "Too odd." for node in nodes):
            raise BrainRefused("the Brain refuses it")
        index(project_id, nodes)

    monkeypatch.setattr(service, "index", refusing)
    indexer = Indexer(studio.services, PROJECT, service, Told())
    wait_until(lambda: studio.services.indexing.cursor(PROJECT, service).refused)
    desk.edit(id, Texts(content="Ada counts eleven bells."), "ana")
    indexer.wake()
    assert indexer.end(20) == "" and indexer.taken == 1
    assert studio.services.indexing.cursor(PROJECT, service).refused == {}


class _Probes:
    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def services(self) -> Any:
        return self._studio.services


def test_what_the_service_holds_to_be_the_same_is_dropped_but_not_what_was_deleted_here(studio: Studio, server: BrainServer) -> None:
    studio.run(max_iterations=1)
    known, gone = studio.view.items[:2]
    People(studio.services).delete(gone.id, "Ada")
    service = studio.services.brain_service
    assert service is not None
    found = [replace(_found(one.id, one.content), similarity=0.97) for one in (gone, known)]
    studio.services = replace(studio.services, brain_service=_Answering(service, [found[0]]))  # type: ignore[arg-type]
    studio.run("second", max_iterations=1)
    assert _by_brain(studio) == []
    studio.services = replace(studio.services, brain_service=_Answering(service, [found[1], _found("elsewhere", "Ada, far from here.")]))  # type: ignore[arg-type]
    studio.run("third", max_iterations=1)
    decisions = _by_brain(studio)
    assert {one.match_id for one in decisions} == {known.id} or {one.match_id for one in decisions} == {"elsewhere"}
    assert decisions and all(one.reason == "the Brain is 97% sure that both say the same" for one in decisions)


def test_the_service_s_coverage_has_its_part_in_the_score(studio: Studio, server: BrainServer) -> None:
    studio.run(max_iterations=1)
    (iteration,) = studio.view.iterations
    quality = iteration.quality
    assert quality.scorer == "text-statistics+brain" and quality.unjudged is not None and not quality.judged
    assert quality.parts["coverage"].reasons[0].startswith("The Brain sees ")


def test_what_only_the_service_knows_is_context_and_makes_no_department_stale(studio: Studio, server: BrainServer) -> None:
    from gather_pipeline import bootstrap

    local, nodes = bootstrap.served_brain(server._services)
    nodes.put(PROJECT, [Node(id="elsewhere", department="lore", content="The tower of Lindau has a story of its own.", summary="Tower")])
    studio.run()
    calls = studio.model.calls
    asked = " ".join(message.content for request in studio.model.requests for message in request.messages)
    assert "[lore] The tower of Lindau has a story of its own." in asked
    studio.run("again")
    assert studio.model.calls == calls and studio.view.iterations[-1].task_id != "again"


def _found(id: str, content: str) -> Any:
    from gather_pipeline.ports import Remembered

    return Remembered(id=id, department="story", content=content, summary="", similarity=0.97)


def _by_brain(studio: Studio) -> list[Decision]:
    return [one.decision for one in studio.view.dropped if one.decision.rule == "brain"]


class _Answering:
    """A service that holds everything to be the same as these items."""

    def __init__(self, service: Any, found: list[Any]) -> None:
        self._service, self._found = service, found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)

    def duplicates(self, project_id: str, content: str, *, threshold: float = 0.90) -> list[Any]:
        return self._found
