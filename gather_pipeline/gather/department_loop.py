"""One department: iterations until its threshold, its share, stagnation or the run's brakes end it (S001-ORCH-02 to 07)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gather_pipeline.domain.automation import DepartmentResult
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.iterations import EndedBy
from gather_pipeline.domain.quality import told
from gather_pipeline.errors import BudgetExhausted, DeadlineReached, Stopped, TaskCancelled
from gather_pipeline.gather.department_state import DepartmentState
from gather_pipeline.gather.iteration import Attempt
from gather_pipeline.gather.session import Session

logger = logging.getLogger(__name__)


def run_department(session: Session, department: Department, before: Sequence[Department], allowed: int) -> DepartmentResult:
    """Brings one department to its end.

    Args:
        session: The run.
        department: Whose turn it is.
        before: Departments that ran earlier, in order.
        allowed: Most iterations: its share of what is left (C27).

    Raises:
        TaskCancelled: Somebody asked for the end; what was generated is saved.
    """
    state = DepartmentState.read(session, department, before, allowed)
    session.announcer.announce(
        "department_started",
        department=department.slug,
        department_name=department.name,
        threshold=department.threshold,
        model=state.chain[0],
    )
    logger.info("[AutoGather] Started dept %s (threshold: %g%%)", department.name, department.threshold)
    if state.finished and state.last:
        session.announcer.announce("skipped_unchanged", department=department.slug, quality_score=state.score, judged=state.judged)
        return _result(state, "unchanged", "")
    ended = state.ended()
    detail = ""
    while ended is None:
        ended, detail = _iterate(state)
    return _result(state, ended, detail)


def _iterate(state: DepartmentState) -> tuple[EndedBy | None, str]:
    """One iteration; why the department ends after it (None where it goes on), and the detail of that reason."""
    control = state.session.control
    state.session.catch_up()
    stopped: Stopped | None = None
    try:
        control.check(look=True)
        control.check_budget()
    except TaskCancelled:
        raise
    except Stopped as reason:
        stopped = reason
    if stopped is None:
        attempt = Attempt(state=state)
        try:
            stopped = attempt.generate()
            if stopped is None and attempt.unanswered():
                calls, last = attempt.harvest.calls, attempt.harvest.faults[-1]
                return "failed", f"every one of {calls} calls failed, the last one because: {last}"
            attempt.finish(partial=stopped is not None)
        except BaseException:
            # Interrupts of Dagster and of the terminal are no Exceptions: what was generated is saved before they go on.
            _rescue(attempt)
            raise
    match stopped:
        case TaskCancelled():
            raise stopped
        case DeadlineReached():
            return "deadline", str(stopped)
        case BudgetExhausted():
            return "budget", str(stopped)
        case _:
            return state.ended(), ""


def _rescue(attempt: Attempt) -> None:
    try:
        attempt.finish(partial=True)
    except Exception:
        # The first error is the one to tell; rows without a commit are cleared at the next start.
        logger.exception("[AutoGather] What iteration %d of %s had generated could not be saved", attempt.number, attempt.department.slug)


def _result(state: DepartmentState, ended: EndedBy, detail: str) -> DepartmentResult:
    department, announcer = state.department, state.session.announcer
    score = state.score
    reason = _sentence(state, ended, score, detail)
    if ended in ("budget", "deadline") or (ended == "share" and state.allowed == 0):
        announcer.announce("skipped_budget", department=department.slug, reason=reason)
    elif ended in ("share", "maxIterations"):
        logger.warning("[AutoGather] Max iterations reached in dept %s: %s", department.name, reason, extra={TOLD_BY_EVENT: True})
        announcer.announce(
            "max_iterations_reached",
            department=department.slug,
            final_quality_score=score,
            judged=state.judged,
            threshold=department.threshold,
            limit=ended,
        )
    announcer.announce(
        "department_complete",
        department=department.slug,
        department_name=department.name,
        quality_score=score,
        judged=state.judged,
        iterations_used=state.iterations,
        items_created=state.items_created,
        ended_by=ended,
        reason=reason,
    )
    return DepartmentResult(
        department=department.slug,
        name=department.name,
        quality_score=score,
        threshold=department.threshold,
        iterations=state.iterations,
        items_created=state.items_created,
        ended_by=ended,
        reason=reason,
        judged=state.judged,
    )


def _sentence(state: DepartmentState, ended: EndedBy, score: float | None, detail: str) -> str:
    quality = "no quality yet" if score is None else f"quality {told(score, state.judged)}"
    aim = f"{quality} of threshold {state.department.threshold:g}"
    match ended:
        case "threshold" if not state.judged:
            return f"reached {score:g} by text statistics, unjudged; the threshold is {state.department.threshold:g}"
        case "threshold":
            return f"{quality} reached the threshold {state.department.threshold:g}"
        case "maxIterations":
            return f"{aim} after all of its {state.department.coordinationSettings.maxIterations} iterations"
        case "share":
            return f"{aim} after {state.iterations} iterations, its share of max_iterations"
        case "stagnation":
            return f"{aim} did not rise any more, whatever was tried"
        case "unchanged":
            return f"{quality}: nothing that its prompts used has changed, so nothing was done"
        case "failed":
            return detail
        case _:
            return f"{aim}: {detail}"
