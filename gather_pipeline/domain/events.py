"""Progress events: the seven types of S001 with their fields, and ours (S001-EVT, C28, C50)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    "model_away",
    "model_back",
    "evaluation_triggered",
    "automation_failed",
    "below_threshold",
]

FIELDS: Mapping[str, tuple[str, ...]] = {
    "department_started": ("department", "department_name", "threshold", "model"),
    "deduplicating": ("department",),
    "iteration_complete": ("department", "department_name", "iteration", "total_iterations", "quality_score", "items_created", "threshold"),
    "department_complete": ("department", "department_name", "quality_score", "iterations_used"),
    "max_iterations_reached": ("department", "final_quality_score", "threshold"),
    "automation_complete": ("total_iterations", "departments_processed", "items_created", "summary"),
    "automation_cancelled": ("items_created_so_far",),
    "stagnation_detected": ("department", "quality_score", "step"),
    "skipped_budget": ("department", "reason"),
    "skipped_unchanged": ("department", "quality_score"),
    "model_fault": ("department", "error", "model"),
    "model_away": ("department", "error"),
    "model_back": ("department", "rounds", "waited_s"),
    "evaluation_triggered": ("department", "department_number", "quality_score"),
    "automation_failed": ("error",),
    "below_threshold": ("department", "quality_score", "threshold", "error"),
}


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run.

    Attributes:
        type: One of `EventType`; ``progress`` for a state that is shown and not stored.
        fields: What the type says of it, `FIELDS` at least.
        sequence: Number within the project, 1 for its first event; 0 for what is not stored.
        at: When, UTC.
    """

    type: EventType | Literal["progress"]
    fields: Mapping[str, Any]
    project_id: str
    task_id: str
    sequence: int = 0
    at: str = ""

    def __post_init__(self) -> None:
        """Holds the event to its type's fields: one that is missing is a fault of the caller, not of a user."""
        missing = [name for name in FIELDS.get(self.type, ()) if name not in self.fields]
        if missing:
            raise KeyError(f"event {self.type} lacks {', '.join(missing)}")

    @property
    def id(self) -> str:
        """Tells the event from every other, also where it is delivered more than once."""
        return f"{self.task_id}-{self.sequence or '-'.join([self.type, *filter(None, [self.fields.get('department')])])}"

    def to_document(self) -> dict[str, Any]:
        """JSON-able form, the fields beside the rest: what listeners get and `gather events` prints."""
        numbered = {"project_id": self.project_id, "task_id": self.task_id, "sequence": self.sequence, "at": self.at}
        return {"type": self.type, **self.fields, **numbered}

    def to_json(self) -> str:
        """The same as a line of JSON: what goes to webhooks, channels and live clients."""
        return json.dumps(self.to_document(), default=str)


@dataclass(frozen=True, kw_only=True)
class Setback:
    """Why a receiver did not take an event.

    Attributes:
        kind: ``away``: nobody answered, or somebody asked to wait, which may pass by itself. ``fault``: it failed, perhaps at this very
            event. ``refused``: it said no.
        reason: In one line, without the secrets of the address.
        wait_s: Seconds that it asks to wait, None where it does not say.
    """

    kind: Literal["away", "fault", "refused"]
    reason: str
    wait_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Letter:
    """An event on its way to a receiver that does not have it yet.

    Attributes:
        host: The receiver's.
        attempts: How often it was sent.
        reason: Why the receiver did not take it the last time, empty where it was not sent yet.
        is_dead: True where it is sent again only on request.
        is_kept: True where the letter is kept by itself, False where a cursor over the stored events stands before it.
    """

    event: Event
    host: str
    attempts: int = 0
    reason: str = ""
    is_dead: bool = False
    is_kept: bool = True

    def to_document(self) -> dict[str, Any]:
        """JSON-able form, the event in it."""
        letter = {"event_id": self.event.id, "sequence": self.event.sequence, "receiver": self.host}
        return letter | {"state": self.state, "attempts": self.attempts, "reason": self.reason or None, "event": self.event.to_document()}

    @property
    def state(self) -> Literal["waiting", "dead"]:
        """Whether it is sent by itself, or only on request."""
        return "dead" if self.is_dead else "waiting"


Progress = Callable[[Event], None]
"""Is shown every event, and the states between events."""
