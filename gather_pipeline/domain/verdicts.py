"""What a check of an output says, and what is known of the model that wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from gather_pipeline.errors import InvalidInput

Ruling = Literal["accept", "reject", "escalate", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one check says of one output.

    Attributes:
        ruling: ``escalate`` asks for a person or a stricter check, ``undecided`` says that the check could not be made.
        method: Name of the check: consensus, hierarchical, external, human, or one of a plugin.
        confidence: 0 to 1; None where the method has no measure of it.
        reasons: Sentences for a person.
        suggestions: What would make the output better.
        evidence: What the ruling rests on, such as models asked and their agreement.
        waiting: Id of the review in which a person will decide.
        replacement: Output that is better than the one checked; None keeps it, for no task's output is null.
        replaced_by: Model whose output the replacement is; None where it is a person's.

    Raises:
        InvalidInput: The confidence is no number from 0 to 1.
    """

    ruling: Ruling
    method: str
    confidence: float | None = None
    reasons: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
    evidence: Mapping[str, JsonValue] = field(default_factory=dict)
    waiting: str | None = None
    replacement: JsonValue | None = None
    replaced_by: str | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0 <= self.confidence <= 1:
            raise InvalidInput.field(f"confidence of the verdict of {self.method}", self.confidence, "a number from 0 to 1")


def model_behind(verdicts: Sequence[Verdict], writer: str | None) -> str | None:
    """The model whose output is there after these checks: the writer, or the last one whose output took the place of it."""
    return next((verdict.replaced_by for verdict in reversed(verdicts) if verdict.replaced_by), writer)


@dataclass(frozen=True, kw_only=True)
class TrackRecord:
    """How a model has done at a task so far.

    Attributes:
        runs: Verified or rated executions.
        accepted: Those of them whose output was accepted.
    """

    runs: int
    accepted: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may still be spent; None sets no limit.

    Attributes:
        tokens: Tokens of prompts and answers.
        cost: US dollars.
    """

    tokens: int | None = None
    cost: float | None = None
