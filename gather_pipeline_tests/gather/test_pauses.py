"""A paused run (a lid closed, a machine stopped) whose lease was taken over: it wakes, and the store refuses what it would still write."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.errors import ProjectBusy
from gather_pipeline.records.lease import LEASES, Owner
from gather_pipeline.records.project import DECISIONS, EMBEDDINGS, EVENTS, ITEMS, ITERATIONS, SCORES
from gather_pipeline_tests.gather.test_crash import Place, on_a_server, survey  # noqa: F401
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.kill_points import KillingStore, KillPoint, ended, paused_at

POINTS = {
    "it has the lease and has noted nothing": KillPoint("before", "runs"),
    "it has opened an iteration": KillPoint("after", "iterations"),
    "it is about to open one": KillPoint("before", "iterations"),
    "it has stored notes": KillPoint("after", "gather"),
    "it is about to commit": KillPoint("before", "iterations", 2),
    "it is about to commit the second iteration": KillPoint("before", "iterations", 4),
    "it is about to tell an event": KillPoint("before", "events", 3),
    "it is about to store a score": KillPoint("before", "quality_scores"),
    "it is about to note its end": KillPoint("before", "runs", 2),
}
STOPPED = ("it has opened an iteration", "it is about to commit")
TWO = (department_row("story", 1, most=2), department_row("visual", 2, most=1))
LEAST_WRITES, STEP = 40, 6  # of a run of `TWO`, and in how many tests they are looked at


def stored(studio: Studio) -> dict[str, Any]:
    """What of a project a run may not touch any more once a successor is at work."""
    found = {name: studio.documents(name) for name in (ITEMS, EMBEDDINGS, DECISIONS, ITERATIONS, SCORES, EVENTS)}
    return found | {"run": studio.services.runs.get("successor")}


def check_the_end(studio: Studio, of_successor: dict[str, Any]) -> None:
    survey(studio)
    assert stored(studio) == of_successor
    committed = {id for one in studio.view.iterations for id in one.item_ids}
    assert {one["_id"] for one in of_successor[ITEMS]} == {one["item_id"] for one in of_successor[EMBEDDINGS]} == committed
    assert len(of_successor[DECISIONS]) == sum(one.generated for one in studio.view.iterations)
    assert of_successor["run"].status == "completed"


def pause_in_process(home: Path, point: KillPoint, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Lets a successor run at the point; whether it was reached."""
    sleeping, awake = Studio.open(home, TWO, lease_s=3600), Studio.open(home, TWO)
    of_successor: dict[str, Any] = {}

    def pause() -> None:
        monkeypatch.undo()
        awake.services.store.update(awake.services.settings.mongodb_db, LEASES, PROJECT, {"expires": 0.0})
        assert awake.run("successor").status == "completed"
        of_successor.update(stored(awake))

    this_machine = Owner.this_process
    monkeypatch.setattr(Owner, "this_process", lambda task_id: replace(this_machine(task_id), host="a-laptop"))
    sleeping.services = replace(sleeping.services, store=KillingStore(sleeping.services.store, point, pause))
    try:
        sleeping.run("sleeping")
    except ProjectBusy as error:
        assert "another run took over the project" in str(error)
        assert of_successor
    if of_successor:
        check_the_end(awake, of_successor)
    for studio in (sleeping, awake):
        studio.close()
    return bool(of_successor)


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_what_a_run_writes_after_its_lease_was_taken_over_is_refused(
    point: KillPoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pause_in_process(tmp_path, point, monkeypatch)


def stop_and_wake(place: Place, point: KillPoint, host: str = "a-laptop") -> None:
    studio = place.open()
    process = paused_at(point, place.home, "sleeping", place.settings | {"lease_s": 1.0}, host)
    holder = studio.services.leases.holder(PROJECT)
    assert holder is not None
    time.sleep(max(0.0, holder.expires - time.time()) + 0.1)
    assert studio.run("successor").status == "completed"
    of_successor = stored(studio)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGCONT)
    assert ended(process) == ProjectBusy.exit_code
    check_the_end(studio, of_successor)
    assert studio.services.leases.holder(PROJECT) is None
    studio.close()


@pytest.mark.parametrize("host", ["a-laptop", socket.gethostname()], ids=["elsewhere", "here"])
def test_a_process_that_was_stopped_wakes_and_ends(host: str, tmp_path: Path) -> None:
    stop_and_wake(Place(tmp_path), POINTS["it is about to commit"], host)


@pytest.mark.parametrize("name", STOPPED)
def test_the_same_holds_on_mongodb(name: str, on_a_server: Place) -> None:  # noqa: F811
    stop_and_wake(on_a_server, POINTS[name])


@pytest.mark.storm
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("first", range(2, 2 + STEP))
def test_a_pause_at_any_write_is_harmless(when: Any, first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second write on, for the first one takes the lease, to the last one that a run makes."""
    nth = first
    while pause_in_process(tmp_path / str(nth), KillPoint(when, "", nth), monkeypatch):
        nth += STEP
    assert nth > LEAST_WRITES
