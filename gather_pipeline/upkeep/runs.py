"""How a run is going, by its record, its lease and what it has committed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gather_pipeline.domain.automation import DepartmentResult, Status
from gather_pipeline.domain.executions import Usage
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services

GONE = "its process is gone; what it had committed is kept, and the next gather run goes on from there"
COUNTS = ("iterations", "departments_processed", "items_created", "processing_time_ms", "tokens", "cost")
Process = Literal["alive", "stopped", "gone", "ended"]


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """A run as it stands now; of one that has not noted its end, the counts are of what it has committed.

    Attributes:
        reason: Why it ended, None as long as it runs.
        process: ``gone`` where it ended without a word; nobody has noted its end yet, but it counts as ended. ``stopped`` where it hears
            of nothing (Ctrl-Z, SIGSTOP), which is gone once its lease has run out.
        away_rounds: Times that it has waited for a model server that went away.
        away_s: Seconds of these waits.
        processing_time_ms: None as long as it runs.
        tokens: None where a provider did not say.
        cost: US dollars, None where unknown.
        summary: How its departments went, empty as long as it runs.
    """

    task_id: str
    project_id: str
    status: Status
    reason: str | None
    process: Process
    cancel_requested: bool
    away_rounds: int
    away_s: float
    started_at: str
    ended_at: str | None
    request: Mapping[str, Any]
    iterations: int
    departments_processed: int
    items_created: int
    processing_time_ms: int | None
    tokens: int | None
    cost: float | None
    summary: tuple[DepartmentResult, ...]


def run_status(services: Services, task_id: str, view: ProjectView | None = None) -> RunStatus:
    """How a run is going, else `UnknownEntity`; its project is read only where that is needed and the caller gives no view of it."""
    run = services.runs.get(task_id)
    process: Process = "ended"
    if run.status == "running":
        holder = services.leases.holder(run.project_id)
        if holder is not None and holder.owner.task_id == task_id:
            process = "gone" if holder.is_dead else "stopped" if holder.owner.is_stopped else "alive"
        else:
            run = services.runs.get(task_id)  # it may have noted its end between the two looks
            process = "gone" if run.status == "running" else "ended"
    is_gone = process == "gone"
    counts = {name: getattr(run.result, name) for name in COUNTS} if run.result else _so_far(view or services.view(run.project_id), task_id)
    same = ("project_id", "cancel_requested", "away_rounds", "away_s", "started_at", "ended_at", "request")
    return RunStatus(
        task_id=task_id,
        status=run.status if not is_gone else "cancelled" if run.cancel_requested else "failed",
        reason=GONE if is_gone else run.reason,
        process=process,
        summary=run.result.summary if run.result else (),
        **{name: getattr(run, name) for name in same},
        **counts,
    )


def project_run(services: Services, view: ProjectView) -> RunStatus | None:
    """The run of a project that counts as running, else its last one; None where it has none."""
    runs = services.runs.of_project(view.records.project_id)
    if not runs:
        return None
    shown = next((run for run in reversed(runs) if run.status == "running"), runs[-1])
    return run_status(services, shown.task_id, view)


def _so_far(view: ProjectView, task_id: str) -> dict[str, Any]:
    history = [one for one in view.iterations if one.task_id == task_id]
    usage = sum((Usage(prompt_tokens=one.tokens, cost=one.cost) for one in history), start=Usage())
    return {
        "iterations": len(history),
        "departments_processed": sum(one.ended_by is not None for one in history),
        "items_created": sum(len(one.item_ids) for one in history),
        "processing_time_ms": None,
        "tokens": usage.tokens,
        "cost": usage.cost,
    }
