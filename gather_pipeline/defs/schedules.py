"""What is done by the clock of `GATHER_TIMEZONE`: scores of stale departments every night, a report of every project every week.

Both are off until switched on.
"""

from pathlib import Path

import dagster as dg

from gather_pipeline.bootstrap import write_whole
from gather_pipeline.defs.jobs import refresh_departments, refresh_requests
from gather_pipeline.defs.reporting import metrics_event
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Looks
from gather_pipeline.domain.departments import in_order
from gather_pipeline.domain.projects import Project
from gather_pipeline.errors import StoreError
from gather_pipeline.report.project import project_page, project_tables
from gather_pipeline.services import Services
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.standing import standings

TIMEZONE = load_settings().timezone
NIGHTS = 7  # in each of them another seventh of the projects is looked at first


def in_turn(projects: list[Project], day: int) -> list[Project]:
    """The projects, begun at another place each night, so that what one night has no time for comes first in another."""
    start = len(projects) * (day % NIGHTS) // NIGHTS
    return [*projects[start:], *projects[:start]]


def nightly_requests(services: Services, instance: dg.DagsterInstance, day: int, looks: Looks) -> tuple[list[dg.RunRequest], list[str]]:
    """Refreshes for departments whose score or draft is not of what is there now.

    Args:
        services: The engines.
        instance: Where the partitions are.
        day: Number of the day.
        looks: How long to look.

    Returns:
        The requests, and what kept projects from being looked at.
    """
    projects = in_turn(services.projects.all(), day)
    departments = in_order(services.departments.departments())
    requests: list[dg.RunRequest] = []
    late = []
    for place, project in enumerate(projects):
        if looks.is_over:
            late = [f"{len(projects) - place} projects were not looked at for want of time; other nights begin with them"]
            break
        with looks.at(project.id):
            found = standings(services, services.project(project.id).view(), project, departments)
            unscored = [one.department for one in found if one.unscored]
            requests += refresh_requests(instance, project.id, unscored, f"{day}:{project.id}")
    return requests, late + looks.said


@dg.schedule(
    name="nightly_refresh",
    cron_schedule="0 3 * * *",
    execution_timezone=TIMEZONE,
    job=refresh_departments,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=f"At 3 every night ({TIMEZONE}): scores and drafts again what is behind its items or its brief. No model call.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext, gather: dg.ResourceParam[Gather]) -> list[dg.RunRequest] | dg.SkipReason:
    """One night."""
    try:
        with gather.services() as services:
            requests, said = nightly_requests(services, context.instance, context.scheduled_execution_time.toordinal(), Looks())
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was requested, for the sources cannot be read: {unreadable.description}")
    for clause in said:
        context.log.warning(clause)
    return requests or dg.SkipReason("; ".join(said) or "Every score and draft is of what is there now")


def write_report(services: Services, project: Project, day: str) -> Path:
    """Writes a project's page to `reports` in the state folder.

    Raises:
        StoreError: The folder cannot be written, or the project cannot be read.
    """
    path = services.settings.home / "reports" / f"{project.id}-{day}.html"
    view = services.project(project.id).view()
    page = project_page(services, project, view, project_tables(services, view))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page)
    except OSError as error:
        raise StoreError(f"the report {path} cannot be written: {error.strerror}") from error
    return path


@dg.op(pool="duckdb_writer", description="Takes in the measurements, then writes a page with plots for each project that ever ran.")
def write_reports(context: dg.OpExecutionContext, gather: dg.ResourceParam[Gather]) -> None:
    """The pages' names end with the day, so that another week's stay. Where a page fails, the others are written before the run does."""
    written, looks = {}, Looks()
    with gather.services() as services:
        context.log_event(metrics_event(services.metrics.ingest(), str(services.settings.metrics_database)))
        day = services.clock.now()[:10]
        for project in services.projects.all():
            with looks.at(project.id):
                if services.runs.of_project(project.id):
                    written[project.id] = dg.MetadataValue.path(str(write_report(services, project, day)))
    context.log.info(f"{len(written)} reports written")
    context.add_output_metadata({"reports": len(written), **written})
    if looks.said:
        raise dg.Failure(description="; ".join(looks.said), metadata={"reports": len(written)}, allow_retries=False)


@dg.job(name="report_projects", description="Reports of all projects as pages with plots.", executor_def=dg.in_process_executor)
def report_projects() -> None:
    """One op, in process."""
    write_reports()


weekly_report = dg.ScheduleDefinition(
    name="weekly_report",
    cron_schedule="0 6 * * 1",
    execution_timezone=TIMEZONE,
    job=report_projects,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description=f"At 6 every Monday ({TIMEZONE}): writes a page with figures and plots for each project that ever ran.",
)
