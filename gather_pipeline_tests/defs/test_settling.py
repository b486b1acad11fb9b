"""After a kill at any place the store and Dagster tell the same of a run, once somebody has looked."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import psutil
import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.defs.assets import ASSETS
from gather_pipeline.defs.jobs import refresh_departments
from gather_pipeline.defs.launch import open_instance
from gather_pipeline.defs.partitions import range_tags
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.settling import INTERRUPTED, settle
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings
from gather_pipeline.upkeep.runs import run_status
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.kill_points import KillingStore, KillPoint

HERE = Owner.this_process("anyone").host
GONE = 2**22 + 1  # above the highest process id
AT_WORK = ("NOT_STARTED", "STARTING", "STARTED")

# What the store and Dagster say when the process is gone, and what both say then; None where one knows nothing of the run.
TABLE = [
    *((None, shown, {}, None, "FAILURE") for shown in AT_WORK),
    (None, "CANCELING", {}, None, "CANCELED"),
    (None, "FAILURE", INTERRUPTED, None, "CANCELED"),
    (None, "FAILURE", {}, None, "FAILURE"),
    (None, None, {}, None, None),
    *(("running", shown, {}, "failed", "FAILURE") for shown in AT_WORK),
    ("running", None, {}, "failed", None),
    ("running", "FAILURE", {}, "failed", "FAILURE"),
    ("running", "CANCELING", {}, "cancelled", "CANCELED"),
    ("running", "CANCELED", {}, "cancelled", "CANCELED"),
    ("running", "FAILURE", INTERRUPTED, "cancelled", "CANCELED"),
    ("asked to end", "STARTED", {}, "cancelled", "CANCELED"),
    ("asked to end", None, {}, "cancelled", None),
    *(
        (noted, shown, tags, noted, said)
        for noted, said in (("completed", "SUCCESS"), ("cancelled", "CANCELED"), ("failed", "FAILURE"))
        for shown, tags in (("STARTED", {}), ("CANCELING", {}), ("FAILURE", INTERRUPTED), (said, {}))
    ),
    ("completed", "FAILURE", {}, "completed", "FAILURE"),
    ("completed", None, {}, "completed", None),
]


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(tmp_path_factory.mktemp("settling"))
    yield studio
    studio.close()


@dg.job
def anything() -> None: ...


def begun(
    studio: Studio, instance: dg.DagsterInstance, noted: str | None, shown: str | None, tags: Any = (), suffix: str = "", **owner: Any
) -> str:
    """A run as its process left it; its task id."""
    run_id = str(uuid4())
    if shown is not None:
        instance.create_run_for_job(anything, run_id=run_id, tags=dict(tags), status=dg.DagsterRunStatus(shown))
    task_id, runs = run_id + suffix, studio.services.runs
    process = Owner(**{"task_id": task_id, "host": HERE, "pid": GONE, "started": 0.0, **owner})
    studio.services.open_runs.note(PROJECT, process, 30.0)
    if noted is None:
        return task_id
    runs.start(task_id, AutomationRequest(project_id=PROJECT))
    if noted == "asked to end":
        runs.request_cancel(task_id)
    elif noted != "running":
        counts: Any = {"iterations": 1, "departments_processed": 1, "items_created": 5, "processing_time_ms": 9, "tokens": 1, "cost": 0.0}
        status: Any = noted
        runs.finish(AutomationResult(task_id=task_id, project_id=PROJECT, status=status, summary=(), reason="by rule", **counts))
    return task_id


def told(studio: Studio, instance: dg.DagsterInstance, task_id: str) -> tuple[str | None, str | None]:
    """What the store and Dagster say of a run."""
    run = instance.get_run_by_id(task_id.partition("_")[0])
    try:
        noted = studio.services.runs.get(task_id).status
    except UnknownEntity:
        noted = None
    return noted, None if run is None else run.status.value


def are_open(studio: Studio) -> list[str]:
    return [one.task_id for one in studio.services.open_runs.all()]


@pytest.mark.parametrize(("noted", "shown", "tags", "store", "dagster"), TABLE)
def test_both_sides_tell_one_truth_of_a_run_whose_process_is_gone(
    noted: str | None, shown: str | None, tags: Any, store: str | None, dagster: str | None, studio: Studio, instance: dg.DagsterInstance
) -> None:
    task_id = begun(studio, instance, noted, shown, tags)
    changed = settle(studio.services, instance)
    assert told(studio, instance, task_id) == (store, dagster)
    assert bool(changed) == (shown != dagster)
    assert are_open(studio) == []
    assert settle(studio.services, instance) == []


@pytest.mark.parametrize(("noted", "shown"), [("running", "STARTED"), ("running", "CANCELED"), ("completed", "STARTED"), (None, "STARTED")])
def test_a_run_whose_process_lives_is_left_alone(noted: str | None, shown: str, studio: Studio, instance: dg.DagsterInstance) -> None:
    process = Owner.this_process("any")
    task_id = begun(studio, instance, noted, shown, pid=process.pid, started=process.started)
    assert settle(studio.services, instance) == []
    assert told(studio, instance, task_id) == (noted, shown)
    assert are_open(studio) == [task_id]
    studio.services.open_runs.close(task_id)


@pytest.fixture
def stopped() -> Iterator[psutil.Process]:
    """A process of this machine that somebody stopped."""
    process = subprocess.Popen(["sleep", "600"])
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    yield psutil.Process(process.pid)
    process.kill()
    process.wait()


def test_a_cancel_of_a_stopped_process_holds_once_its_lease_has_run_out(
    stopped: psutil.Process, studio: Studio, instance: dg.DagsterInstance
) -> None:
    task_id = begun(studio, instance, "asked to end", "STARTED", pid=stopped.pid, started=stopped.create_time())
    (owner,) = (one.owner for one in studio.services.open_runs.all())
    lease = studio.services.leases.lease(PROJECT, owner, 30.0)
    lease.take()
    assert (settle(studio.services, instance), run_status(studio.services, task_id).process) == ([], "stopped")
    lease.seconds = -1.0
    lease.renew()
    settle(studio.services, instance)
    assert told(studio, instance, task_id) == ("cancelled", "CANCELED")
    lease.release()


def test_a_worker_that_goes_on_with_other_runs_leaves_none_open(studio: Studio, instance: dg.DagsterInstance) -> None:
    process = Owner.this_process("any")
    begun(studio, instance, "completed", "SUCCESS", pid=process.pid, started=process.started)
    assert settle(studio.services, instance) == []
    assert are_open(studio) == []


def test_the_lease_tells_of_a_process_elsewhere_and_its_own_dagster_is_waited_for(studio: Studio, instance: dg.DagsterInstance) -> None:
    """Two machines may share the store and have a Dagster each."""
    task_id = begun(studio, instance, "running", None, host="elsewhere")
    owner = next(one.owner for one in studio.services.open_runs.all())
    lease = studio.services.leases.lease(PROJECT, owner, 30.0)
    lease.take()
    settle(studio.services, instance)
    assert told(studio, instance, task_id) == ("running", None)
    lease.seconds = -1.0
    lease.renew()
    settle(studio.services, instance)
    assert told(studio, instance, task_id) == ("failed", None)
    assert are_open(studio) == [task_id], "for whoever has its Dagster run"
    instance.create_run_for_job(anything, run_id=task_id, status=dg.DagsterRunStatus.STARTED)
    settle(studio.services, instance)
    assert (told(studio, instance, task_id), are_open(studio)) == (("failed", "FAILURE"), [])
    lease.release()


def test_a_run_over_several_projects_that_was_killed_has_failed_though_one_of_them_was_completed(
    studio: Studio, instance: dg.DagsterInstance
) -> None:
    task_id = begun(studio, instance, "completed", "STARTED", suffix="_salt")
    settle(studio.services, instance)
    assert told(studio, instance, task_id) == ("completed", "FAILURE")


def test_a_killed_run_tells_its_end_once_to_whoever_listens_when_somebody_looks(studio: Studio, instance: dg.DagsterInstance) -> None:
    task_id = begun(studio, instance, "running", "STARTED")
    for _ in range(2):
        settle(studio.services, instance)
    assert [event.type for event in studio.records.events_of(task_id=[task_id])] == ["automation_failed"]
    assert studio.services.leases.holder(PROJECT) is None


def test_the_end_of_a_killed_run_is_left_to_the_run_that_holds_the_project(studio: Studio, instance: dg.DagsterInstance) -> None:
    task_id = begun(studio, instance, "running", "STARTED")
    with holding(studio.services.leases.lease(PROJECT, Owner.this_process("another"), 30.0)):
        settle(studio.services, instance)
    assert (told(studio, instance, task_id), studio.records.events_of(task_id=[task_id])) == (("failed", "FAILURE"), [])
    studio.run("task-next", max_iterations=1, departments=("story",))
    assert [event.type for event in studio.records.events_of(task_id=[task_id])] == ["automation_failed"]


def refresh(settings: Settings, point: KillPoint) -> None:
    """Brings a department up to date as a run that a sensor asked for, until the point."""

    def build() -> Services:
        services = build_services(settings)
        return replace(services, store=KillingStore(services.store, point, lambda: os.kill(os.getpid(), signal.SIGKILL)))

    definitions = dg.Definitions(assets=ASSETS, jobs=[refresh_departments], resources={"gather": Gather(build=build)})
    with open_instance(settings) as instance:
        instance.add_dynamic_partitions("projects", [PROJECT])
        instance.add_dynamic_partitions("departments", ["story"])
        job = definitions.resolve_job_def(refresh_departments.name)
        job.execute_in_process(instance=instance, tags=range_tags(PROJECT, "story", "story"))


@pytest.mark.parametrize(
    ("point", "ended"),
    [(KillPoint("before", "embeddings"), "FAILURE"), (KillPoint("before", "nothing"), "SUCCESS")],
    ids=["killed", "ended"],
)
def test_a_refresh_is_told_as_it_ended_once_somebody_looks(point: KillPoint, ended: str, tmp_path: Path) -> None:
    """Until then the project's next run would wait for it in Dagster's queue."""
    studio = Studio.open(tmp_path)
    studio.run()
    studio.records.drop_embeddings([item.id for item in studio.view.items])
    process = FORKS.Process(target=refresh, args=(studio.services.settings, point))
    process.start()
    process.join()
    assert process.exitcode == (-signal.SIGKILL if ended == "FAILURE" else 0)
    with open_instance(studio.services.settings) as instance:
        changed = settle(studio.services, instance)
        assert [run.status.value for run in instance.get_runs()] == [ended]
        assert (len(changed), studio.services.open_runs.all()) == (int(ended == "FAILURE"), [])
    studio.close()
