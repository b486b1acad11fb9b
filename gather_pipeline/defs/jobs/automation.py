"""Job `automated_gather_creation`: one project's departments in order as one run in one process (D4)."""

import dagster as dg

from gather_pipeline.defs.checks import event_log
from gather_pipeline.defs.reporting import Reporter
from gather_pipeline.defs.resources import Gather, failure
from gather_pipeline.defs.running import MARGIN_S, MAX_RUNTIME, GatherConfig, Host, run_project, sayer
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import InvalidInput

KIND_TAG, PROJECT_TAG = "gather/kind", "gather/project"
LOOP_LIMIT_S = 600  # S001-TASK-04


class AutomationConfig(GatherConfig):
    """The input of the task, as S001 has it."""

    project_id: str
    departments: list[str] = []


@dg.op(description="Fills the departments of a project with distinct, scored notes, each until it is good enough.")
def gather_project(context: dg.OpExecutionContext, config: AutomationConfig, gather: dg.ResourceParam[Gather]) -> None:
    """Runs the automation and logs a materialization for each family and department that changed."""
    values = config.model_dump()
    try:
        request = AutomationRequest(**values | {"departments": tuple(values["departments"])})
    except InvalidInput as error:
        raise failure(error) from error
    run = context.run
    if PROJECT_TAG not in run.tags:
        context.instance.add_run_tags(run.run_id, {PROJECT_TAG: request.project_id})
    with gather.services() as services:
        host = Host(instance=context.instance, run=run, say=sayer(context.log), task_id=run.run_id, caller=gather.caller)
        reporter = Reporter(
            services=services,
            project_id=request.project_id,
            task_id=run.run_id,
            instance=context.instance,
            log_event=event_log(context),
            say=host.say,
        )
        result = run_project(services, request, host, reporter.report)
    context.log.info(f"{result.items_created} items in {result.iterations} iterations: {result.reason}")


@dg.job(
    name="automated_gather_creation",
    description="The whole loop for one project (task automated_gather_creation of S001).",
    executor_def=dg.in_process_executor,
    tags={KIND_TAG: "automation", MAX_RUNTIME: str(LOOP_LIMIT_S + MARGIN_S), "dagster/priority": "10"},
)
def automated_gather_creation() -> None:
    """One op, in process."""
    gather_project()
