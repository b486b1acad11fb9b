"""The one door from the command line to Dagster: the automation as a real run of the project's instance, executed in this process (D4).

No daemon and no server is needed, and the UI shows the run afterwards as one of the job in the code location. `dagster job execute` costs a
process more, stores the webhook address in the run's config and cannot hand progress to its caller.
"""

import fcntl
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run  # dg.execute_job takes neither a run id nor an origin
from dagster._core.instance.ref import InstanceRef
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from sqlalchemy.exc import DBAPIError

from gather_pipeline.bootstrap import build_services
from gather_pipeline.defs import partitions
from gather_pipeline.defs.jobs.automation import LOOP_LIMIT_S, PROJECT_TAG, automated_gather_creation
from gather_pipeline.defs.resources import Caller, Gather
from gather_pipeline.defs.running import MARGIN_S, MAX_RUNTIME
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.domain.departments import select
from gather_pipeline.errors import GatherError, SetupMissing, StoreError, TaskCancelled
from gather_pipeline.gather.announce import Progress
from gather_pipeline.records.departments import query_departments_for_automation
from gather_pipeline.records.registry import Projects
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

INSTANCE_FILE = Path(__file__).parents[2] / "dagster.yaml"
LOCATION, REPOSITORY = "gather_pipeline", "__repository__"  # as workspace.yaml and dg.Definitions name them
OVERRIDES: dict[str, object] = {
    # Dagster would catch this process's output in files, by two further processes that delay its start and break a terminal's display.
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
    # Its handler would put its own words before every message that this process's handlers show after it.
    "python_logs": {"managed_python_loggers": []},
}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def prepare_home(settings: Settings) -> Path:
    """Makes the folder of the Dagster instance and puts the instance file into it where it is missing or differs.

    Raises:
        SetupMissing: The instance file is not where the package was installed from.
        StoreError: The folder cannot be written.
    """
    if not INSTANCE_FILE.is_file():
        raise SetupMissing(f"{INSTANCE_FILE.name} is not in {INSTANCE_FILE.parent}: install from a checkout, with pip install -e .")
    home, wanted = settings.dagster_home, INSTANCE_FILE.read_bytes()
    target = home / INSTANCE_FILE.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_bytes() != wanted:
            shutil.copyfile(INSTANCE_FILE, target)
    except OSError as error:
        raise StoreError(f"the Dagster folder {home} cannot be written: {error.strerror}") from error
    return home


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance that the UI and the daemon use too, opened without DAGSTER_HOME.

    Two processes that create its databases at once would get into each other's way, so opening is done one at a time.

    Raises:
        SetupMissing, StoreError: As `prepare_home`; also where the databases cannot be opened.
    """
    home = prepare_home(settings)
    with (home / "opening.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=OVERRIDES))
            instance.get_runs_count()
        except Exception as error:
            raise StoreError(f"the Dagster instance in {home} cannot be opened: {getattr(error, 'orig', error)}") from error
    with instance:
        yield instance


def run_in_process(
    settings: Settings,
    request: AutomationRequest,
    *,
    progress: Progress | None = None,
    on_services: Callable[[Services], None] | None = None,
    verbose: bool = False,
) -> AutomationResult:
    """Runs the automation of one project as a run of the instance, in this process and thread.

    The first SIGINT, SIGTERM, `gather cancel` or Terminate in the UI ends it with its work saved and status `cancelled`; a second
    signal ends it at once. What is committed always stays.

    Args:
        settings: Also say where the instance lies.
        request: The task's input; its webhook address does not reach the run's config.
        progress: Is shown every event and state.
        on_services: Is given the services before the run begins.
        verbose: Lets Dagster's own log lines through, to standard error.

    Returns:
        The task's output; its `task_id` is the run's id.

    Raises:
        InvalidInput: The project, a department or the source of departments is wrong; no run was created.
        ProjectBusy: Another live run holds the project.
        TaskCancelled: A second signal cut the saving short.
        GatherError: Another engine failed for good.
    """
    services = build_services(settings)
    try:
        if on_services is not None:
            on_services(services)
        project = Projects(services.store, services.main_database, services.clock).get(request.project_id)
        departments = query_departments_for_automation(services)
        select(departments, request.departments)
        caller = Caller(progress=progress, webhook_url=request.webhook_url)
        with _speaking_of(settings, caller), open_instance(settings) as instance:
            instance.add_dynamic_partitions(str(partitions.projects.name), [project.id])
            instance.add_dynamic_partitions(str(partitions.departments.name), [department.slug for department in departments])
            status = _execute(instance, request, Gather(build=lambda: services, caller=caller), settings.timeout_s, verbose)
        return _outcome(caller, status)
    finally:
        services.close()


@contextmanager
def _speaking_of(settings: Settings, caller: Caller) -> Iterator[None]:
    """Turns a refusal of the instance's databases into a sentence; where the run itself met an error before, that one is told."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(caller.error, GatherError):
            raise caller.error from error
        raise StoreError(f"the Dagster instance in {settings.dagster_home} cannot be written: {error.orig}") from error


def _execute(
    instance: dg.DagsterInstance, request: AutomationRequest, gather: Gather, timeout_s: float, verbose: bool
) -> dg.DagsterRunStatus:
    """Runs the job; the status in which its run ended."""
    job = automated_gather_creation.with_top_level_resources({"gather": dg.ResourceDefinition.hardcoded_resource(gather)})
    run = instance.create_run_for_job(
        job,
        run_id=str(uuid.uuid4()),
        run_config=_run_config(request) | ({} if verbose else QUIET),
        tags={**job.tags, PROJECT_TAG: request.project_id, MAX_RUNTIME: f"{max(timeout_s, LOOP_LIMIT_S) + MARGIN_S:.0f}"},
        remote_job_origin=_origin(),
    )
    try:
        return execute_run(InMemoryJob(job), run, instance).dagster_run.status
    finally:
        left = instance.get_run_by_id(run.run_id)
        if left is not None and not left.is_finished:
            instance.report_run_failed(left, message="The process was stopped before the run could end.")


def _run_config(request: AutomationRequest) -> dict[str, object]:
    config = request.to_document() | {"webhook_url": None}
    return {"ops": {"gather_project": {"config": {name: value for name, value in config.items() if value is not None}}}}


def _origin() -> RemoteJobOrigin:
    """Where the UI files the run: under the job of the code location, though no code server started it."""
    location = RegisteredCodeLocationOrigin(LOCATION)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, REPOSITORY), automated_gather_creation.name)


def _outcome(caller: Caller, status: dg.DagsterRunStatus) -> AutomationResult:
    if caller.result is not None:
        return caller.result
    if isinstance(caller.error, dg.DagsterExecutionInterruptedError | KeyboardInterrupt):
        raise TaskCancelled("stopped at once; what was committed before is kept") from caller.error
    if caller.error is not None:
        raise caller.error
    if status == dg.DagsterRunStatus.CANCELED:
        raise TaskCancelled("stopped before the run began")
    raise GatherError("Dagster could not start the run; its event log in the UI says why")
