"""Chooses what a prompt sees under a token budget: a rule over values, no store and no model (S003-CTX-06 to 13, C54).

High priority is never dropped: what is too long is shortened at a sentence and the ledger says so. Medium goes in next, then low, each in
the order given. What does not fit is left out whole, and what is smaller and comes later may still go in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gather_pipeline.context.ledger import Entry, Kind, Ledger, Outcome
from gather_pipeline.context.tokens import TokenCounter, estimate_tokens
from gather_pipeline.errors import InvalidInput
from gather_pipeline.text.sentences import sentence_ends

Priority = Literal["high", "medium", "low"]
PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that may go into a prompt.

    Attributes:
        id: Unique among the candidates.
        kind: What it is.
        text: What would go in.
        priority: ``high`` must go in, ``medium`` should, ``low`` may.
        hash: Version or content hash of its source, kept for provenance.
    """

    id: str
    kind: Kind
    text: str
    priority: Priority
    hash: str

    @classmethod
    def from_text(cls, id: str, kind: Kind, text: str, priority: Priority) -> Candidate:
        """A candidate whose version is the SHA-256 of its text."""
        return cls(id=id, kind=kind, text=text, priority=priority, hash=hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What goes into the prompt.

    Attributes:
        included: Candidates that go in, in the order given; a shortened one with its shortened text.
        ledger: What became of every candidate.
    """

    included: tuple[Candidate, ...]
    ledger: Ledger

    def texts(self, kind: Kind) -> list[str]:
        """Texts of one kind that go in."""
        return [candidate.text for candidate in self.included if candidate.kind == kind]


@dataclass(frozen=True, kw_only=True)
class _Choice:
    text: str
    tokens: int
    outcome: Outcome
    reason: str


def select(candidates: Sequence[Candidate], budget: int, counter: TokenCounter = estimate_tokens) -> Assembly:
    """Chooses among candidates.

    Args:
        candidates: In order of rank within their priority, best first.
        budget: Most tokens of all texts together. Delimiters and bullets that a prompt puts around them are the caller's to leave room for.
        counter: Counts tokens.

    Raises:
        InvalidInput: The budget is no number of tokens, two candidates have one id, a priority is not known, or not even the first
            sentences of all that must be included fit.
    """
    _check(candidates, budget)
    sizes = {candidate.id: counter(candidate.text) for candidate in candidates}
    choices = _must(candidates, sizes, budget, counter)
    left = budget - sum(choice.tokens for choice in choices.values())
    for priority in PRIORITIES[1:]:
        for candidate in candidates:
            if candidate.priority != priority:
                continue
            size = sizes[candidate.id]
            if size <= left:
                choices[candidate.id] = _Choice(text=candidate.text, tokens=size, outcome="included", reason=f"{priority}: fits")
                left -= size
            else:
                reason = f"{priority}: needs {size} tokens, {left} were left"
                choices[candidate.id] = _Choice(text="", tokens=size, outcome="dropped", reason=reason)
    entries = tuple(
        Entry(
            id=candidate.id,
            kind=candidate.kind,
            hash=candidate.hash,
            outcome=choices[candidate.id].outcome,
            tokens=choices[candidate.id].tokens,
            full_tokens=sizes[candidate.id],
            reason=choices[candidate.id].reason,
        )
        for candidate in candidates
    )
    included = tuple(
        replace(candidate, text=choices[candidate.id].text) for candidate in candidates if choices[candidate.id].outcome != "dropped"
    )
    return Assembly(included=included, ledger=Ledger(budget=budget, entries=entries))


def shorten_to(text: str, limit: int, counter: TokenCounter = estimate_tokens) -> str | None:
    """The longest beginning of whole sentences within a limit of tokens; None where not even the first sentence fits."""
    ends = sentence_ends(text, lines=True)
    low, high = 0, len(ends)
    while low < high:  # the number of sentences that fit
        middle = (low + high + 1) // 2
        low, high = (middle, high) if counter(text[: ends[middle - 1]]) <= limit else (low, middle - 1)
    # A counter may rate a longer text lower, so what the search found is held against the limit once more.
    while low and counter(text[: ends[low - 1]]) > limit:
        low -= 1
    return text[: ends[low - 1]] if low else None


def _check(candidates: Sequence[Candidate], budget: int) -> None:
    if isinstance(budget, bool) or not isinstance(budget, int) or budget < 0:
        raise InvalidInput.field("context budget", budget, "a whole number of tokens from 0")
    seen: set[str] = set()
    for candidate in candidates:
        if candidate.id in seen:
            raise InvalidInput.field("context candidate id", candidate.id, "an id of its own; it stands twice")
        if candidate.priority not in PRIORITIES:
            raise InvalidInput.field(f"priority of {candidate.id}", candidate.priority, f"one of {', '.join(PRIORITIES)}")
        seen.add(candidate.id)


def _must(candidates: Sequence[Candidate], sizes: dict[str, int], budget: int, counter: TokenCounter) -> dict[str, _Choice]:
    """High candidates whole where they fit, else the longest ones shortened, none below its first sentence."""
    high = [candidate for candidate in candidates if candidate.priority == "high"]
    if sum(sizes[candidate.id] for candidate in high) <= budget:
        return {
            candidate.id: _Choice(text=candidate.text, tokens=sizes[candidate.id], outcome="included", reason="high: must be included")
            for candidate in high
        }
    least = {candidate.id: _least(candidate.text, sizes[candidate.id], counter) for candidate in high}
    if sum(least.values()) > budget:
        told = ", ".join(f"{candidate.id} {least[candidate.id]} of {sizes[candidate.id]}" for candidate in high)
        raise InvalidInput(
            f"context budget is {budget} tokens, expected at least {sum(least.values())} for what must be included "
            f"(shortest form and full size: {told})"
        )
    shares = _shares([least[candidate.id] for candidate in high], [sizes[candidate.id] for candidate in high], budget)
    choices: dict[str, _Choice] = {}
    for candidate, share in zip(high, shares, strict=True):
        size = sizes[candidate.id]
        if size <= share:
            choices[candidate.id] = _Choice(text=candidate.text, tokens=size, outcome="included", reason="high: must be included")
            continue
        text = shorten_to(candidate.text, share, counter)
        if text is None:
            raise InvalidInput(f"{candidate.id} has {size} tokens and no sentence that fits into {share}, expected a larger context budget")
        tokens = counter(text)
        reason = f"high: shortened at a sentence from {size} to {tokens} tokens"
        choices[candidate.id] = _Choice(text=text, tokens=tokens, outcome="shortened", reason=reason)
    return choices


def _least(text: str, size: int, counter: TokenCounter) -> int:
    ends = sentence_ends(text, lines=True)
    return min(counter(text[: ends[0]]), size) if ends else size


def _shares(least: Sequence[int], most: Sequence[int], budget: int) -> list[int]:
    """Tokens for each: one common level, but nowhere below its least nor above its most; the highest level that the budget bears."""

    def at(level: int) -> list[int]:
        return [min(max(level, low), high) for low, high in zip(least, most, strict=True)]

    low, high = 0, max(most, default=0)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sum(at(middle)) <= budget else (low, middle - 1)
    return at(low)
