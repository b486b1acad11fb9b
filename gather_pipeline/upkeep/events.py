"""Events made from what is stored, the same way while a run goes on and later, where the run was killed before it could send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gather_pipeline.domain.automation import AutomationResult, DepartmentResult, Run, Status
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.events import Event, EventType
from gather_pipeline.domain.iterations import EndedBy, Iteration
from gather_pipeline.domain.quality import Score, told
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import DuplicateKey
from gather_pipeline.records.lease import Lease
from gather_pipeline.records.view import ProjectView

Fields = Mapping[str, Any]
ENDS: Mapping[str, EventType] = {
    "completed": "automation_complete",
    "cancelled": "automation_cancelled",
    "failed": "automation_failed",
}

LIMITS: tuple[EndedBy, ...] = ("share", "maxIterations")


def of_iteration(iteration: Iteration, department_name: str, total_iterations: int) -> Fields:
    """Fields of `iteration_complete`; `total_iterations` are its run's up to it."""
    return {
        "department": iteration.department,
        "department_name": department_name,
        "iteration": iteration.number,
        "total_iterations": total_iterations,
        "quality_score": iteration.score,
        "judged": iteration.quality.judged,
        "items_created": len(iteration.item_ids),
        "threshold": iteration.threshold,
        "duplicates_dropped": iteration.duplicates + iteration.filtered,
        "tokens": iteration.tokens,
    }


def of_limit(result: DepartmentResult) -> Fields:
    """Fields of `max_iterations_reached`, where one of `LIMITS` ended a department."""
    return {
        "department": result.department,
        "final_quality_score": result.quality_score,
        "judged": result.judged,
        "threshold": result.threshold,
        "limit": result.ended_by,
    }


def of_department(result: DepartmentResult) -> Fields:
    """Fields of `department_complete`."""
    return {
        "department": result.department,
        "department_name": result.name,
        "quality_score": result.quality_score,
        "judged": result.judged,
        "iterations_used": result.iterations,
        "items_created": result.items_created,
        "ended_by": result.ended_by,
        "reason": result.reason,
    }


def of_score(score: Score) -> Fields:
    """Fields of `evaluation_triggered`."""
    return {
        "department": score.department,
        "department_number": score.department_number,
        "quality_score": score.value,
        "judged": score.quality.judged,
    }


def of_end(result: AutomationResult) -> Fields:
    """Fields of the event in which a run ends that has noted what it did."""
    if result.status != "completed":
        return of_early_end(result.status, result.reason, result.items_created)
    return {
        "total_iterations": result.iterations,
        "departments_processed": result.departments_processed,
        "items_created": result.items_created,
        "summary": result.to_document()["summary"],
    }


def of_early_end(status: Status, reason: str | None, items_created: int) -> Fields:
    """Fields of `automation_cancelled` and `automation_failed`."""
    return {"items_created_so_far": items_created, "reason" if status == "cancelled" else "error": reason}


def department_result(
    department: Department,
    ended: EndedBy,
    *,
    score: float | None,
    judged: bool,
    iterations: int,
    items_created: int,
    faults: Sequence[str],
    detail: str = "",
) -> DepartmentResult:
    """How a department of a run went, by counts of the run.

    `faults` are sentences on what went wrong in the run's last iteration of it, `detail` is what `ended` does not say.
    """
    reason = _sentence(department, ended, score, judged, iterations, detail)
    if faults:
        reason += f"; {counted(len(faults), 'fault')} in its last iteration, the last one: {faults[-1]}"
    return DepartmentResult(
        department=department.slug,
        name=department.name,
        quality_score=score,
        threshold=department.threshold,
        iterations=iterations,
        items_created=items_created,
        ended_by=ended,
        reason=reason,
        judged=judged,
    )


def _sentence(department: Department, ended: EndedBy, score: float | None, judged: bool, iterations: int, detail: str) -> str:
    quality = "no quality yet" if score is None else f"quality {told(score, judged)}"
    aim = f"{quality} of threshold {department.threshold:g}"
    match ended:
        case "threshold" if not judged:
            return f"reached {score:g} by text statistics, unjudged; the threshold is {department.threshold:g}"
        case "threshold":
            return f"{quality} reached the threshold {department.threshold:g}"
        case "maxIterations":
            return f"{aim} after all of its {department.coordinationSettings.maxIterations} iterations"
        case "share":
            return f"{aim} after {iterations} iterations, its share of max_iterations"
        case "stagnation":
            return f"{aim} did not rise any more, whatever was tried"
        case "unchanged":
            return f"{quality}: nothing that its prompts used has changed, so nothing was done"
        case "failed":
            return (
                detail
                or f"{aim} did not rise any more, and its judge never gave a usable answer (GATHER_JUDGE_MODEL names another, or none)"
            )
        case _:
            return f"{aim}: {detail}"


def complete_events(view: ProjectView, runs: Sequence[Run], lease: Lease) -> list[Event]:
    """Stores the events that killed runs of a project owe, and returns them, in the order and with the times of their causes.

    `runs` are the project's, oldest first; the caller holds the lease. Raises `ProjectBusy` where it is lost.
    """
    told = {event.task_id for event in view.records.events_of(type=ENDS.values())}
    silent = [run for run in runs if run.status != "running" and run.task_id not in told]
    if not silent:
        return []
    known = {_key(event) for event in view.records.events_of(task_id=[run.task_id for run in silent])}
    owed = [event for run in silent for event in sorted(_of_run(view, run), key=lambda one: one.at) if _key(event) not in known]
    while True:
        last = view.records.last_sequence()
        missing = [replace(event, sequence=last + place) for place, event in enumerate(owed, start=1)]
        try:
            view.records.add_events(missing)
            return missing
        except DuplicateKey:  # a run that lost its lease stored an event meanwhile, or this one has lost its own
            lease.confirm()


def _of_run(view: ProjectView, run: Run) -> Iterator[Event]:
    """Every event of a run whose cause is stored: of a department's end, where one of its iterations brought it about."""

    def event(kind: EventType, fields: Fields, at: str | None) -> Event:
        return Event(type=kind, fields=fields, project_id=run.project_id, task_id=run.task_id, at=at or run.started_at)

    departments = {stored.slug: stored.department for stored in view.departments}
    done = sorted((one for one in view.iterations if one.task_id == run.task_id), key=lambda one: one.ended_at)
    for total, one in enumerate(done, start=1):
        department = departments.get(one.department)
        name = department.name if department is not None else one.department
        yield event("iteration_complete", of_iteration(one, name, total), one.ended_at)
        if one.ended_by is not None and department is not None:
            own = [other for other in done[:total] if other.department == one.department]
            result = department_result(
                department,
                one.ended_by,
                score=one.score,
                judged=one.quality.judged,
                iterations=len(own),
                items_created=sum(len(other.item_ids) for other in own),
                faults=one.faults,
            )
            if one.ended_by in LIMITS:
                yield event("max_iterations_reached", of_limit(result), one.ended_at)
            yield event("department_complete", of_department(result), one.ended_at)
    for score in view.scores.values():
        if score.task_id == run.task_id and score.auto_triggered:
            yield event("evaluation_triggered", of_score(score), score.evaluated_at)
    created = sum(len(one.item_ids) for one in done)
    ended = of_end(run.result) if run.result else of_early_end(run.status, run.reason, created)
    yield event(ENDS[run.status], ended, run.ended_at)


def _key(event: Event) -> tuple[Any, ...]:
    return event.task_id, event.type, event.fields.get("department"), event.fields.get("iteration")
