"""After a kill the metrics and the events say what the store does: nothing is missing for good, nothing is there twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from gather_pipeline.records.runs import ABANDONED
from gather_pipeline_tests.comparing import check_events, check_metrics, rows
from gather_pipeline_tests.harness import Studio
from gather_pipeline_tests.kill_points import KillPoint, run_until

POINTS = {
    "noted and nothing made": (KillPoint("after", "runs"), {"automation_failed"}),
    "committed and not told": (KillPoint("after", "iterations", 2), {"iteration_complete", "automation_failed"}),
    "committed at its department's end and not told": (
        KillPoint("after", "iterations", 4),
        {"iteration_complete", "max_iterations_reached", "department_complete", "automation_failed"},
    ),
    "evaluated and not told": (KillPoint("after", "quality_scores"), {"evaluation_triggered", "automation_failed"}),
    "ended and not told": (KillPoint("after", "runs", 2), {"automation_complete"}),
}


@pytest.mark.parametrize(("point", "lost"), POINTS.values(), ids=POINTS.keys())
def test_a_kill_takes_nothing_from_the_metrics_and_the_events(point: KillPoint, lost: set[str], tmp_path: Path) -> None:
    assert run_until(point, tmp_path, "task-killed", {}) == -signal.SIGKILL
    studio = Studio.open(tmp_path)
    check_metrics(studio)
    before = studio.records.events()
    assert studio.run("task-last").status == "completed"
    check_metrics(studio)
    check_events(studio)
    after = studio.records.events()
    assert after[: len(before)] == before
    owed = [event for event in after[len(before) :] if event.task_id == "task-killed"]
    assert after[len(before) : len(before) + len(owed)] == owed
    assert {event.type for event in owed} == lost
    assert [event.at for event in owed] == sorted(event.at for event in owed)
    studio.close()


def test_a_departments_end_is_told_of_a_killed_run_as_of_one_that_was_let_through(tmp_path: Path) -> None:
    assert run_until(KillPoint("after", "iterations", 4), tmp_path / "killed", "task-1", {}) == -signal.SIGKILL
    ends = []
    for home, task in ((tmp_path / "killed", "task-2"), (tmp_path / "whole", "task-1")):
        studio = Studio.open(home)
        studio.run(task)
        types = ("max_iterations_reached", "department_complete")
        told = [(event.type, event.fields) for event in studio.records.events() if event.type in types and event.task_id == "task-1"]
        ends.append([(kind, fields) for kind, fields in told if fields["department"] == "story"])
        studio.close()
    assert ends[0] == ends[1] != []


def test_a_killed_run_has_failed_in_the_success_rate_once_somebody_noticed(tmp_path: Path) -> None:
    run_until(KillPoint("after", "iterations", 4), tmp_path, "task-killed", {})
    studio = Studio.open(tmp_path)
    rate = "SELECT runs, running, completed, failed, success_rate FROM success_rate"
    assert set(rows(studio, rate)) == {(1, 1, 0, 0, None)}
    studio.run("task-last")
    assert set(rows(studio, rate)) == {(2, 0, 1, 1, 0.5)}
    ((reason, iterations, items),) = rows(studio, "SELECT reason, iterations, items_created FROM run WHERE status = 'failed'")
    assert (reason, iterations) == (ABANDONED, 2)
    assert items == sum(len(one.item_ids) for one in studio.view.iterations if one.task_id == "task-killed") > 0
    studio.close()


def test_events_that_were_told_are_not_told_again(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path)
    studio.run("task-1")
    first = studio.records.events()
    studio.run("task-2")
    assert studio.records.events()[: len(first)] == first
    check_events(studio)
    studio.close()
