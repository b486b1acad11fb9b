"""Chooses what a prompt sees under a token budget: a rule over values, no store and no model (S003-CTX-06 to 13, C54).

High priority is never dropped: what is too long is shortened at a sentence and the ledger says so. Medium goes in next, then low, each in
the order given. What does not fit is left out whole, and what is smaller and comes later may still go in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.errors import InvalidInput
from gather_pipeline.text.sentences import sentence_ends

Kind = Literal["brief", "department", "own", "predecessor", "brain"]
Priority = Literal["high", "medium", "low"]
TokenCounter = Callable[[str], int]  # tokens of a text, 0 of an empty one
PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that may go into a prompt.

    Attributes:
        id: Unique among the candidates.
        priority: ``high`` must go in, ``medium`` should, ``low`` may.
        hash: Version or content hash of its source, kept for provenance.
    """

    id: str
    kind: Kind
    text: str
    priority: Priority
    hash: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What became of one candidate: why a model did not know something, and whether a generated thing is out of date (D5).

    Attributes:
        hash: Version of the candidate's whole text.
        tokens: Tokens that went into the prompt; for a dropped one those it would have taken.
        full_tokens: Tokens of the whole text.
        reason: Why, in a few words for a person.
    """

    id: str
    kind: Kind
    hash: str
    outcome: Literal["included", "shortened", "dropped"]
    tokens: int
    full_tokens: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """What goes into the prompt.

    Attributes:
        included: Candidates that go in, in the order given; a shortened one with its shortened text.
        ledger: What became of every candidate, in their order.
    """

    included: tuple[Candidate, ...]
    ledger: tuple[Entry, ...]

    def texts(self, kind: Kind) -> list[str]:
        """Texts of one kind that go in."""
        return [candidate.text for candidate in self.included if candidate.kind == kind]


def select(candidates: Sequence[Candidate], budget: int, counter: TokenCounter = estimate_tokens) -> Assembly:
    """Chooses among candidates.

    Args:
        candidates: In order of rank within their priority, best first.
        budget: Most tokens of all texts together. Delimiters and bullets that a prompt puts around them are the caller's to leave room for.
        counter: Counts tokens.

    Raises:
        InvalidInput: Not even the first sentences of all that must be included fit.
    """
    sizes = {candidate.id: counter(candidate.text) for candidate in candidates}
    texts = _must([candidate for candidate in candidates if candidate.priority == "high"], sizes, budget, counter)
    left = budget - sum(counter(text) for text in texts.values())
    dropped: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda candidate: PRIORITIES.index(candidate.priority)):
        size = sizes[candidate.id]
        if candidate.id in texts:
            continue
        if size <= left:
            texts[candidate.id] = candidate.text
            left -= size
        else:
            dropped[candidate.id] = f"{candidate.priority}: needs {size} tokens, {left} were left"

    def entry(candidate: Candidate) -> Entry:
        size, text = sizes[candidate.id], texts.get(candidate.id)
        reason = "high: must be included" if candidate.priority == "high" else f"{candidate.priority}: fits"
        whole = Entry(
            id=candidate.id, kind=candidate.kind, hash=candidate.hash, outcome="included", tokens=size, full_tokens=size, reason=reason
        )
        if text is None:
            return replace(whole, outcome="dropped", reason=dropped[candidate.id])
        if text == candidate.text:
            return whole
        tokens = counter(text)
        return replace(whole, outcome="shortened", tokens=tokens, reason=f"high: shortened at a sentence from {size} to {tokens} tokens")

    included = tuple(replace(candidate, text=texts[candidate.id]) for candidate in candidates if candidate.id in texts)
    return Assembly(included=included, ledger=tuple(entry(candidate) for candidate in candidates))


def shorten_to(text: str, limit: int, counter: TokenCounter = estimate_tokens) -> str | None:
    """The longest beginning of whole sentences within a limit of tokens; None where not even the first sentence fits."""
    ends = sentence_ends(text, lines=True)
    fitting = bisect_right(ends, limit, key=lambda end: counter(text[:end]))
    # A counter may rate a longer text lower, so what the search found is held against the limit once more.
    while fitting and counter(text[: ends[fitting - 1]]) > limit:
        fitting -= 1
    return text[: ends[fitting - 1]] if fitting else None


def _must(high: Sequence[Candidate], sizes: Mapping[str, int], budget: int, counter: TokenCounter) -> dict[str, str]:
    """Texts of those that must go in: whole where they fit, else the longest ones shortened, none below its first sentence."""
    if sum(sizes[candidate.id] for candidate in high) <= budget:
        return {candidate.id: candidate.text for candidate in high}
    least = {candidate.id: _least(candidate.text, sizes[candidate.id], counter) for candidate in high}
    needed = sum(least.values())
    if needed > budget:
        told = ", ".join(f"{candidate.id} {least[candidate.id]} of {sizes[candidate.id]}" for candidate in high)
        raise InvalidInput(
            f"context budget is {budget} tokens, expected at least {needed} for what must be included (shortest form and full size: {told})"
        )
    texts: dict[str, str] = {}
    left = budget
    for place, candidate in enumerate(sorted(high, key=lambda candidate: sizes[candidate.id])):
        needed -= least[candidate.id]
        # What a short one does not need of its equal share goes to the longer ones, which come later.
        share = min(max(left // (len(high) - place), least[candidate.id]), left - needed)
        text = candidate.text if sizes[candidate.id] <= share else shorten_to(candidate.text, share, counter)
        assert text is not None  # its first sentence fits into the share
        texts[candidate.id] = text
        left -= counter(text)
    return texts


def _least(text: str, size: int, counter: TokenCounter) -> int:
    ends = sentence_ends(text, lines=True)
    return min(counter(text[: ends[0]]), size) if ends else size
