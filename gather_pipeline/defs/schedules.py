"""What is done by the clock of `GATHER_TIMEZONE`: scores of stale departments every night, a report of every project and
rankings of models every week.

All are off, which is Dagster's default, until somebody switches them on.
"""

import dagster as dg

from gather_pipeline.defs.jobs import rank_models, refresh_departments, refresh_requests, report_projects, suggest_prompts
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Looks
from gather_pipeline.domain.departments import in_order
from gather_pipeline.domain.projects import Project
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
    """Refreshes for departments whose score or draft is not of what is there now, and what kept projects from being looked at."""
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
    description=f"At 3 every night ({TIMEZONE}): scores and drafts again what is behind its items or its brief. No model call.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext, gather: dg.ResourceParam[Gather]) -> list[dg.RunRequest] | dg.SkipReason:
    try:
        with gather.services() as services:
            requests, said = nightly_requests(services, context.instance, context.scheduled_execution_time.toordinal(), Looks())
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was requested, for the sources cannot be read: {unreadable.description}")
    for clause in said:
        context.log.warning(clause)
    return requests or dg.SkipReason("; ".join(said) or "Every score and draft is of what is there now")


weekly_report = dg.ScheduleDefinition(
    name="weekly_report",
    cron_schedule="0 6 * * 1",
    execution_timezone=TIMEZONE,
    job=report_projects,
    description=f"At 6 every Monday ({TIMEZONE}): writes a page with figures and plots for each project that ever ran.",
)
weekly_rankings = dg.ScheduleDefinition(
    name="weekly_rankings",
    cron_schedule="0 5 * * 1",
    execution_timezone=TIMEZONE,
    job=rank_models,
    description=f"At 5 every Monday ({TIMEZONE}): ranks the models of each task by what its executions brought. No model call.",
)
weekly_suggestions = dg.ScheduleDefinition(
    name="weekly_suggestions",
    cron_schedule="30 5 * * 1",
    execution_timezone=TIMEZONE,
    job=suggest_prompts,
    description=f"At half past 5 every Monday ({TIMEZONE}): suggests better prompts for tasks that go wrong. Asks a model.",
)
