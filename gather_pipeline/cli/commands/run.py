"""`gather run`: the automation of one project, as a Dagster run in this process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

import click

from gather_pipeline.cli.options import Amount, Whole, as_json, example, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.signals import Signals, noting
from gather_pipeline.cli.views.forecast import show_forecast
from gather_pipeline.cli.views.run import Display, print_summary
from gather_pipeline.domain.automation import MAX_ITERATIONS, AutomationRequest, AutomationResult
from gather_pipeline.domain.departments import Department, select, to_automate
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.routing import EMBEDDED, SCRIPTED
from gather_pipeline.errors import GatherError, TaskCancelled
from gather_pipeline.services import Services
from gather_pipeline.upkeep.progress import RunProgress

EXIT_CODES = {"completed": 0, "failed": 1, "cancelled": 130}
REMARKS = {
    EMBEDDED: "a small local model: its notes are sparks to start from, not facts",
    SCRIPTED: "which makes notes up for tests and demonstrations",
}


@click.command(epilog=example("gather run --project salt --department story --max-iterations 4"))
@project_option
@click.option("--user-id", help="Who asks; kept with every item.")
@click.option("--department", "departments", metavar="SLUG", multiple=True, help="Only this department; may be given several times.")
@click.option(
    "--max-iterations", type=Whole(1, MAX_ITERATIONS), default=50, show_default=True, help="Most iterations, shared between departments."
)
@click.option("--no-evaluation", is_flag=True, help="Do not evaluate a department when it ends.")
@click.option("--webhook-url", metavar="URL", help="Gets every event by POST.")
@click.option("--max-tokens", type=Whole(1), help="Stop, with all work saved, when this many tokens are spent.")
@click.option("--max-cost", type=Amount(), help="Stop, with all work saved, when this many US dollars are spent.")
@click.option("--dry-run", is_flag=True, help="Only foretell calls, tokens, cost and time; nothing is begun.")
@click.option("--task-id", type=click.UUID, hidden=True, help="Id of the run, given out before it began.")
@as_json
@click.pass_context
def run(
    ctx: click.Context,
    project_id: str,
    user_id: str | None,
    departments: tuple[str, ...],
    max_iterations: int,
    no_evaluation: bool,
    webhook_url: str | None,
    max_tokens: int | None,
    max_cost: float | None,
    dry_run: bool,
    task_id: uuid.UUID | None,
    as_json: bool,
) -> int:
    """Fill a project's departments, each until it is good enough.

    A run that was stopped in any way goes on from what is stored; finished departments are left alone. Ctrl-C saves and ends it.
    """
    request = AutomationRequest(
        project_id=project_id,
        user_id=user_id,
        max_iterations=max_iterations,
        enable_auto_evaluation=not no_evaluation,
        webhook_url=webhook_url,
        departments=departments,
        max_tokens=max_tokens,
        max_cost=max_cost,
    )
    if dry_run:
        from gather_pipeline.gather.past_runs import forecast_run

        with opened() as services:
            show_forecast(forecast_run(services, request), as_json)
        return 0
    with noting() as signals:
        progress = RunProgress.of((), time.monotonic())
        try:
            with opened() as services:
                # Refused at once, not after the seconds that Dagster takes to load.
                services.projects.get(request.project_id)
                settings, chosen = services.settings, select(to_automate(services.departments.departments()), request.departments)
            signals.check()
            display = Display([department.slug for department in chosen])
            progress, watched = display.progress, Watched(display, chosen, signals)
            with display.shown():
                from gather_pipeline.defs.launch import run_in_process  # Dagster takes seconds to load, and the display shows that it does

                result = run_in_process(
                    settings,
                    request,
                    progress=watched,
                    on_services=watched.begin,
                    verbose=bool(ctx.find_root().params.get("verbose")),
                    task_id=None if task_id is None else str(task_id),
                )
        except (KeyboardInterrupt, TaskCancelled) as stop:
            result = _stopped(request, progress, stop)
        except GatherError:
            # A signal while Dagster starts the run makes the start fail.
            if progress.task_id is not None or not signals.received:
                raise
            result = _stopped(request, progress, None)
    if as_json:
        print_json(result.to_document() | {"task_id": result.task_id or None})
    else:
        print_summary(result)
    return EXIT_CODES[result.status]


class Watched:
    """Passes events on to the display, and asks the run to end where a signal was lost before the run could hear of it."""

    def __init__(self, display: Display, chosen: Sequence[Department], signals: Signals) -> None:
        self._display, self._chosen, self._signals = display, chosen, signals
        self._services: Services | None = None
        self._is_named = self._is_asked = False

    def begin(self, services: Services) -> None:
        """Is given the services before the run begins."""
        self._services = services
        _say_models(services, self._chosen)
        self._signals.check()

    def __call__(self, event: Event) -> None:
        """Takes one event or state; says the task's id with the first, so that the run can be cancelled from elsewhere."""
        if not self._is_named:
            self._is_named = True
            say(f"Task: {event.task_id}")
        self._display(event)
        if self._signals.received and not self._is_asked and self._services is not None:
            self._is_asked = True
            self._services.runs.request_cancel(event.task_id)


def _say_models(services: Services, chosen: Sequence[Department]) -> None:
    """Says which models answer.

    Raises:
        InvalidInput, SetupMissing: One of them cannot be asked.
    """
    settings = services.settings
    models = list(dict.fromkeys(services.resolve_model(settings.model or department.defaultModel) for department in chosen))
    for model in models:
        remark = f", {REMARKS[model]}" if model in REMARKS else ""
        say(f"Model: {model}{remark}.")
    if EMBEDDED in models and settings.model not in (None, EMBEDDED):
        say(f"GATHER_MODEL is {settings.model!r}, which needs a key or a base URL: the embedded model answers in its place.")
    for model in models:
        services.check_reach(model)


def _stopped(request: AutomationRequest, progress: RunProgress, stop: BaseException | None) -> AutomationResult:
    """The output of a run that was stopped before it began, or at once by a second signal; what it had committed is kept."""
    usual = "stopped before the run began" if progress.task_id is None else "stopped at once; what was committed before is kept"
    return AutomationResult(
        task_id=progress.task_id or "",
        project_id=request.project_id,
        status="cancelled",
        iterations=progress.iterations,
        departments_processed=progress.ended,
        items_created=progress.kept,
        processing_time_ms=round((time.monotonic() - progress.began) * 1000),
        summary=(),
        reason=str(stop or "") or usual,
        tokens=None,
        cost=None,
    )
