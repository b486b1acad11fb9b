"""Progress events: the seven types of S001 with their fields, and ours (S001-EVT, C28, C50)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

TOLD_BY_EVENT = "told_by_event"  # marks a log line, in its `extra`, that says what an event or the run's outcome says as well

EventType = Literal[
    "department_started",
    "deduplicating",
    "iteration_complete",
    "department_complete",
    "max_iterations_reached",
    "automation_complete",
    "automation_cancelled",
    "stagnation_detected",
    "skipped_budget",
    "skipped_unchanged",
    "model_fault",
    "evaluation_triggered",
    "automation_failed",
]

FIELDS: Mapping[EventType, tuple[str, ...]] = {
    "department_started": ("department", "department_name", "threshold", "model"),
    "deduplicating": ("department",),
    "iteration_complete": (
        "department",
        "department_name",
        "iteration",
        "total_iterations",
        "quality_score",
        "items_created",
        "threshold",
    ),
    "department_complete": ("department", "department_name", "quality_score", "iterations_used"),
    "max_iterations_reached": ("department", "final_quality_score", "threshold"),
    "automation_complete": ("total_iterations", "departments_processed", "items_created", "summary"),
    "automation_cancelled": ("items_created_so_far",),
    "stagnation_detected": ("department", "quality_score", "step"),
    "skipped_budget": ("department", "reason"),
    "skipped_unchanged": ("department", "quality_score"),
    "model_fault": ("department", "error", "model"),
    "evaluation_triggered": ("department", "department_number", "quality_score"),
    "automation_failed": ("error",),
}


def channel(project_id: str) -> str:
    """Name of the project's channel on a message bus (S001-EVT-02)."""
    return f"automated-gather:{project_id}"


def event(kind: EventType, **fields: Any) -> dict[str, Any]:
    """Builds an event and holds it to its type's fields; further fields are allowed.

    Raises:
        KeyError: A field of the type is missing: a fault of the caller, not of a user.
    """
    missing = [name for name in FIELDS[kind] if name not in fields]
    if missing:
        raise KeyError(f"event {kind} lacks {', '.join(missing)}")
    return {"type": kind, **fields}
