"""The ledger of a context: what went into a prompt, what was shortened, what stayed out, and why.

It answers two later questions: why a model did not know something, and whether a generated thing is out of date (D5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    """All entries, in the order of the candidates.

    Attributes:
        budget: Tokens that were to be had.
        entries: One for every candidate.
    """

    budget: int
    entries: tuple[Entry, ...]

    @property
    def tokens(self) -> int:
        """Tokens that went into the prompt."""
        return sum(entry.tokens for entry in self.entries if entry.outcome != "dropped")

    @property
    def used(self) -> list[Mapping[str, str]]:
        """Id, kind and hash of what went in, for provenance: a changed hash means that what was generated is out of date."""
        return [{"id": entry.id, "kind": entry.kind, "hash": entry.hash} for entry in self.entries if entry.outcome != "dropped"]

    def to_rows(self) -> list[dict[str, Any]]:
        """JSON-able entries."""
        return [dict(vars(entry)) for entry in self.entries]  # flat values, which `asdict` would copy one by one

    def to_document(self) -> dict[str, Any]:
        """JSON-able form with the sums."""
        return {"budget": self.budget, "tokens": self.tokens, "entries": self.to_rows()}
