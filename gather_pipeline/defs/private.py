"""The names of Dagster that are not public, with what they are for: the one module that has to be looked through at an update.

- A run of the command line is created under an id that its caller knows, with the origin by which the UI files it under the code
  location's job; `dg.execute_job` and `execute_in_process` take no origin.
- Its instance is the one of the UI with two settings of its own, which `DagsterInstance.from_config` cannot override.
- Its handler of events leaves standard error alone: Dagster's own writes the statement that a full disk refused there, parameters and all.
- Its event log keeps its connections: Dagster's own opens the file and compiles the statement anew for each of a run's 900 transactions.
- A check of one partition among many names the materialization that it is of, else the UI takes it for outdated.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events.log import construct_event_record
from dagster._core.execution.api import execute_run
from dagster._core.instance.ref import InstanceRef
from dagster._core.log_manager import get_log_record_metadata
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._utils.log import StructuredLoggerMessage
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)

LOCATION, REPOSITORY = "gather_pipeline", "__repository__"  # as workspace.yaml and dg.Definitions name them
BUSY_S = 30.0  # that Dagster waits for a database which another process writes
OVERRIDES: dict[str, object] = {
    # Dagster would catch this process's output in files, by two further processes that delay its start and break a terminal's display.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    # Its handler would put its own words before every message that this process's handlers show after it.
    "python_logs": {"managed_python_loggers": []},
}


@contextmanager
def instance_for_this_process(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of a folder, without what gets in the way of a terminal."""
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=OVERRIDES)) as instance:
        instance.get_handlers = lambda: [EventHandler(instance)]  # type: ignore[method-assign]  # its python_logs name no other
        if not isinstance(instance.event_log_storage, SqliteEventLogStorage):
            yield instance
            return
        with kept_connections(instance.event_log_storage):
            yield instance


@contextmanager
def kept_connections(log: SqliteEventLogStorage) -> Iterator[None]:
    """Lets an event log keep its connections, a database each for all runs and for every single one, until the block ends."""
    connect = log.run_connection
    with ExitStack() as kept:

        @cache
        def engine(database: str) -> Engine:
            with connect(database):
                pass  # makes the database where it is missing
            made = create_engine(log.conn_string_for_shard(database), connect_args={"timeout": BUSY_S})
            kept.callback(made.dispose)
            return made

        log.run_connection = lambda run_id=None: engine(run_id).begin()  # type: ignore[method-assign]
        log.index_connection = lambda: engine("index").begin()  # type: ignore[method-assign]
        log.has_table = cache(log.has_table)  # type: ignore[method-assign]  # which it asks before each look at partitions
        yield


class EventHandler(logging.Handler):
    """Stores what a run logs; a line that the disk refuses is left out, an event of the run's own state must not be."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        super().__init__(logging.DEBUG)
        self._instance = instance

    def emit(self, record: logging.LogRecord) -> None:
        """Stores one line or event."""
        meta = get_log_record_metadata(record)
        event = construct_event_record(
            StructuredLoggerMessage(name=record.name, message=record.msg, level=record.levelno, meta=meta, record=record)
        )
        try:
            self._instance.handle_new_event(event, batch_metadata=meta["dagster_event_batch_metadata"])
        except DBAPIError as error:
            if event.dagster_event:
                raise
            logger.info("[AutoGather] Dagster's log of the run lacks a line: %s", error.orig)


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
