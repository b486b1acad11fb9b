"""One automation inside a Dagster run: the one function by which the UI, sensors, backfills and the command line run the loop.

No retry policy may stand around it (D4): in process it would swallow a cancel and begin again. A rerun goes on from what is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from gather_pipeline.defs.cancel import ENDING, cancellable
from gather_pipeline.defs.resources import Caller
from gather_pipeline.defs.settling import settle
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.event_lines import count_of, sentence
from gather_pipeline.domain.events import Event
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.records.lease import Owner
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings

MAX_RUNTIME = "dagster/max_runtime"
LOOP_LIMIT_S = 600  # S001-TASK-04
MARGIN_S = 120  # beyond the loop's own deadline, before Dagster ends the run by force

TOLD_BY_ENDS = ("max_iterations_reached", "evaluation_triggered", "automation_complete", "automation_cancelled", "automation_failed")


class GatherConfig(dg.Config):
    """What may be set for a run of the loop beyond its partitions (S001-TASK-06 to 10)."""

    project_id: str = Field("", description="The project, where the run names no partitions. Empty: the only one there is.")
    departments: list[str] = Field([], description="Slugs to work on; the other departments of the run are left out. Empty: all of them.")
    user_id: str | None = Field(None, description="Who asks for the run; kept with every note.")
    max_iterations: int = Field(50, description="Most iterations of the whole run, 1 to 10,000, shared fairly between its departments.")
    enable_auto_evaluation: bool = Field(True, description="Store a department's score when it ends.")
    webhook_url: str | None = Field(None, description="Gets every event by POST. It is stored with the run, so it should carry no secret.")
    max_tokens: int | None = Field(None, description="The run ends, with its work saved, before it spends more tokens. None: no limit.")
    max_cost: float | None = Field(None, description="The run ends, with its work saved, before it costs more US dollars. None: no limit.")


@dataclass(frozen=True, kw_only=True)
class Host:
    """The Dagster run around an automation, as far as the automation concerns it.

    Attributes:
        task_id: The automation's id: the run's own, with the project behind it where one run works on several.
        caller: Who waits for it in this process.
    """

    instance: dg.DagsterInstance
    run: dg.DagsterRun
    log: dg.DagsterLogManager
    task_id: str
    caller: Caller | None = None


def run_project(services: Services, request: AutomationRequest, host: Host, on_department: Callable[[str], None]) -> None:
    """Runs one project's automation as part of a Dagster run; departments show in its log, and go to `on_department`, as they end.

    Raises:
        dagster.Failure: The automation failed; the description is its reason.
        DagsterExecutionInterruptedError: It was cancelled, with its work saved; the run ends CANCELED.
        GatherError: It could not begin.
    """
    caller = host.caller or Caller()
    if caller.webhook_url is not None:
        request = replace(request, webhook_url=caller.webhook_url)
    seconds = most_seconds(services.settings)
    if float(host.run.tags.get(MAX_RUNTIME, 0)) < seconds:  # Dagster's own limit comes after the loop's deadline
        host.instance.add_run_tags(host.run.run_id, {MAX_RUNTIME: f"{seconds:.0f}"})
    services.open_runs.note(request.project_id, Owner.this_process(host.task_id), seconds)
    for clause in settle(services, host.instance):
        host.log.info(f"Found on the way: {clause}.")

    def progress(event: Event) -> None:
        line = sentence(event)
        if line is not None and event.type not in TOLD_BY_ENDS:
            host.log.log("WARNING" if event.type in ("model_fault", "model_away", "model_back") else "INFO", line)
        if caller.progress is not None:
            caller.progress(event)

    record = host.instance.get_run_record_by_id(host.run.run_id)
    waited = None if record is None else max(0.0, (datetime.now(UTC) - record.create_timestamp).total_seconds())
    with cancellable(services, host.instance, host.run.run_id, host.task_id):
        result = run_automation(
            services,
            request,
            task_id=host.task_id,
            progress=progress,
            on_department=lambda department: on_department(department.department),
            queue_wait_s=waited,
        )
    caller.result = result
    if result.status == "cancelled":
        _end_as_cancelled(host, f"Ended on request; {result.items_created} new items are saved, and a run of the same goes on from there.")
    if result.status == "failed":
        raise dg.Failure(description=result.reason, allow_retries=False)
    host.log.info(f"{result.items_created} items in {result.iterations} iterations, {count_of(result.tokens)} tokens: {result.reason}")


def most_seconds(settings: Settings) -> float:
    """How long a run may take until Dagster ends it by force."""
    return max(settings.timeout_s, LOOP_LIMIT_S) + MARGIN_S


def _end_as_cancelled(host: Host, said: str) -> None:
    """Ends the Dagster run as CANCELED, with one sentence in its log."""
    host.log.info(said)
    run = host.instance.get_run_by_id(host.run.run_id)
    if run is not None and run.status not in ENDING:
        host.instance.report_run_canceling(run, message=said)
    raise dg.DagsterExecutionInterruptedError(said)
