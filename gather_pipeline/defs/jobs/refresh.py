"""Job `refresh_departments`: takes up what people changed in a project, without a model, and tells Dagster of it in order."""

from collections.abc import Sequence

import dagster as dg

from gather_pipeline.defs.checks import event_log
from gather_pipeline.defs.jobs.automation import KIND_TAG, PROJECT_TAG
from gather_pipeline.defs.reporting import Reporter
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.running import MAX_RUNTIME, sayer
from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.registry import Projects
from gather_pipeline.services import Services
from gather_pipeline.upkeep.refresh import refresh_departments_of
from gather_pipeline.upkeep.stale import DepartmentState, states

REFRESH_LIMIT_S = 600  # embedding ten thousand new texts takes a few minutes


class RefreshConfig(dg.Config):
    """What to bring up to date."""

    project_id: str
    departments: list[str]


@dg.op(description="Embeds, scores and drafts departments whose items people changed. No model is asked.")
def refresh_project(context: dg.OpExecutionContext, config: RefreshConfig, gather: dg.ResourceParam[Gather]) -> None:
    """Works in department order; a department that is not automated is left out."""
    with gather.services() as services:
        project = Projects(services.store, services.main_database, services.clock).get(config.project_id)
        slugs = [department.slug for department in in_order(services.departments.departments())]
        say = sayer(context.log)
        for slug in sorted(set(config.departments) - set(slugs)):
            say("info", f"{slug}: left out, it is retired or was never in the list")
        chosen = [slug for slug in slugs if slug in config.departments]
        reporter = Reporter(
            services=services,
            project_id=project.id,
            task_id=context.run.run_id,
            instance=context.instance,
            log_event=event_log(context),
            say=say,
        )
        reporter.report_departments()
        for one in refresh_departments_of(services, project.id, chosen, task_id=context.run.run_id):
            say(
                "info",
                f"{one.department}: {one.embedded} embedded, {'scored' if one.scored else 'score unchanged'}, "
                f"{'drafted' if one.drafted else 'draft unchanged'}, quality {one.quality:g}",
            )
            reporter.report_department(one.department)


@dg.job(
    name="refresh_departments",
    description="Takes up what people changed in departments of one project: embeddings, scores, drafts. No model is asked.",
    executor_def=dg.in_process_executor,
    tags={KIND_TAG: "refresh", MAX_RUNTIME: str(REFRESH_LIMIT_S)},
)
def refresh_departments() -> None:
    """One op, in process."""
    refresh_project()


def refresh_request(project_id: str, slugs: Sequence[str], run_key: str) -> dg.RunRequest:
    """A run of the job for one project."""
    return dg.RunRequest(
        run_key=run_key,
        job_name=refresh_departments.name,
        run_config={"ops": {"refresh_project": {"config": {"project_id": project_id, "departments": list(slugs)}}}},
        tags={PROJECT_TAG: project_id},
    )


def states_of(
    services: Services, project_id: str, departments: Sequence[Department], only: Sequence[str] | None = None
) -> list[DepartmentState]:
    """How these departments of a project stand, in their order; those of `only` where it is given."""
    project = Projects(services.store, services.main_database, services.clock).get(project_id)
    return states(
        GatherRepository(services.store, project_id),
        project,
        departments,
        settings=services.settings,
        resolve_model=services.resolve_model,
        catalogue=services.catalogue,
        only=only,
    )
