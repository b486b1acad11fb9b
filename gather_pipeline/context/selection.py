"""Chooses what a prompt sees under a token budget: a rule over values, no store and no language model (S003-CTX-06 to 13, C54).

High priority is never dropped: what is too long goes in distilled where a distilled form is at hand, else shortened at a sentence, and the
ledger says so. Medium goes in next, then low, each in the order of relevance to a query, or in the order given where there is none. What
does not fit goes in distilled or is left out whole, and what is smaller and comes later may still go in.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gather_pipeline.context.relevance import TokenCounter, index_of
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.items import content_hash
from gather_pipeline.domain.layers import LAYER_OF, PRIORITIES, Kind, Layer, Priority
from gather_pipeline.domain.ledger import Entry, Ledger, State
from gather_pipeline.errors import ContextError
from gather_pipeline.ports import Embedder
from gather_pipeline.similarity.defaults import default_embedder
from gather_pipeline.text.injection import injection
from gather_pipeline.text.sentences import sentence_ends


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that may go into a prompt.

    Attributes:
        id: Unique among the candidates.
        priority: ``high`` must go in, ``medium`` should, ``low`` may.
        hash: Version or content hash of its source, kept for provenance; of the text where empty.
        layer: Where its tokens are counted; that of its kind where None.
        speaker: Who says it, where it is a turn of a dialogue; read from a text like ``Ada: We leave at dawn`` where empty.
        order: Its place in time among the turns of a dialogue; that of the sequence where None.
        meaning: What is embedded for it, where that is another text, e.g. one whose embedding is at hand; its text where empty.
    """

    id: str
    text: str
    kind: Kind = "history"
    priority: Priority = "medium"
    hash: str = ""
    layer: Layer | None = None
    speaker: str = ""
    order: float | None = None
    meaning: str = ""

    @cached_property
    def version(self) -> str:
        """Its hash, given or made."""
        return self.hash or content_hash(self.text)


@dataclass(frozen=True)
class Assembly:
    """What goes into the prompt.

    Attributes:
        included: Candidates that go in, in the order given; a distilled one with its shorter text.
    """

    included: tuple[Candidate, ...]
    _filling: _Filling
    _query: str

    def texts(self, kind: Kind) -> list[str]:
        """Texts of one kind that go in."""
        return [candidate.text for candidate in self.included if candidate.kind == kind]

    @cached_property
    def ledger(self) -> Ledger:
        """What became of every candidate, in their order; made when it is first asked for."""
        return self._filling.ledger(self._query)


def select(
    candidates: Sequence[Candidate],
    budget: int,
    counter: TokenCounter = estimate_tokens,
    *,
    query: str = "",
    embedder: Embedder | None = None,
    shares: Mapping[Layer, int] | None = None,
    distilled: Mapping[str, str] | None = None,
) -> Assembly:
    """Chooses among candidates.

    Args:
        candidates: In order of rank within their priority, best first; where a query is given their order only says which turns of a
            dialogue are neighbours, as far as `Candidate.order` does not.
        budget: Most tokens of all texts together. Delimiters and bullets that a prompt puts around them are the caller's to leave room for.
        counter: Counts tokens.
        query: What the prompt is about: what says most about it goes in first.
        embedder: Asked for the meaning of texts where there is a query; the installed default where None.
        shares: Tokens that each layer may take before what the layers leave is given to whatever ranks highest; None for no shares.
        distilled: Shorter forms by id, used where the whole text does not fit.

    Raises:
        ContextError: Not even the first sentences of all that must be included fit.
    """
    places: Sequence[int] = range(len(candidates))
    ordered = candidates
    if any(candidate.order is not None for candidate in candidates):
        places = sorted(places, key=lambda place: place if (at := candidates[place].order) is None else at)
        ordered = [candidates[place] for place in places]
    index = index_of(
        tuple([one.text for one in ordered]), tuple([one.speaker for one in ordered]), tuple([one.meaning or one.text for one in ordered])
    )
    sizes = index.sizes(counter)
    if ordered is not candidates:
        sizes = [size for _, size in sorted(zip(places, sizes, strict=True))]
    filling = _Filling(candidates, sizes, budget, counter, shares, distilled or {})
    filling.take_what_must()
    asked = query if query.strip() and sum(sizes) > budget else ""  # where all goes in, nothing needs to be ranked
    ranking: Sequence[int] = range(len(candidates))
    if asked:
        ranking = [places[at] for at in index.order(asked, embedder or default_embedder())]
    for priority in PRIORITIES[1:]:
        filling.take([place for place in ranking if candidates[place].priority == priority])
    return Assembly(filling.included(), filling, asked)


class _Filling:
    """A budget being filled; places are those of the candidates.

    Attributes:
        texts: What goes in, by place.
        limits: Tokens that were left for each when its turn came, in the order in which they were weighed.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        sizes: Sequence[int],
        budget: int,
        counter: TokenCounter,
        shares: Mapping[Layer, int] | None,
        distilled: Mapping[str, str],
    ) -> None:
        self._candidates, self._sizes, self._budget, self._counter = candidates, sizes, budget, counter
        self._shares, self._distilled = dict(shares) if shares else None, distilled
        self._left = budget
        self.texts: dict[int, str] = {}
        self.limits: dict[int, int] = {}

    def take_what_must(self) -> None:
        """Takes all of high priority: whole, else distilled, else shortened at a sentence, the longest first and none below its first."""
        high = [place for place, candidate in enumerate(self._candidates) if candidate.priority == "high"]
        texts = {place: self._candidates[place].text for place in high}
        sizes = {place: self._sizes[place] for place in high}
        for place in sorted(high, key=lambda place: -sizes[place]):
            if sum(sizes.values()) > self._budget and (short := self._shorter(place)) is not None:
                texts[place], sizes[place] = short
        if sum(sizes.values()) > self._budget:
            texts = self._shortened(texts, sizes)
        for place in high:
            self._put(place, texts[place], self._counter(texts[place]) if texts[place] != self._candidates[place].text else sizes[place])

    def take(self, places: Sequence[int]) -> None:
        """Takes what fits, in the order given: first within the share of its layer, then within what all layers leave."""
        if self._shares is not None:
            waiting = []
            for place in places:
                if self._sizes[place] <= min(self._left, self._shares.get(_layer(self._candidates[place]), 0)):
                    self._put(place, self._candidates[place].text, self._sizes[place])
                else:
                    waiting.append(place)
            places = waiting
        for place in places:
            if self._sizes[place] <= self._left:
                self._put(place, self._candidates[place].text, self._sizes[place])
            elif self._distilled and (short := self._shorter(place)) is not None and short[1] <= self._left:
                self._put(place, *short)
            else:
                self.limits[place] = self._left

    def _put(self, place: int, text: str, tokens: int) -> None:
        self.limits[place] = self._left
        self.texts[place] = text
        self._left -= tokens
        if self._shares is not None:
            layer = _layer(self._candidates[place])
            self._shares[layer] = self._shares.get(layer, 0) - tokens

    def _shorter(self, place: int) -> tuple[str, int] | None:
        """The distilled form of a candidate and its tokens, where there is one and it is shorter."""
        text = self._distilled.get(self._candidates[place].id)
        tokens = self._sizes[place] if text is None else self._counter(text)
        return (text, tokens) if text is not None and tokens < self._sizes[place] else None

    def _shortened(self, texts: Mapping[int, str], sizes: Mapping[int, int]) -> dict[int, str]:
        least = {place: _least(text, sizes[place], self._counter) for place, text in texts.items()}
        needed = sum(least.values())
        if needed > self._budget:
            raise ContextError(self._budget, {self._candidates[place].id: (least[place], sizes[place]) for place in texts})
        found: dict[int, str] = {}
        left = self._budget
        for done, place in enumerate(sorted(texts, key=lambda place: sizes[place])):
            needed -= least[place]
            # What a short one does not need of its equal share goes to the longer ones, which come later.
            share = min(max(left // (len(texts) - done), least[place]), left - needed)
            text = texts[place] if sizes[place] <= share else shorten_to(texts[place], share, self._counter)
            assert text is not None  # its first sentence fits into the share
            found[place] = text
            left -= self._counter(text)
        return found

    def included(self) -> tuple[Candidate, ...]:
        """Candidates that go in, with the texts that go in, in the order given."""
        found = ((self._candidates[place], self.texts[place]) for place in sorted(self.texts))
        return tuple(candidate if text == candidate.text else replace(candidate, text=text) for candidate, text in found)

    def ledger(self, query: str) -> Ledger:
        """What became of every candidate; `query` is what ranked them."""
        ranks = {place: rank for rank, place in enumerate(self.limits, start=1)}
        sizes, limits, texts, entries = self._sizes, self.limits, self.texts, []
        for place, one in enumerate(self._candidates):
            if place in texts:
                entries.append(self._entry(place, one, ranks[place]))
            else:  # nearly all of a grown project's, so without a call
                size, limit, layer = sizes[place], limits[place], one.layer or LAYER_OF.get(one.kind, "E")
                told = f"{one.priority}: needs {size} tokens, {limit} were left"
                rest = (size, size, limit, ranks[place], told)
                entries.append(Entry(one.id, one.kind, layer, one.priority, one.hash or one.version, "dropped", *rest))
        return Ledger(budget=self._budget, entries=tuple(entries), query=query)

    def _entry(self, place: int, candidate: Candidate, rank: int) -> Entry:
        """What became of a candidate that goes in."""
        priority, size, limit = candidate.priority, self._sizes[place], self.limits[place]
        text, tokens = self.texts[place], size
        state: State = "included"
        if text != candidate.text:
            state, tokens = "distilled", self._counter(text)
            how = "distilled" if text == self._distilled.get(candidate.id) else "shortened at a sentence"
            reason = f"{how} from {size} to {tokens} tokens"
        else:
            reason = "must be included" if priority == "high" else "fits"
        told, kind = f"{priority}: {reason}", candidate.kind
        flag = (injection(text) or "") if kind != "instruction" else ""
        return Entry(candidate.id, kind, _layer(candidate), priority, candidate.version, state, tokens, size, limit, rank, told, flag)


def shorten_to(text: str, limit: int, counter: TokenCounter = estimate_tokens) -> str | None:
    """The longest beginning of whole sentences within a limit of tokens; None where not even the first sentence fits."""
    ends = sentence_ends(text, lines=True)
    fitting = bisect_right(ends, limit, key=lambda end: counter(text[:end]))
    # A counter may rate a longer text lower, so what the search found is held against the limit once more.
    while fitting and counter(text[: ends[fitting - 1]]) > limit:
        fitting -= 1
    return text[: ends[fitting - 1]] if fitting else None


def fitting(brief: str, budget: int, counter: TokenCounter) -> str:
    """The brief, cut at a word where it has not even a first sentence that fits: one line without a full stop, say."""
    ends = sentence_ends(brief, lines=True)
    first = brief[: ends[0]] if ends else brief
    while counter(first) > budget:
        brief = first = first[: len(first) * 3 // 4].rsplit(" ", 1)[0]
    return brief


def brief_within(brief: str, budget: int, counter: TokenCounter) -> str:
    """As much of a brief as prompts show, as `select` shortens it where nothing else must go in."""
    if counter(brief) <= budget:
        return brief
    text = fitting(brief, budget, counter)
    return shorten_to(text, budget, counter) or text


def _least(text: str, size: int, counter: TokenCounter) -> int:
    ends = sentence_ends(text, lines=True)
    return min(counter(text[: ends[0]]), size) if ends else size


def _layer(candidate: Candidate) -> Layer:
    return candidate.layer or LAYER_OF.get(candidate.kind, "E")  # an unknown kind is material
