"""The task `automated_gather_creation` of seed S001, as it reads there.

Departments in order, each until it is good enough; then its evaluation and its draft; progress all along; a cancel saves before it ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress

from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, DepartmentResult, Status
from gather_pipeline.domain.departments import Department, select, to_automate
from gather_pipeline.domain.events import TOLD_BY_EVENT, Progress
from gather_pipeline.errors import GatherError, ProjectBusy, StoreGone, TaskCancelled
from gather_pipeline.gather import ladder
from gather_pipeline.gather.aside import write_aside
from gather_pipeline.gather.department import DepartmentLoop
from gather_pipeline.gather.judges import check_models
from gather_pipeline.gather.session import Session, open_session
from gather_pipeline.records.departments import store_departments
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.services import Services
from gather_pipeline.upkeep.draft import propose_draft
from gather_pipeline.upkeep.evaluate import evaluate
from gather_pipeline.upkeep.events import ENDS, complete_events, of_end, of_score

logger = logging.getLogger(__name__)


def run_automation(
    services: Services,
    request: AutomationRequest,
    *,
    task_id: str,
    progress: Progress | None = None,
    on_department: Callable[[DepartmentResult], None] | None = None,
    queue_wait_s: float | None = None,
) -> AutomationResult:
    """Runs the automation of one project and returns the task's output.

    Args:
        services: The engines.
        request: The task's input.
        task_id: Id of the run.
        progress: Is shown every event, and the state between events.
        on_department: Is called at each department's end, after its evaluation and draft.
        queue_wait_s: Seconds that the run waited to be started, None where nothing says.

    Returns:
        Status `completed` where every department ended by rule, `cancelled` on request, `failed` where a department could not be worked on.

    Raises:
        InvalidInput: The project, a department or the list of departments is not there or wrong; nothing was begun.
        ProjectBusy: Another live run holds the project.
        GatherError: The store or another engine failed for good; what was committed stays.
    """
    runs = services.runs
    project = services.projects.get(request.project_id)
    departments = to_automate(services.departments.departments())
    chosen = select(departments, request.departments)
    check_models(services, chosen)
    lease = services.leases.lease(project.id, Owner.this_process(task_id), services.settings.lease_s)
    with ExitStack() as stack:
        stack.enter_context(holding(lease))
        # Not only the lease's last owner: whoever took it over before may have been killed before it could note that.
        runs.abandon(project.id, lease)
        records = services.project(project.id)
        if removed := records.settle(lease):
            logger.warning("[AutoGather] Cleared %d rows that an interrupted run had not committed", removed)
        view = records.view()
        owed = complete_events(view, runs.of_project(project.id), lease)
        store_departments(view, departments)
        runs.start(task_id, request, queue_wait_s)
        if services.submissions.cancel_requested(task_id):  # as long as the run was not noted, only there could it be said
            runs.request_cancel(task_id)
        session = stack.enter_context(
            open_session(services, request, project, lease, progress, lambda: runs.cancel_requested(task_id), owed)
        )
        return _run(session, chosen, departments, on_department)


def _run(
    session: Session,
    chosen: list[Department],
    departments: list[Department],
    on_department: Callable[[DepartmentResult], None] | None,
) -> AutomationResult:
    clock, began = session.services.clock, session.services.clock.monotonic()
    summary: list[DepartmentResult] = []

    def result_of(status: Status, reason: str) -> AutomationResult:
        return AutomationResult(
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

    def end(status: Status, reason: str) -> AutomationResult:
        result = result_of(status, reason)
        logger.info("[AutoGather] Run %s %s: %d items in %d iterations", result.task_id, status, result.items_created, result.iterations)
        session.store_executions()
        if session.thrown_away:
            logger.info("[AutoGather] Calls that were begun ahead and not needed: %d", session.thrown_away)
        session.services.runs.finish(result)
        session.announcer.announce(ENDS[status], **of_end(result))
        return result

    def begin(place: int) -> DepartmentLoop:
        allowed = ladder.share(session.request.max_iterations - session.total_iterations, len(chosen) - place)
        return DepartmentLoop(session, chosen[place], departments[: departments.index(chosen[place])], allowed)

    try:
        session.load()
        loop = begin(0)
        try:
            for place, department in enumerate(chosen):
                result = loop.run()
                summary.append(result)
                if place + 1 < len(chosen):
                    loop = begin(place + 1)  # its first calls are under way while this department is evaluated and drafted
                _evaluate_and_draft(session, department, result)
                if on_department is not None:
                    on_department(result)
        finally:
            loop.close()
    except TaskCancelled as request:
        return end("cancelled", str(request))
    except ProjectBusy:
        # The lease is lost: whoever has it now numbers the events, so this run writes nothing more.
        raise
    except StoreGone as error:
        told = write_aside(session, error)
        logger.error("[AutoGather] The run ends: %s", told, extra={TOLD_BY_EVENT: True})
        with suppress(GatherError):  # runs are noted in a file of their own, which may be gone too
            session.services.runs.finish(result_of("failed", str(told)))
        raise told from error
    except BaseException as error:
        session.control.end_soon()
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
        if early.ended_by == "deadline" and not session.total_iterations:
            return end("failed", f"no answer came in the time given: {early.reason}")
        return end("completed", f"stopped early, in department {early.department}: {early.reason}")
    return end("completed", "every department ended by rule")


def _evaluate_and_draft(session: Session, department: Department, result: DepartmentResult) -> None:
    """The evaluation and the draft that a department's end triggers, in department order; they ask no model."""
    if result.quality_score is None:
        return
    slug, user_id = department.slug, session.request.user_id
    items, history = session.items.get(slug, []), session.history.get(slug, [])
    last = history[-1] if history else None
    if session.request.enable_auto_evaluation:
        score = evaluate(
            session.services,
            session.project,
            department,
            items=items,
            vectors=session.vectors_of(slug),
            last=last,
            stored=session.scores.get(slug),
            read_at=session.read_at,
            auto_triggered=True,
            user_id=user_id,
            task_id=session.task_id,
            lease=session.lease,
        )
        if score.changed:
            session.announcer.announce("evaluation_triggered", **of_score(score.value))
    drafted = session.drafts.get(slug)
    propose_draft(session.services, session.project.id, department, items=items, last=last, stored=drafted, lease=session.lease)
