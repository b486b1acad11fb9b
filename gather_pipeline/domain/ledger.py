"""The account of a prompt's context: which of the elements offered went in, which did not, and why (N08)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from gather_pipeline.domain.layers import Kind, Layer, Priority

State = Literal["included", "distilled", "dropped"]


class Entry(NamedTuple):
    """What became of one element: why a model did not know something, and whether a generated thing is out of date (D5).

    A tuple, for a grown project offers thousands of elements to every prompt.

    Attributes:
        hash: Version of the element's whole text.
        state: ``distilled`` where a shorter form of it went in, by a model or cut at a sentence.
        tokens: Tokens that went into the prompt; for a dropped one those it would have taken.
        full_tokens: Tokens of the whole text.
        limit: Tokens that were left for it when its turn came.
        rank: Its place in the order in which elements were weighed, from 1.
        reason: Why, in a few words for a person.
        flag: What in a text that went in seems to be meant for a model rather than for people; empty where nothing does.
    """

    id: str
    kind: Kind
    layer: Layer
    priority: Priority
    hash: str
    state: State
    tokens: int
    full_tokens: int
    limit: int
    rank: int
    reason: str
    flag: str = ""


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The account of one prompt's context.

    Attributes:
        budget: Most tokens of all elements together.
        entries: What became of every element offered, in the order given.
        query: What relevance was held against; empty where the order given decided.
        aspects: Aspects whose prompts this is the account of.
        unlisted: Dropped elements that ranked below those listed and are only counted.
    """

    budget: int
    entries: tuple[Entry, ...]
    query: str = ""
    aspects: tuple[str, ...] = ()
    unlisted: int = 0

    @property
    def included_tokens(self) -> int:
        """Tokens of what went in."""
        return sum(entry.tokens for entry in self.entries if entry.state != "dropped")

    @property
    def used(self) -> dict[str, str]:
        """Version by id of what went in."""
        return {entry.id: entry.hash for entry in self.entries if entry.state != "dropped"}

    def listing(self, dropped: int) -> Ledger:
        """The ledger as it is stored: of its dropped elements only the highest ranked, as many as are said; the others are counted."""
        ranks = sorted(entry.rank for entry in self.entries if entry.state == "dropped")[:dropped]
        last = ranks[-1] if ranks else 0
        kept = tuple(entry for entry in self.entries if entry.state != "dropped" or entry.rank <= last)
        return replace(self, entries=kept, unlisted=self.unlisted + len(self.entries) - len(kept))
