"""The ledger of a context: what went into a prompt, what was shortened, what stayed out, and why.

It answers two later questions: why a model did not know something, and whether a generated thing is out of date (D5).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["brief", "department", "own", "predecessor", "brain"]
Outcome = Literal["included", "shortened", "dropped"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one candidate.

    Attributes:
        id: Candidate's id.
        kind: Candidate's kind.
        hash: Version of the candidate's whole text.
        outcome: Whether it went in.
        tokens: Tokens that went into the prompt; for a dropped one those it would have taken.
        full_tokens: Tokens of the whole text.
        reason: Why, in a few words for a person.
    """

    id: str
    kind: Kind
    hash: str
    outcome: Outcome
    tokens: int
    full_tokens: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """One entry for every candidate, in their order."""

    entries: tuple[Entry, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """JSON-able entries."""
        return [asdict(entry) for entry in self.entries]
