"""The task `automated_gather_creation` of seed S001, as it reads there.

Departments in order, each until it is good enough; then its evaluation and its draft; progress all along; a cancel saves before it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, DepartmentResult, Status
from gather_pipeline.domain.departments import Department, select
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.quality import is_judged
from gather_pipeline.errors import GatherError, ProjectBusy, TaskCancelled
from gather_pipeline.gather import ladder
from gather_pipeline.gather.announce import Progress
from gather_pipeline.gather.department_loop import run_department
from gather_pipeline.gather.judges import check_models
from gather_pipeline.gather.metric_rows import run_row
from gather_pipeline.gather.opening import open_session
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.timing import Stopwatch
from gather_pipeline.records.departments import refresh_departments
from gather_pipeline.records.lease import Lease, Owner, holding
from gather_pipeline.records.registry import Projects, Runs
from gather_pipeline.services import Services
from gather_pipeline.upkeep.draft import draft_department
from gather_pipeline.upkeep.evaluate import evaluate_department

logger = logging.getLogger(__name__)


def run_automation(
    services: Services,
    request: AutomationRequest,
    *,
    task_id: str,
    progress: Progress | None = None,
    on_department: Callable[[DepartmentResult], None] | None = None,
    on_takeover: Callable[[str], None] | None = None,
    queue_wait_s: float | None = None,
) -> AutomationResult:
    """Runs the automation of one project and returns the task's output.

    Args:
        services: The engines.
        request: The task's input.
        task_id: Id of the run.
        progress: Is shown every event, and the state between events.
        on_department: Is called at each department's end, after its evaluation and draft.
        on_takeover: Is given the id of a dead run whose lease was taken over.
        queue_wait_s: Seconds that the run waited to be started, None where nothing says.

    Returns:
        Status `completed` where every department ended by rule, `cancelled` on request, `failed` where a department could not be worked on.

    Raises:
        InvalidInput: The project, a department or the list of departments is not there or wrong; nothing was begun.
        ProjectBusy: Another live run holds the project.
        GatherError: The store or another engine failed for good; what was committed stays.
    """
    runs = Runs(services.store, services.main_database, services.clock)
    project = Projects(services.store, services.main_database, services.clock).get(request.project_id)
    departments = refresh_departments(services, project.id)
    chosen = select(departments, request.departments)
    check_models(services, chosen)
    lease = Lease(services.store, services.main_database, project.id, Owner.this_process(task_id), services.settings.lease_s)
    with ExitStack() as stack:
        stack.enter_context(holding(lease, services.settings.lease_s))
        # Not only the lease's last owner: whoever took it over before may have been killed before it could note that.
        for dead in runs.abandon(project.id):
            if on_takeover is not None:
                on_takeover(dead)
        runs.start(task_id, project.id, request.to_document())
        stopwatch = Stopwatch()
        session = stack.enter_context(
            open_session(
                services, request, project, task_id, stopwatch, progress, lambda: runs.cancel_requested(task_id), lease.lost.is_set
            )
        )
        return _run(session, runs, chosen, departments, on_department, stopwatch, queue_wait_s)


def _run(
    session: Session,
    runs: Runs,
    chosen: list[Department],
    departments: list[Department],
    on_department: Callable[[DepartmentResult], None] | None,
    stopwatch: Stopwatch,
    queue_wait_s: float | None,
) -> AutomationResult:
    clock, began, started_at = session.services.clock, session.services.clock.monotonic(), session.services.clock.now()
    summary: list[DepartmentResult] = []

    def end(status: Status, reason: str) -> AutomationResult:
        result = AutomationResult(
            task_id=session.task_id,
            project_id=session.project.id,
            status=status,
            iterations=session.total_iterations,
            departments_processed=len(summary),
            items_created=session.items_created,
            processing_time_ms=round((clock.monotonic() - began) * 1000),
            summary=tuple(summary),
            reason=reason,
            tokens=session.control.spent.tokens,
            cost=session.control.spent.cost,
        )
        _announce_end(session, result)
        session.scribe.flush()
        runs.finish(session.task_id, result.to_document())
        session.metrics.append("run", run_row(result, started_at, clock.now(), queue_wait_s))
        for row in stopwatch.rows():
            session.metrics.append("timing", {"task_id": session.task_id, "project_id": session.project.id, **row})
        return result

    try:
        for place, department in enumerate(chosen):
            remaining = session.request.max_iterations - session.total_iterations
            allowed = ladder.share(remaining, len(chosen) - place)
            result = run_department(session, department, departments[: departments.index(department)], allowed)
            summary.append(result)
            _evaluate_and_draft(session, department, result)
            session.scribe.flush()
            if on_department is not None:
                on_department(result)
    except TaskCancelled as request:
        return end("cancelled", str(request))
    except ProjectBusy:
        # The lease is lost: whoever has it now numbers the events, so this run writes nothing more.
        raise
    except BaseException as error:
        status: Status = "failed" if isinstance(error, Exception) else "cancelled"
        reason = str(error) if isinstance(error, GatherError) else type(error).__name__
        logger.error("[AutoGather] The run ends: %s", reason, extra={TOLD_BY_EVENT: True})
        try:
            end(status, reason if status == "failed" else "interrupted")
        except GatherError as second:
            logger.error("[AutoGather] The end of the run could not be noted: %s", second)
        raise
    failed = [result for result in summary if result.ended_by == "failed"]
    if failed:
        return end("failed", "; ".join(f"department {result.department}: {result.reason}" for result in failed))
    early = next((result for result in summary if result.ended_by in ("budget", "deadline")), None)
    if early:
        return end("completed", f"stopped early, in department {early.department}: {early.reason}")
    return end("completed", "every department ended by rule")


def _evaluate_and_draft(session: Session, department: Department, result: DepartmentResult) -> None:
    """The evaluation and the draft that a department's end triggers, in department order; they ask no model."""
    if result.quality_score is None:
        return
    services, project_id = session.services, session.project.id
    if session.request.enable_auto_evaluation:
        row = evaluate_department(
            services, project_id, department.slug, auto_triggered=True, user_id=session.request.user_id, task_id=session.task_id
        )
        if not row["unchanged"]:
            session.announcer.announce(
                "evaluation_triggered",
                department=department.slug,
                department_number=department.codeDepNumber,
                quality_score=row["value"],
                judged=is_judged(row),
            )
    draft_department(services, project_id, department.slug)


def _announce_end(session: Session, result: AutomationResult) -> None:
    announce = session.announcer.announce
    logger.info("[AutoGather] Run %s %s: %d items in %d iterations", result.task_id, result.status, result.items_created, result.iterations)
    match result.status:
        case "completed":
            announce(
                "automation_complete",
                total_iterations=result.iterations,
                departments_processed=result.departments_processed,
                items_created=result.items_created,
                summary=[row.to_summary() for row in result.summary],
            )
        case "cancelled":
            announce("automation_cancelled", items_created_so_far=result.items_created, reason=result.reason)
        case _:
            announce("automation_failed", error=result.reason, items_created_so_far=result.items_created)
