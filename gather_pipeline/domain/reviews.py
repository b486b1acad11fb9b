"""What waits for a person, and what a person may do with it.

What is proposed never changes: a person accepts it, rejects it, or accepts it with changes of their own, which stand beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

Status = Literal["open", "accepted", "edited", "rejected", "expired"]
Choice = Literal["accept", "edit", "reject"]

TASK_OUTPUT = "task_output"  # the kind whose sources are executions
BECOMES: Mapping[Choice, Status] = {"accept": "accepted", "edit": "edited", "reject": "rejected"}


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Something that a person is asked to decide.

    Attributes:
        kind: What it is: ``task_output``, or a kind of another room's.
        title: One line for a list.
        content: What is proposed.
        subject: What it is for, such as task and input. The same content for the same subject is one review.
        schema: JSON Schema that a changed content must fit.
        validations: Names of rules that it must pass too.
        shown: What else a person may want to see, such as verdicts.
        source: Id of the execution or the like that waits for the decision.
        assignee: Who is asked; None for anybody.
        expires_at: When the question lapses, UTC, ISO 8601; None for never.
    """

    kind: str
    title: str
    content: JsonValue
    subject: Mapping[str, JsonValue]
    schema: Mapping[str, JsonValue] = field(default_factory=dict)
    validations: tuple[str, ...] = ()
    shown: Mapping[str, JsonValue] = field(default_factory=dict)
    source: str
    assignee: str | None = None
    expires_at: str | None = None

    @property
    def id(self) -> str:
        """Id of its review."""
        told = json.dumps([self.kind, self.subject, self.content], sort_keys=True)
        return f"r{hashlib.sha256(told.encode()).hexdigest()[:23]}"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that happened to a review.

    Attributes:
        at: UTC, ISO 8601.
        by: Who did it; empty for the program.
    """

    at: str
    by: str
    action: Literal["proposed", "reassigned", "accepted", "edited", "rejected", "expired"]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Review:
    """A proposal and how it stands.

    Attributes:
        proposal: As it was first made; its assignee and the time when it lapses are those of now.
        sources: Who waits for the decision, the newest last.
        history: What happened, the oldest first.
        changed: Content as a person changed it; None unless the status is ``edited``.
    """

    id: str
    proposal: Proposal
    status: Status
    sources: tuple[str, ...]
    history: tuple[Step, ...]
    changed: JsonValue | None = None

    @property
    def is_decided(self) -> bool:
        """Whether a person has accepted or rejected it."""
        return self.status in BECOMES.values()

    @property
    def told(self) -> str:
        """How it ended, for a person: who did what, when and why."""
        last = self.history[-1]
        note = f": {last.note}" if last.note else ""
        return f"{last.by or 'nobody in time'} {last.action} it at {last.at[:16].replace('T', ' ')} UTC{note}"

    def to_row(self) -> dict[str, Any]:
        """JSON-able form for a list: what it is and how it stands."""
        proposal = self.proposal
        return {
            "review": self.id,
            "kind": proposal.kind,
            "status": self.status,
            "title": proposal.title,
            "assignee": proposal.assignee,
            "created_at": self.history[0].at,
            "expires_at": proposal.expires_at,
            "sources": list(self.sources),
        }

    def to_document(self) -> dict[str, Any]:
        """JSON-able form with all that is proposed, shown and done."""
        proposal = self.proposal
        return self.to_row() | {
            "content": proposal.content,
            "changed": self.changed,
            "subject": dict(proposal.subject),
            "shown": dict(proposal.shown),
            "schema": dict(proposal.schema),
            "validations": list(proposal.validations),
            "history": [asdict(step) for step in self.history],
        }
