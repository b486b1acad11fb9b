"""The names of Dagster that are not public, with what they are for: the one module that has to be looked through at an update.

- A run of the command line is created under an id that its caller knows, with the origin by which the UI files it under the code
  location's job; `dg.execute_job` and `execute_in_process` take no origin.
- Its instance is the one of the UI with two settings of its own, which `DagsterInstance.from_config` cannot override.
- A check of one partition among many names the materialization that it is of, else the UI takes it for outdated.
"""

from collections.abc import Mapping
from pathlib import Path

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

LOCATION, REPOSITORY = "gather_pipeline", "__repository__"  # as workspace.yaml and dg.Definitions name them
OVERRIDES: dict[str, object] = {
    # Dagster would catch this process's output in files, by two further processes that delay its start and break a terminal's display.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    # Its handler would put its own words before every message that this process's handlers show after it.
    "python_logs": {"managed_python_loggers": []},
}


def instance_for_this_process(home: Path) -> dg.DagsterInstance:
    """The instance of a folder, without what gets in the way of a terminal."""
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=OVERRIDES))


def create_run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, run_id: str, run_config: Mapping[str, object], tags: Mapping[str, str]
) -> dg.DagsterRun:
    """Notes a run of a job of the code location; `execute` runs it."""
    location = RegisteredCodeLocationOrigin(LOCATION)
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), job.name)
    return instance.create_run_for_job(job, run_id=run_id, run_config=run_config, tags={**job.tags, **tags}, remote_job_origin=origin)


def execute(instance: dg.DagsterInstance, job: dg.JobDefinition, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    """Executes a run in this process and thread; the status in which it ended."""
    return execute_run(InMemoryJob(job), run, instance).dagster_run.status


def target_of(record: dg.EventLogRecord | None) -> AssetCheckEvaluationTargetMaterializationData | None:
    """What a check evaluation says of the materialization that it is of."""
    if record is None:
        return None
    return AssetCheckEvaluationTargetMaterializationData(storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp)
