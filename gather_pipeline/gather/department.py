"""One department: iterations until its threshold, its share, stagnation or the run's brakes end it (S001-ORCH-02 to 07)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gather_pipeline.domain.automation import DepartmentResult
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.iterations import EndedBy
from gather_pipeline.errors import BudgetExhausted, DeadlineReached, ProjectBusy, Stopped, StoreGone, StoreUnavailable, TaskCancelled
from gather_pipeline.gather.iteration import Attempt
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.state import DepartmentState
from gather_pipeline.upkeep.events import LIMITS, department_result, of_department, of_limit

logger = logging.getLogger(__name__)

AWAY_S = (5.0, 10.0, 20.0, 30.0)  # waits for a model server that went away, the last one again and again
AHEAD = 2  # iterations begun ahead at most: one leaves slots idle while a slow answer is awaited, three know too little of what is written


class DepartmentLoop:
    """Brings one department to its end.

    Its first calls are under way once it is made, so that they need not wait for the end of the department before it; the calls of the
    next iterations are begun while those of this one are awaited and judged, as long as they are sure to be wanted.

    Args:
        session: The run.
        department: Whose turn it is.
        before: Departments that ran earlier, in order.
        allowed: Most iterations: its share of what is left (C27).
    """

    def __init__(self, session: Session, department: Department, before: Sequence[Department], allowed: int) -> None:
        self._session, self._department = session, department
        self.state = DepartmentState.read(session, department, before, allowed)
        self._under_way: list[Attempt] = []
        if not self.state.finished and self.state.ended() is None:
            self._under_way.append(Attempt(self.state, self.state.number + 1))
            self._under_way[0].batch.begin_all()

    def run(self) -> DepartmentResult:
        """Goes on until the threshold, the share, stagnation or the run's brakes end the department.

        Raises:
            TaskCancelled: Somebody asked for the end; what was generated is saved.
        """
        state, department = self.state, self._department
        self._session.announcer.announce(
            "department_started",
            department=department.slug,
            department_name=department.name,
            threshold=department.threshold,
            model=state.chain[0],
        )
        logger.info("[AutoGather] Started dept %s (threshold: %g%%)", department.name, department.threshold)
        if state.finished and state.last:
            self._session.announcer.announce(
                "skipped_unchanged", department=department.slug, quality_score=state.score, judged=state.judged
            )
            return _result(state, "unchanged", "")
        ended, detail = state.ended(), ""
        try:
            while ended is None:
                ended, detail = self._iterate()
        finally:
            self.close()
        return _result(state, ended, detail)

    def close(self) -> None:
        """Throws away calls that were begun and are not needed any more."""
        for attempt in self._under_way:
            self._session.thrown_away += attempt.batch.begun
            attempt.batch.discard()
        self._under_way.clear()

    def _iterate(self) -> tuple[EndedBy | None, str]:
        """One iteration; why the department ends after it (None where it goes on), and the detail of that reason."""
        state = self.state
        try:
            self._session.catch_up()
            if not self._under_way:
                self._under_way.append(Attempt(state, state.number + 1))
            attempt = self._under_way[0]
            while len(self._under_way) <= AHEAD and state.may_begin_ahead(len(self._under_way)):
                self._under_way.append(Attempt(state, self._under_way[-1].number + 1, self._under_way))
            stopped = attempt.generate(self._under_way[1:])
            if stopped is None and attempt.met_no_server() and self._session.answered:
                stopped = self._await_server(attempt.batch.faults[-1])
                if stopped is None:
                    return None, ""
            if stopped is None and attempt.is_in_vain():
                return "failed", f"every one of {attempt.batch.size} calls failed, the last one because: {attempt.batch.faults[-1]}"
            if stopped is None:
                self._tell_return()
                try:
                    attempt.finish(partial=False)
                    self._under_way.remove(attempt)
                except Stopped as reason:  # while the judge was asked
                    stopped = reason
            if stopped is not None:
                self._save_all()
        except BaseException:
            # Interrupts of Dagster and of the terminal are no Exceptions: what was generated is saved before they go on.
            self._session.control.end_soon()
            self._rescue()
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

    def _await_server(self, fault: str) -> Stopped | None:
        """Lets go of all calls and waits, longer each time, for a model server that answered before and went away."""
        self._under_way.pop(0)
        self.close()
        if not self._session.waits:
            logger.warning("[AutoGather] No model server was met, the run waits for it: %s", fault, extra={TOLD_BY_EVENT: True})
            self._session.announcer.announce("model_away", department=self._department.slug, error=fault)
        seconds = _wait_s(self._session.waits)
        self._session.waits += 1
        self._session.services.runs.note_wait(self._session.task_id, seconds)
        try:
            self._session.wait(self._session.pause(seconds))
        except Stopped as reason:
            return reason
        return None

    def _tell_return(self) -> None:
        rounds, self._session.waits = self._session.waits, 0
        if rounds:
            waited = sum(map(_wait_s, range(rounds)))
            self._session.announcer.announce("model_back", department=self._department.slug, rounds=rounds, waited_s=waited)

    def _save_all(self) -> None:
        """Commits what has come of all calls under way, as far as anything has."""
        for attempt in self._under_way:
            attempt.batch.cancel()
            attempt.finish(partial=True)
        self._under_way.clear()

    def _rescue(self) -> None:
        """Saves what it can after an error, which stays the one to report; rows without a commit are cleared by the next run."""
        left, self._under_way = self._under_way, []
        for attempt in left:
            try:
                attempt.batch.cancel()
                attempt.finish(partial=True)
            except StoreGone:
                if attempt.batch.notes:
                    attempt.accept()
            except (ProjectBusy, StoreUnavailable):
                pass  # as that error says
            except Exception:
                logger.exception("[AutoGather] What %s had generated could not be saved", self._department.slug)


def _wait_s(waits: int) -> float:
    """Seconds to wait after as many waits in a row."""
    return AWAY_S[min(waits, len(AWAY_S) - 1)]


def _result(state: DepartmentState, ended: EndedBy, detail: str) -> DepartmentResult:
    department, announcer = state.department, state.session.announcer
    result = department_result(
        department,
        ended,
        score=state.score,
        judged=state.judged,
        iterations=state.iterations,
        items_created=state.items_created,
        faults=state.last.faults if state.last and state.iterations and not (ended == "failed" and detail) else (),
        detail=detail,
    )
    if ended in ("budget", "deadline") or (ended == "share" and state.allowed == 0):
        announcer.announce("skipped_budget", department=department.slug, reason=result.reason)
    elif ended in LIMITS:
        logger.warning("[AutoGather] Max iterations reached in dept %s: %s", department.name, result.reason, extra={TOLD_BY_EVENT: True})
        announcer.announce("max_iterations_reached", **of_limit(result))
    announcer.announce("department_complete", **of_department(result))
    return result
