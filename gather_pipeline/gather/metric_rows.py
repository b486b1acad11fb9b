"""Rows for the metrics log: one a model execution, one an iteration, one a run (S001-MET-07 to 19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.automation import AutomationResult
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.tasks.execution import Execution


def answered_usage(execution: Execution) -> Usage:
    """Tokens and cost of the calls that were answered; a call without an answer tells nothing and is left out."""
    total = Usage()
    for call in execution.calls:
        if call.usage is not None:
            total = total + call.usage
    return total


def call_row(execution: Execution) -> Mapping[str, Any]:
    """A row of kind `call`."""
    spent, tags = answered_usage(execution), execution.tags
    return {
        "task_id": tags.get("automation_task_id"),
        "project_id": tags.get("project_id"),
        "department": tags.get("department"),
        "iteration": tags.get("iteration"),
        "definition": execution.task_id,
        "version": execution.task_version,
        "model": execution.models_used[-1] if execution.models_used else None,
        "status": "ok" if execution.status == "succeeded" else execution.status,
        "error": execution.error,
        "attempts": execution.attempts + execution.retries,
        "reasks": execution.reasks,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "cost": spent.cost,
        "latency_s": execution.execution_time_s,
    }


def iteration_row(iteration: Iteration, threshold: float) -> Mapping[str, Any]:
    """A row of kind `iteration`."""
    return {
        "task_id": iteration.task_id,
        "project_id": iteration.project_id,
        "department": iteration.department,
        "iteration": iteration.number,
        "quality": iteration.score,
        "judged": iteration.quality.judged,
        "threshold": threshold,
        **{name: part.value for name, part in iteration.quality.parts.items()},
        "items_generated": iteration.generated,
        "items_created": len(iteration.item_ids),
        "duplicates_dropped": iteration.duplicates,
        "filtered_dropped": iteration.filtered,
        "model": iteration.model,
        "tokens": iteration.tokens,
        "cost": iteration.cost,
        **{f"{phase}_s": seconds for phase, seconds in iteration.seconds.items()},
        "duration_s": round(sum(iteration.seconds.values()), 4),
        "rung": iteration.rung,
        "ended_by": iteration.ended_by,
    }


def run_row(result: AutomationResult, started_at: str, ended_at: str, queue_wait_s: float | None) -> Mapping[str, Any]:
    """A row of kind `run`."""
    return {
        "task_id": result.task_id,
        "project_id": result.project_id,
        "status": result.status,
        "reason": result.reason,
        "started_at": started_at,
        "ended_at": ended_at,
        "processing_time_ms": result.processing_time_ms,
        "queue_wait_s": queue_wait_s,
        "iterations": result.iterations,
        "items_created": result.items_created,
        "departments_processed": result.departments_processed,
        "tokens": result.tokens,
        "cost": result.cost,
    }
