"""What a task of seed S000 is told to be, what a cancel does to one that has ended, and what a person makes of its output."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.bootstrap import build_services, write_whole
from gather_pipeline.domain.reviews import Choice
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.submissions import Place, Submission
from gather_pipeline.review.decide import decide
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.upkeep.task_files import take
from gather_pipeline.upkeep.tasks import AUTOMATION, TaskStatus, cancel_task, task_status
from gather_pipeline_tests.harness import PROJECT, Studio, make_settings
from gather_pipeline_tests.tasks.builders import document
from gather_pipeline_tests.tasks.test_execution import execution


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path)
    yield studio
    studio.close()


def submit(studio: Studio, task_type: str, place: Place = "server") -> None:
    owner = Owner.this_process("t")
    studio.services.submissions.add(
        Submission(task_id="t", task_type=task_type, project_id=PROJECT, priority=1, place=place, owner=owner, request="")
    )


def shown(studio: Studio) -> TaskStatus:
    return task_status(studio.services, "t", lambda task_id: ("pending", None))


@pytest.mark.parametrize("way", ["failed before it was noted", "stopped and noted"])
def test_a_cancel_after_the_end_changes_nothing(studio: Studio, way: str) -> None:
    submit(studio, "greeting")
    if way == "stopped and noted":
        studio.services.executions.add(execution(id="t", status="cancelled"))
    else:
        studio.services.submissions.failed("t", "the disk is full")
    before = shown(studio)
    assert cancel_task(studio.services, "t") is False
    assert shown(studio) == before and before.status in ("failed", "cancelled") and not before.cancel_requested


def test_a_process_that_ends_while_it_is_cancelled_is_no_error(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int, signal: int) -> None:
        raise ProcessLookupError(pid)

    submit(studio, AUTOMATION, "process")
    monkeypatch.setattr(os, "kill", gone)
    assert cancel_task(studio.services, "t") is False
    assert studio.services.submissions.cancel_requested("t")


def test_an_execution_is_taken_from_a_file_whatever_its_tags_are(studio: Studio, tmp_path: Path) -> None:
    row = execution(id="t", tags={"project_id": [7]}).to_document()
    assert take(studio.services, [("data/task_executions/greeting.json", [row])], tmp_path, write_whole).executions == 1


def test_a_project_is_told_only_where_the_tag_of_an_execution_can_be_one(studio: Studio) -> None:
    for id, tag in (("t", 7), ("u", PROJECT)):
        studio.services.executions.add(execution(id=id, tags={"project_id": tag}))
    found = [task_status(studio.services, id, lambda task_id: ("pending", None)).project_id for id in ("t", "u")]
    assert found == [None, PROJECT]


@pytest.mark.parametrize(
    ("choice", "changed", "reason"),
    [("accept", None, None), ("edit", {"greeting": "Ho."}, None), ("reject", None, "it was rejected by a person: review ")],
)
def test_an_output_that_waited_is_the_result_once_a_person_accepts_it(
    tmp_path: Path, choice: Choice, changed: Any, reason: str | None
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "greeting.json").write_text(json.dumps(document() | {"verification": {"method": "human"}}))
    services = build_services(make_settings(tmp_path / "home", task_folders=(tmp_path / "tasks",)))

    def status(id: str) -> TaskStatus:
        return task_status(services, id, lambda _: ("running", None))

    with TaskExecutor("greeting", services=services) as executor:
        made = executor.run({"who": "Mara"}).execution
    waits = status(made.id)
    assert (waits.result, waits.reason) == (None, f"the output waits for a person: review {made.waiting}")
    assert made.waiting is not None
    decide(services.reviews, made.waiting, choice, by="Mara", changed=changed, feedback=services.executions.feedback)
    ended = status(made.id)
    assert ended.result == {"accept": made.output, "edit": changed, "reject": None}[choice]
    assert ended.reason is None if reason is None else str(ended.reason).startswith(reason)
    services.close()
