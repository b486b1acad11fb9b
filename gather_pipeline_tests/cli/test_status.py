"""`gather status` of a project: what is stale, what is behind, and what is not there any more."""

from __future__ import annotations

import re

import pytest
import yaml

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.submissions import Submission
from gather_pipeline.upkeep.tasks import AUTOMATION
from gather_pipeline_tests.cli.commands import DEPARTMENTS, Shell
from gather_pipeline_tests.finished import Finished
from gather_pipeline_tests.harness import make_settings

Capture = pytest.CaptureFixture[str]


def test_the_status_of_a_fresh_project_has_nothing_stale(finished: Finished, capsys: Capture) -> None:
    status = finished.shell.here(capsys, "status", "--project", "salt", "--json").document
    assert (status["project_id"], status["stale"], status["unscored"]) == ("salt", [], [])
    assert status["run"]["task_id"] == finished.task_id
    summary = {row["department"]: row for row in finished.document["summary"]}
    assert [row["department"] for row in status["departments"]] == ["story", "visual", "sound"]
    for row in status["departments"]:
        assert (row["state"], row["stale"], row["unscored"]) == ("finished", False, False)
        assert (row["quality"], row["items"]) == (summary[row["department"]]["quality_score"], summary[row["department"]]["items_created"])
    shown = finished.shell.here(capsys, "status", "--project", "salt")
    assert f"Last run {finished.task_id} completed" in shown.out
    assert shown.err == ""


def test_a_department_that_left_the_list_is_retired_and_never_stale(copied: Shell, capsys: Capture) -> None:
    rows = [dict(row) for row in DEPARTMENTS if row["slug"] != "visual"]
    (copied.folder / "departments.yaml").write_text(yaml.safe_dump(rows))
    copied.here(capsys, "project", "update", "salt", "--name", "Pepper")
    status = copied.here(capsys, "status", "--project", "salt", "--json").document
    assert [(row["department"], row["state"]) for row in status["departments"]] == [
        ("story", "finished"),
        ("sound", "finished"),
        ("visual", "retired"),
    ]
    assert status["departments"][2]["items"] > 0
    assert [row["department"] for row in status["stale"]] == ["story", "sound"]


def test_a_project_without_a_run_has_a_status(shell: Shell, capsys: Capture) -> None:
    shell.create()
    status = shell.here(capsys, "status", "--project", "salt", "--json").document
    assert (status["run"], status["stale"], status["unscored"]) == (None, [], [])
    assert {row["state"] for row in status["departments"]} == {"new"}
    shell.here(capsys, "item", "add", "--project", "salt", "--department", "visual", "--content", "A lamp.")
    assert shell.here(capsys, "status", "--project", "salt", "--json").document["unscored"] == ["visual"]
    rows = shell.here(capsys, "departments", "--project", "salt", "--json").document
    assert [(row["slug"], row["items"]) for row in rows] == [("story", 0), ("visual", 1), ("sound", 0)]
    listed = shell.here(capsys, "items", "--project", "salt", "--department", "visual", "--json").document
    assert [row["content"] for row in listed] == ["A lamp."]


def test_a_cost_that_no_provider_told_is_unknown(shell: Shell, capsys: Capture) -> None:
    shell.create()
    services = build_services(make_settings(shell.folder / "home"))
    services.runs.start("task-1", AutomationRequest(project_id="salt"))
    counts = {"iterations": 1, "departments_processed": 1, "items_created": 5, "processing_time_ms": 9}
    services.runs.finish(
        AutomationResult(
            task_id="task-1", project_id="salt", status="completed", summary=(), reason="by rule", tokens=None, cost=None, **counts
        )
    )
    services.close()
    assert re.findall(r"^ ?(tokens|cost) +(\S+)", shell.here(capsys, "status", "task-1").out, re.MULTILINE) == [
        ("tokens", "unknown"),
        ("cost", "unknown"),
    ]


def test_a_task_of_the_api_that_has_not_begun_is_known_and_cancelled(shell: Shell, capsys: Capture) -> None:
    shell.create()
    services = build_services(make_settings(shell.folder / "home"))
    asked = Submission(
        task_id="task-9",
        task_type=AUTOMATION,
        project_id="salt",
        priority=1,
        place="server",
        owner=Owner.this_process("task-9"),
        request="",
    )
    services.submissions.add(asked)
    services.close()
    shown = shell.here(capsys, "status", "task-9", "--json").document
    assert (shown["status"], shown["task_type"], shown["project_id"]) == ("pending", AUTOMATION, "salt")
    assert "pending" in shell.here(capsys, "status", "task-9").out
    assert "is at work no more: cancelled" in shell.here(capsys, "cancel", "task-9").out
    assert shell.here(capsys, "status", "task-9", "--json").document["status"] == "cancelled"
    assert shell.here(capsys, "cancel", "task-8").code == 3
