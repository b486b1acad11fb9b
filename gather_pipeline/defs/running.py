"""One automation inside a Dagster run: asset `gather_items` and job `automated_gather_creation` are two faces of one function.

No retry policy may stand around it (D4): in process it would swallow a cancel and begin again. A rerun goes on from what is stored.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from gather_pipeline.defs.cancel import ENDING, cancellable
from gather_pipeline.defs.checks import event_log
from gather_pipeline.defs.reporting import Reporter
from gather_pipeline.defs.resources import Caller
from gather_pipeline.defs.versions import FAMILIES
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, DepartmentResult
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.services import Services

MAX_RUNTIME = "dagster/max_runtime"
MARGIN_S = 120  # beyond the loop's own deadline, before Dagster ends the run by force

LINES: Mapping[str, str] = {
    "department_started": "{department}: begins, threshold {threshold:g}, model {model}",
    "iteration_complete": "{department}: iteration {iteration}, quality {quality_score}{unjudged} of {threshold:g}, {items_created} kept",
    "stagnation_detected": "{department}: no gain at quality {quality_score}{unjudged}, next step: {step}",
    "skipped_unchanged": "{department}: finished before and unchanged, quality {quality_score}{unjudged}",
    "skipped_budget": "{department}: skipped, {reason}",
    "model_fault": "{department}: {model} failed, {error}",
    "max_iterations_reached": "{department}: used its iterations, quality {final_quality_score}{unjudged} of {threshold:g}",
}


class GatherConfig(dg.Config):
    """What may be set for a run of the loop beyond its project and departments (S001-TASK-06 to 10)."""

    user_id: str | None = None
    max_iterations: int = 50
    enable_auto_evaluation: bool = True
    webhook_url: str | None = None
    max_tokens: int | None = None
    max_cost: float | None = None


def task_of(run_id: str, project_id: str, projects: Collection[str]) -> str:
    """The automation's id: the run's own, with the project behind it where one run works on several."""
    return run_id if len(projects) == 1 else f"{run_id}_{project_id}"


@dataclass(frozen=True, kw_only=True)
class Host:
    """The Dagster run around an automation, as far as the automation concerns it.

    Attributes:
        say: Writes a line into the run's log, at a level of `logging` by name.
        task_id: The automation's id.
        caller: Who waits for it in this process.
    """

    instance: dg.DagsterInstance
    run: dg.DagsterRun
    say: Callable[[str, str], None]
    task_id: str
    caller: Caller | None = None


def run_project(
    services: Services, request: AutomationRequest, host: Host, on_department: Callable[[DepartmentResult], None]
) -> AutomationResult:
    """Runs one project's automation as part of a Dagster run.

    Raises:
        dagster.Failure: The automation failed; the description is its reason.
        DagsterExecutionInterruptedError: It was cancelled, with its work saved; the run ends CANCELED.
        GatherError: It could not begin.
    """
    caller = host.caller or Caller()
    if caller.webhook_url is not None:
        request = replace(request, webhook_url=caller.webhook_url)
    _allow_time(host, services.settings.timeout_s)

    def progress(event: Mapping[str, Any]) -> None:
        line = LINES.get(str(event.get("type")))
        if line is not None:
            host.say(
                "warning" if event["type"] == "model_fault" else "info",
                line.format(**event, unjudged="" if event.get("judged", True) else " (unjudged)"),
            )
        if caller.progress is not None:
            caller.progress(event)

    with cancellable(services, host.instance, host.run.run_id, host.task_id):
        result = run_automation(
            services,
            request,
            task_id=host.task_id,
            progress=progress,
            on_department=on_department,
            on_takeover=lambda dead: mark_dead(host.instance, dead, host.task_id),
            queue_wait_s=_waited(host),
        )
    caller.result = result
    if result.status == "cancelled":
        end_as_cancelled(host, result.reason)
    if result.status == "failed":
        raise dg.Failure(description=result.reason, allow_retries=False)
    return result


def end_as_cancelled(host: Host, reason: str) -> None:
    """Ends the Dagster run as CANCELED: marks that somebody wished it, then interrupts."""
    run = host.instance.get_run_by_id(host.run.run_id)
    if run is not None and run.status not in ENDING:
        host.instance.report_run_canceling(run, message=reason)
    raise dg.DagsterExecutionInterruptedError


def mark_dead(instance: dg.DagsterInstance, task_id: str, successor: str) -> None:
    """Marks the run of a killed process as failed, for it can no longer say so itself."""
    run_id = task_id.partition("_")[0]
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished and run_id != successor.partition("_")[0]:
        instance.report_run_failed(run, message=f"Its process is gone; {successor} took over the project and goes on from what was stored.")


def _allow_time(host: Host, timeout_s: float) -> None:
    """Moves Dagster's own limit behind the loop's deadline where somebody set another deadline."""
    seconds = timeout_s + MARGIN_S
    if float(host.run.tags.get(MAX_RUNTIME, 0)) < seconds:
        host.instance.add_run_tags(host.run.run_id, {MAX_RUNTIME: f"{seconds:.0f}"})


def _waited(host: Host) -> float | None:
    """Seconds from the run's creation to now, the time in the queue."""
    record = host.instance.get_run_record_by_id(host.run.run_id)
    return None if record is None else max(0.0, (datetime.now(UTC) - record.create_timestamp).total_seconds())


def automate_partitions(
    context: dg.AssetExecutionContext, services: Services, config: GatherConfig, by_project: Mapping[str, Sequence[str]]
) -> None:
    """Runs the automation of each project with the departments asked for; those that ended are shown even where a later one fails.

    Dagster itself logs the event of each partition of the asset at the end, so here only what the run does not materialize in a
    step of its own is logged: embeddings, evaluations and drafts that a department's end brought about.
    """
    stepless = [family for family in FAMILIES if dg.AssetKey(family) not in context.job_def.asset_layer.executable_asset_keys]
    for project_id, slugs in by_project.items():
        task_id = task_of(context.run.run_id, project_id, by_project)
        host = Host(instance=context.instance, run=context.run, say=sayer(context.log), task_id=task_id)
        reporter = Reporter(
            services=services, project_id=project_id, task_id=task_id, instance=context.instance, log_event=event_log(context), say=host.say
        )
        ended: list[DepartmentResult] = []

        def department_ended(result: DepartmentResult, reporter: Reporter = reporter, ended: list[DepartmentResult] = ended) -> None:
            ended.append(result)
            reporter.report(result, stepless)

        request = AutomationRequest(project_id=project_id, departments=tuple(slugs), **config.model_dump())
        try:
            run_project(services, request, host, department_ended)
        except BaseException:
            for result in ended:
                reporter.report(result, ["gather_items"])
            raise


def sayer(log: dg.DagsterLogManager) -> Callable[[str, str], None]:
    """Writes into a run's log at a level by name."""
    return lambda level, line: log.log(level.upper(), line)
