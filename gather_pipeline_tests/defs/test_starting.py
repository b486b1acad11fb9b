"""Runs that the API asks for: in Dagster's queue, or in a process of their own."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from gather_pipeline import __version__, bootstrap
from gather_pipeline.defs import launch, starting
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import ProjectBusy
from gather_pipeline.records.submissions import Submission
from gather_pipeline.services import Services
from gather_pipeline.upkeep.tasks import AUTOMATION, TaskStatus, cancel_task, task_status
from gather_pipeline_tests.cli.commands import Shell, entered, wait_until

TASK = "0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Of a shell, whose environment a process of its own has too."""
    shell = Shell.make(tmp_path, GATHER_SCRIPT_LATENCY_S="1")
    shell.create()
    with entered(shell.folder, shell.environment):
        made = bootstrap.build_services()
        yield made
        made.close()


def submitted(services: Services, priority: int = 1) -> AutomationRequest:
    request = AutomationRequest(project_id="salt", max_iterations=20, departments=("story", "sound"))
    owner = starting.Owner.this_process(TASK)
    services.submissions.add(
        Submission(task_id=TASK, task_type=AUTOMATION, project_id="salt", priority=priority, place="server", owner=owner, request="")
    )
    services.submissions.placed(TASK, *starting.begin_run(services, request, TASK, priority))
    return request


def now(services: Services) -> TaskStatus:
    return task_status(services, TASK, lambda task_id: starting.run_state(services.settings, task_id))


def test_without_a_daemon_a_run_gets_a_process_of_its_own_and_one_cancel_ends_it_everywhere(services: Services) -> None:
    request = submitted(services)
    with pytest.raises(ProjectBusy, match=f"run {TASK} "):
        starting.begin_run(services, request, "another", 1)
    assert now(services).status == "pending"
    wait_until(lambda: now(services).progress and services.project("salt").view().items)
    assert not cancel_task(services, TASK)
    done = wait_until(lambda: now(services) if now(services).ended_at else None)
    assert (done.status, done.reason, done.result["items_created"] > 0) == ("cancelled", "cancelled on request", True)
    wait_until(lambda: not services.open_runs.all())
    with launch.open_instance(services.settings) as instance:
        run = instance.get_run_by_id(TASK)
    assert run is not None and run.status == dg.DagsterRunStatus.CANCELED
    assert services.project("salt").events()[-1].type == "automation_cancelled"


def test_a_run_that_is_cancelled_while_its_process_starts_makes_nothing(services: Services) -> None:
    submitted(services)
    assert not cancel_task(services, TASK)
    done = wait_until(lambda: one if (one := now(services)).status not in ("pending", "running") else None)
    assert done.status == "cancelled"
    assert services.project("salt").view().items == []


def test_a_run_that_has_ended_keeps_nobody_from_another_while_its_process_ends(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "_start_process", lambda services, request, task_id: starting.Owner.this_process(task_id))
    request = AutomationRequest(project_id="salt")
    services.runs.start(TASK, request)
    services.runs.end_gone(TASK, cancelled=False)
    services.open_runs.note("salt", starting.Owner.this_process(TASK), 60)
    assert starting.begin_run(services, request, "another", 1)[0] == "process"


def test_where_a_daemon_runs_a_run_waits_in_its_queue_by_the_seeds_priority(services: Services) -> None:
    with launch.open_instance(services.settings) as instance:
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), starting.DAEMON, "daemon", []))
    submitted(services, priority=3)
    assert (now(services).status, now(services).reason) == ("pending", None)
    with launch.open_instance(services.settings) as instance:
        run = instance.get_run_by_id(TASK)
        assert run is not None
        assert (run.status, run.tags["dagster/priority"], run.tags["gather/project"]) == (dg.DagsterRunStatus.QUEUED, "8", "salt")
        assert run.run_config["ops"]["gather_items"]["config"]["departments"] == ["sound", "story"]
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 600, starting.DAEMON, "daemon", []))
    assert now(services).reason == starting.NOBODY
    assert cancel_task(services, TASK)
    starting.cancel_in_queue(services.settings, TASK)
    assert now(services).status == "cancelled"


def test_a_module_in_the_current_folder_takes_no_librarys_place(tmp_path: Path) -> None:
    for name in ("queue", "secrets", "redis", "click"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('another module')\n")
    done = subprocess.run([*starting.COMMAND, "--version"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gather {__version__}\n", "")
