"""How a run is told to be going, while it goes on, after its end and where its process was killed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.records.lease import Owner
from gather_pipeline.upkeep.runs import GONE, RunStatus, project_run, run_status
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=2), department_row("visual", 2, most=1)])
    yield studio
    studio.close()


def begun(studio: Studio, task_id: str, owner: Owner | None = None) -> None:
    """Notes that a run began, under the lease of an owner."""
    studio.services.runs.start(task_id, AutomationRequest(project_id=PROJECT, user_id="ada"))
    if owner is not None:
        studio.services.leases.lease(PROJECT, owner, 30.0).take()


def test_a_run_that_has_ended_shows_its_own_counts(studio: Studio) -> None:
    result = studio.run("t1", user_id="ada")
    status = run_status(studio.services, "t1")
    assert (status.status, status.process, status.cancel_requested, status.reason) == ("completed", "ended", False, result.reason)
    assert (status.iterations, status.items_created, status.tokens, status.cost) == (
        *(result.iterations, result.items_created, result.tokens, result.cost),
    )
    assert (status.summary, status.departments_processed) == (result.summary, 2)
    assert status.processing_time_ms == result.processing_time_ms
    assert status.request["user_id"] == "ada"
    assert status.ended_at is not None and status.started_at < status.ended_at


def test_a_run_at_work_shows_what_it_has_committed_so_far(studio: Studio) -> None:
    seen: list[RunStatus] = []

    def look(event: Event) -> None:
        if event.type == "department_complete" and event.fields["department"] == "story":
            seen.append(run_status(studio.services, "t1"))

    studio.run("t1", progress=look)
    (status,) = seen
    assert (status.status, status.process, status.reason, status.ended_at) == ("running", "alive", None, None)
    story = [one for one in studio.view.iterations if one.department == "story"]
    assert status.iterations >= len(story) == 2
    assert status.items_created >= sum(len(one.item_ids) for one in story) > 0
    assert status.tokens is not None and status.tokens > 0
    assert (status.summary, status.processing_time_ms) == ((), None)


def test_the_iterations_of_other_runs_do_not_count(studio: Studio) -> None:
    studio.run("t1", departments=("story",))
    begun(studio, "t2", Owner.this_process("t2"))
    status = run_status(studio.services, "t2")
    assert (status.process, status.iterations, status.items_created, status.tokens, status.cost) == ("alive", 0, 0, 0, 0.0)


def test_a_run_whose_process_is_gone_counts_as_failed(studio: Studio) -> None:
    begun(studio, "t1", replace(Owner.this_process("t1"), started=1.0))
    status = run_status(studio.services, "t1")
    assert (status.status, status.process, status.reason) == ("failed", "gone", GONE)


@pytest.mark.parametrize("other", [None, "t2"], ids=["nobody holds the project", "another run holds it"])
def test_a_run_without_its_lease_that_noted_no_end_is_gone(other: str | None, studio: Studio) -> None:
    begun(studio, "t1")
    if other is not None:
        begun(studio, other, Owner.this_process(other))
    assert run_status(studio.services, "t1").process == "gone"


def test_the_next_run_notes_what_became_of_one_that_died_when_it_was_asked_to_end(studio: Studio) -> None:
    begun(studio, "t1", replace(Owner.this_process("t1"), started=1.0))
    studio.services.runs.request_cancel("t1")
    studio.run("t2", max_iterations=1)
    assert [run.status for run in studio.services.runs.of_project(PROJECT)] == ["cancelled", "completed"]


def test_an_asked_cancel_is_shown(studio: Studio) -> None:
    begun(studio, "t1", Owner.this_process("t1"))
    studio.services.runs.request_cancel("t1")
    assert run_status(studio.services, "t1").cancel_requested


def test_a_task_that_never_was_is_named(studio: Studio) -> None:
    with pytest.raises(UnknownEntity, match="'t9'"):
        run_status(studio.services, "t9")


def test_the_run_of_a_project_is_the_one_at_work_else_the_last(studio: Studio) -> None:
    assert project_run(studio.services, studio.view) is None
    for task_id in ("t1", "t2"):
        begun(studio, task_id)
    lease = studio.services.leases.lease(PROJECT, Owner.this_process("t1"), 30.0)
    lease.take()
    studio.services.runs.abandon(PROJECT, lease)
    last = project_run(studio.services, studio.view)
    assert last is not None and (last.task_id, last.status) == ("t2", "failed")
    begun(studio, "t1")
    shown = project_run(studio.services, studio.view)
    assert shown is not None and (shown.task_id, shown.process) == ("t1", "alive")
