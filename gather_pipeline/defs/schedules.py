"""What is done by the clock: scores of stale departments every night, a report of every project every week. Off until switched on."""

import time
from pathlib import Path

import dagster as dg

from gather_pipeline.bootstrap import ingest_metrics, project_page, project_tables, write_whole
from gather_pipeline.defs.jobs.refresh import refresh_departments, refresh_request, states_of
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Faults
from gather_pipeline.domain.departments import in_order
from gather_pipeline.domain.projects import Project
from gather_pipeline.errors import StoreError
from gather_pipeline.records.registry import Projects, Runs
from gather_pipeline.services import Services

LOOK_S = 40.0  # Dagster gives the process that decides 60 s
NIGHTS = 7  # in each of them another seventh of the projects is looked at first


def in_turn(projects: list[Project], day: int) -> list[Project]:
    """The projects, begun at another place each night, so that what one night has no time for comes first in another."""
    start = len(projects) * (day % NIGHTS) // NIGHTS
    return [*projects[start:], *projects[:start]]


def nightly_requests(services: Services, day: int, until: float) -> tuple[list[dg.RunRequest], str]:
    """A refresh for each project with departments whose score or draft is not of what is there now.

    Args:
        services: The engines.
        day: Number of the day.
        until: When the look has to end, on the clock of `time.monotonic`.

    Returns:
        The requests, and what kept projects from being looked at.
    """
    projects = in_turn(Projects(services.store, services.main_database, services.clock).all(), day)
    departments = in_order(services.departments.departments())
    requests: list[dg.RunRequest] = []
    faults = Faults()
    for place, project in enumerate(projects):
        if time.monotonic() > until:
            faults.found.append(f"{len(projects) - place} projects were not looked at for want of time; other nights begin with them")
            break
        with faults.of(project.id):
            unscored = [state.department for state in states_of(services, project.id, departments) if state.unscored]
            if unscored:
                requests.append(refresh_request(project.id, unscored, f"{day}:{project.id}"))
    return requests, faults.said


@dg.schedule(
    name="nightly_refresh",
    cron_schedule="0 3 * * *",
    job=refresh_departments,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="At 3 every night: scores and drafts again what is behind its items or its brief. No model call.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext, gather: dg.ResourceParam[Gather]) -> list[dg.RunRequest] | dg.SkipReason:
    """One night."""
    try:
        with gather.services() as services:
            requests, fault = nightly_requests(services, context.scheduled_execution_time.toordinal(), time.monotonic() + LOOK_S)
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was requested, for the sources cannot be read: {unreadable.description}")
    if fault:
        context.log.warning(fault)
    return requests or dg.SkipReason(fault or "Every score and draft is of what is there now")


def write_report(services: Services, project: Project, day: str) -> Path:
    """Writes a project's page to `reports` in the state folder.

    Raises:
        StoreError: The folder cannot be written, or the project cannot be read.
    """
    path = services.settings.home / "reports" / f"{project.id}-{day}.html"
    page = project_page(services.settings, services.store, project, project_tables(services.settings, services.store, project.id))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page)
    except OSError as error:
        raise StoreError(f"the report {path} cannot be written: {error.strerror}") from error
    return path


@dg.op(pool="duckdb_writer", description="Takes in the measurements, then writes a page with plots for each project that ever ran.")
def write_reports(context: dg.OpExecutionContext, gather: dg.ResourceParam[Gather]) -> None:
    """The pages' names end with the day, so that another week's stay. Where a page fails, the others are written before the run does."""
    written, faults = {}, Faults()
    with gather.services() as services:
        ingest_metrics(services.settings)
        runs, day = Runs(services.store, services.main_database, services.clock), services.clock.now()[:10]
        for project in Projects(services.store, services.main_database, services.clock).all():
            with faults.of(project.id):
                if runs.of_project(project.id):
                    written[project.id] = dg.MetadataValue.path(str(write_report(services, project, day)))
    context.log.info(f"{len(written)} reports written")
    context.add_output_metadata({"reports": len(written), **written})
    if faults.found:
        raise dg.Failure(description=faults.said, metadata={"reports": len(written)}, allow_retries=False)


@dg.job(name="report_projects", description="Reports of all projects as pages with plots.", executor_def=dg.in_process_executor)
def report_projects() -> None:
    """One op, in process."""
    write_reports()


weekly_report = dg.ScheduleDefinition(
    name="weekly_report",
    cron_schedule="0 6 * * 1",
    job=report_projects,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="At 6 every Monday: writes a page with figures and plots for each project that ever ran.",
)
