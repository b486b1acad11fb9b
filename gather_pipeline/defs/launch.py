"""The one door from the command line to Dagster: the automation as a real run of the project's instance, executed in this process (D4).

No daemon and no server is needed, and the UI shows the run afterwards as one of the job in the code location. `dagster job execute` costs a
process more, stores the webhook address in the run's config and cannot hand progress to its caller.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from platformdirs import user_cache_path
from sqlalchemy.exc import DBAPIError

from gather_pipeline.bootstrap import build_services, write_whole
from gather_pipeline.defs import partitions, private
from gather_pipeline.defs.assets import ASSETS
from gather_pipeline.defs.checks import asset_checks
from gather_pipeline.defs.jobs import automated_gather_creation, gather_target
from gather_pipeline.defs.reporting import metrics_event, report_sources
from gather_pipeline.defs.resources import Caller, Gather
from gather_pipeline.defs.running import MAX_RUNTIME, most_seconds
from gather_pipeline.defs.sensors.following import is_anything_in_flight
from gather_pipeline.defs.settling import settle, settle_own
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.domain.departments import Department, in_order, select, to_automate
from gather_pipeline.domain.events import Progress
from gather_pipeline.domain.projects import Project
from gather_pipeline.errors import GatherError, SetupMissing, StoreError, StoreFull, TaskCancelled
from gather_pipeline.ports import IngestReport
from gather_pipeline.records.kept_departments import KeptDepartments
from gather_pipeline.records.lease import Owner
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

logger = logging.getLogger(__name__)
INSTANCE_FILE = Path(__file__).parents[2] / "dagster.yaml"
DATABASES = ("schedules", "history")  # folders under Dagster's home, in the order in which they get there
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
REASONS = {"disk I/O error": "the disk may be full or failing"}  # in words that name the disk


def prepare_home(settings: Settings) -> Path:
    """The folder of the Dagster instance, made where it is missing, with the present instance file; by a path that Dagster can use.

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
        with _one_at_a_time(home):
            if not target.is_file() or target.read_bytes() != wanted:
                write_whole(target, wanted.decode())  # another process may be reading it
        return _addressable(home)
    except OSError as error:
        raise StoreError(f"the Dagster folder {home} cannot be written: {error.strerror}") from error


def _addressable(home: Path) -> Path:
    """The folder by a path that Dagster's database addresses can hold, which take `?` for the end of a path and `%20` for a space."""
    if not set("%?") & set(str(home)):
        return home
    link = user_cache_path("gather_pipeline") / "dagster" / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(home)
    return link


def look_at_instance(settings: Settings) -> str | None:
    """What the instance says of itself, read-only; None where it is not made yet.

    Raises:
        StoreError: Its databases cannot be read, or have another schema than the Dagster that is installed.
    """
    if not has_instance(settings):
        return None
    home = settings.dagster_home
    try:
        with private.instance_for_this_process(_addressable(home)) as instance:
            runs, schema = instance.get_runs_count(), instance.run_storage.alembic_version()
    except Exception as error:
        raise StoreError(f"the Dagster instance in {home} cannot be opened: {getattr(error, 'orig', error)}") from error
    if schema is not None and schema[0] != schema[1]:
        raise StoreError(f"the Dagster instance in {home} has schema {schema[0]}, expected {schema[1]}")
    return f"Dagster {dg.__version__}, {home} can be read, {runs} runs"


def has_instance(settings: Settings) -> bool:
    """Whether the instance is made."""
    return all((settings.dagster_home / name).exists() for name in (INSTANCE_FILE.name, *DATABASES))


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance that the UI and the daemon use too, opened without DAGSTER_HOME.

    Two processes that create its databases at once would get into each other's way, so opening is done one at a time. They are created
    beside their place, so that a process that is killed meanwhile leaves none that lacks its tables.

    Raises:
        SetupMissing, StoreError: As `prepare_home`; also where the databases cannot be opened, or refuse something within the block.
    """
    home = prepare_home(settings)
    with ExitStack() as opened:
        try:
            with _one_at_a_time(home):
                if not (home / DATABASES[-1]).exists():
                    _create_databases(home)
                instance = opened.enter_context(private.instance_for_this_process(home))
                instance.get_runs_count()
        except Exception as error:
            raise StoreError(f"the Dagster instance in {home} cannot be opened: {getattr(error, 'orig', error)}") from error
        try:
            yield instance
        except DBAPIError as error:
            kind = StoreFull if "disk is full" in str(error.orig) else StoreError
            raise kind(f"the Dagster instance in {home} cannot be written: {REASONS.get(str(error.orig), error.orig)}") from error


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    with (home / "opening.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _create_databases(home: Path) -> None:
    fresh = home / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    shutil.copyfile(INSTANCE_FILE, fresh / INSTANCE_FILE.name)
    with private.instance_for_this_process(fresh) as instance:
        instance.get_runs_count()
    for name in DATABASES:
        if not (home / name).exists():
            (fresh / name).rename(home / name)
    shutil.rmtree(fresh)


def run_in_process(
    settings: Settings,
    request: AutomationRequest,
    *,
    progress: Progress | None = None,
    on_services: Callable[[Services], None] | None = None,
    verbose: bool = False,
    task_id: str | None = None,
) -> AutomationResult:
    """Runs the automation of one project as a run of the instance, in this process and thread.

    The first SIGINT, SIGTERM or SIGHUP, `gather cancel` or Terminate in the UI ends it with its work saved and status `cancelled`; a
    second signal ends it at once. What is committed always stays.

    Args:
        settings: Of the run's services.
        request: The task's input; its webhook address does not reach the run's config.
        progress: Is shown every event and state.
        on_services: Is given the services before the run begins.
        verbose: Lets Dagster's own log lines through, to standard error.
        task_id: Id of the run, a UUID; made up where None.

    Returns:
        The task's output; its `task_id` is the run's id.

    Raises:
        InvalidInput: The project, a department or the source of departments is wrong; no run was created.
        ProjectBusy: Another live run holds the project.
        TaskCancelled: A second signal cut the saving short.
        GatherError: Another engine failed for good.
    """
    with closing(build_services(settings)) as services:
        if on_services is not None:
            on_services(services)
        target = target_of(services, request)
        caller = Caller(progress=progress, webhook_url=request.webhook_url)
        gather, id = Gather(build=lambda: services, caller=caller), task_id or str(uuid.uuid4())
        seconds = most_seconds(settings)
        try:
            with open_instance(settings) as instance:
                services.open_runs.note(request.project_id, Owner.this_process(id), seconds)
                try:
                    job, run = create_run(instance, services, target, gather, id, {MAX_RUNTIME: f"{seconds:.0f}"}, {} if verbose else QUIET)
                    status = private.execute(instance, job, run)
                finally:
                    settle_own(services, instance, id)
                _ingest(instance, services)
        except StoreError as error:
            if isinstance(caller.error, GatherError):  # which the run met before
                raise caller.error from error
            raise
        return _outcome(caller, status)


def _keep_keys(instance: dg.DagsterInstance, project_id: str, slugs: list[str]) -> None:
    """Adds the run's keys where no sensor has; a retired department's goes, for it would stand between those of the run's range."""
    departments = str(partitions.departments.name)
    instance.add_dynamic_partitions(str(partitions.projects.name), [project_id])
    instance.add_dynamic_partitions(departments, slugs)
    retired = set(instance.get_dynamic_partitions(departments)) - set(slugs)
    if retired and not is_anything_in_flight(instance):
        for slug in retired:
            instance.delete_dynamic_partition(departments, slug)


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a run works on.

    Attributes:
        departments: All that may be automated.
        chosen: Slugs of those that were asked for, in their order.
    """

    request: AutomationRequest
    project: Project
    departments: Sequence[Department]
    chosen: list[str]


def target_of(services: Services, request: AutomationRequest) -> Target:
    """The project and the departments that a request names.

    Raises:
        UnknownEntity: The project or a department is not there.
        InvalidInput: The source of departments is wrong.
    """
    project = services.projects.get(request.project_id)
    departments = to_automate(services.departments.departments())
    chosen = [department.slug for department in select(departments, request.departments)]
    return Target(request=request, project=project, departments=departments, chosen=chosen)


def create_run(
    instance: dg.DagsterInstance,
    services: Services,
    target: Target,
    gather: Gather,
    task_id: str,
    tags: Mapping[str, str],
    config: Mapping[str, object],
    webhook_url: str | None = None,
) -> tuple[dg.JobDefinition, dg.DagsterRun]:
    """Notes a run of the automation and what it is made of, to be executed or queued; `config` and `tags` are beside those of its asset."""
    _keep_keys(instance, target.project.id, [department.slug for department in target.departments])
    report_sources(instance, services, [target.project], target.departments)
    of_range, named = gather_target(instance, target.project.id, target.chosen)
    asked = target.request.to_document() | {"project_id": None, "webhook_url": webhook_url, "departments": named}
    ops = {"gather_items": {"config": {name: value for name, value in asked.items() if value is not None}}}
    jobs = dg.Definitions(assets=ASSETS, asset_checks=asset_checks, jobs=[automated_gather_creation], resources={"gather": gather})
    job = jobs.resolve_job_def(automated_gather_creation.name)
    return job, private.create_run(instance, job, task_id, {"ops": ops, **config}, {**of_range, **tags})


def settle_runs(services: Services) -> None:
    """Has the store and Dagster say the same of runs whose process is gone.

    Raises:
        SetupMissing, StoreError: As `open_instance`.
    """
    with open_instance(services.settings) as instance:
        settle(services, instance)


def report_departments(services: Services) -> tuple[int, int]:
    """Reads the list of departments and tells Dagster, where its instance is made; how many there are and how many Dagster did not know so.

    Raises:
        InvalidInput, CmsUnavailable: The list is wrong, or its source does not answer and no list is kept.
        SetupMissing, StoreError: As `open_instance`.
    """
    if isinstance(services.departments, KeptDepartments):
        services.departments.look_again()
    departments = in_order(services.departments.departments())
    if not has_instance(services.settings):
        return len(departments), 0
    with open_instance(services.settings) as instance:
        instance.add_dynamic_partitions(str(partitions.departments.name), [department.slug for department in departments])
        return len(departments), report_sources(instance, services, (), departments)


def report_metrics(settings: Settings, done: IngestReport) -> None:
    """Tells Dagster of measurements that a command took in.

    Raises:
        SetupMissing, StoreError: As `open_instance`.
    """
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(metrics_event(done, settings))


def _ingest(instance: dg.DagsterInstance, services: Services) -> None:
    """Takes in the run's measurements and tells Dagster; where that fails, the next command that reads them takes them in."""
    try:
        done = services.metrics.ingest()
    except (GatherError, KeyboardInterrupt) as error:
        logger.warning("[AutoGather] The measurements wait for the next command that reads them: %s", str(error) or "interrupted")
    else:
        instance.report_runless_asset_event(metrics_event(done, services.settings))


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
