"""Screens a batch of new texts against all that is known and against itself (S001-DUP, C34, C35).

A cascade, cheapest first: content hash, one matrix product, rules on the few nearest, and a judge for pairs of which the rules are
unsure. The guard stands above all of them. What the figures rest on: docs/decisions/0005-duplicates.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gather_pipeline.domain.items import content_hash
from gather_pipeline.domain.similarity import Decision, Rule
from gather_pipeline.errors import InvalidInput, ModelRefused, OutputInvalid, TransientError
from gather_pipeline.gather.pair_known import KnownItems
from gather_pipeline.gather.pair_model import MODEL_VERSION
from gather_pipeline.gather.pair_similarity import COMPARE_CHARS, PairComparer, Similarity
from gather_pipeline.ports import Embedder, Vectors

logger = logging.getLogger(__name__)

PairJudge = Callable[[str, str], Awaitable[float | None]]
"""Probability that two texts say the same, None where the judge cannot tell."""

# A wrong drop loses a note for good, a missed duplicate costs a reader's glance: it counts one and a half times, so 0.6.
DUPLICATE_THRESHOLD = 0.60
JUDGE_FROM, JUDGE_BELOW = 0.30, 0.90  # between them the rules are unsure: about cosine 0.70 to 0.95
CANDIDATE_FLOOR = 0.50  # cosine below which no pair of the measured sets reached JUDGE_FROM
CANDIDATES = 5  # nearest stored items looked at
RULES_VERSION = f"guard-1+{MODEL_VERSION}"


@dataclass(frozen=True, kw_only=True)
class _Match:
    """A new text beside one that is near it.

    Attributes:
        place: Place of the new text in the batch.
        id: Id of the other text.
        content: The other text.
        newer: Place of the other text where it is of the same batch, None where it is a known item.
        similarity: What the rules say.
        overruled: A person has said that the two are no duplicates of each other.
        judged: What the judge says, None where it was not asked or could not tell.
    """

    place: int
    id: str
    content: str
    newer: int | None
    similarity: Similarity
    overruled: bool = False
    judged: float | None = None

    @property
    def probability(self) -> float:
        return self.similarity.probability if self.judged is None else self.judged

    @property
    def unsure(self) -> bool:
        return not self.overruled and self.similarity.conflict is None and JUDGE_FROM <= self.similarity.probability < JUDGE_BELOW


class DuplicateDetector:
    """Screens batches of new texts."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        judge: PairJudge | None = None,
        threshold: float = DUPLICATE_THRESHOLD,
        compare_chars: int = COMPARE_CHARS,
        distinct: Collection[frozenset[str]] = frozenset(),
    ) -> None:
        """A detector for one embedding model.

        Args:
            embedder: The model that the vectors given to `screen` come from.
            judge: Asked about pairs of which the rules are unsure; it cannot overrule the guard.
            threshold: Probability from which a text is dropped, above 0 and at most 1.
            compare_chars: Characters that are embedded and compared word by word.
            distinct: Pairs that a person has said are no duplicates, as content hashes (`domain.items.content_hash`); two equal
                texts have one hash, so their pair is a set of one. Neither rules nor judge overrule a person.

        Raises:
            InvalidInput: threshold or compare_chars is out of range, or a pair has neither one hash nor two.
        """
        if not 0 < threshold <= 1:
            raise InvalidInput.field("threshold", threshold, "a probability above 0 and at most 1")
        if compare_chars < 1:
            raise InvalidInput.field("compare_chars", compare_chars, "at least 1")
        odd = next((pair for pair in distinct if len(pair) not in (1, 2)), None)
        if odd is not None:
            raise InvalidInput(f"a pair of distinct texts has {len(odd)} hashes, expected one or two")
        self.threshold = threshold
        self.version = f"{RULES_VERSION}/{embedder.name}/{threshold:g}/{compare_chars}"
        self._embedder = embedder
        self._judge = judge
        self._comparer = PairComparer(compare_chars)
        self._apart: dict[str, set[str]] = {}
        for pair in distinct:
            for hash in pair:
                self._apart.setdefault(hash, set()).update(pair - {hash} or pair)

    def embed(self, contents: Sequence[str]) -> Vectors:
        """Vectors of the parts that are compared, one row a text: what `screen` and `KnownItems` expect."""
        return self._embedder.embed([self._comparer.head(content) for content in contents])

    async def screen(self, contents: Sequence[str], vectors: Vectors, known: KnownItems) -> list[Decision]:
        """Decides about a batch, asking the judge about all unsure pairs at once.

        Against known items the new text is dropped; within the batch the newest (the last) is kept (C34).

        Args:
            contents: New texts, oldest first.
            vectors: Their embeddings, shape (n, d), rows of length 1.
            known: Items to compare with.

        Returns:
            One decision a text, in order. `match_id` is the id of a known item, or ``batch:3`` for the fourth text of the batch.

        Raises:
            InvalidInput: The counts or dimensions do not fit.
        """
        matches = self._matches(contents, vectors, known)
        if self._judge is not None:
            asked = [place for place, match in enumerate(matches) if match.unsure]
            verdicts = await asyncio.gather(*(self._ask(contents[matches[i].place], matches[i].content) for i in asked))
            for i, verdict in zip(asked, verdicts, strict=True):
                matches[i] = replace(matches[i], judged=verdict)
        return self._settle(len(contents), matches)

    def screen_by_rules(self, contents: Sequence[str], vectors: Vectors, known: KnownItems) -> list[Decision]:
        """`screen` without a judge, for callers outside an event loop."""
        return self._settle(len(contents), self._matches(contents, vectors, known))

    def against(self, contents: Sequence[str], vectors: Vectors, known: KnownItems) -> list[Decision]:
        """`screen_by_rules` where each text is compared with the known items only, and never with another text of the batch."""
        return self._settle(len(contents), self._matches(contents, vectors, known, within=False))

    def _matches(self, contents: Sequence[str], vectors: Vectors, known: KnownItems, *, within: bool = True) -> list[_Match]:
        """Every pair worth a decision."""
        if len(contents) != len(vectors):
            raise InvalidInput(f"got {len(vectors)} vectors for {len(contents)} texts")
        matches: list[_Match] = []
        if not contents:
            return matches
        apart = [self._apart.get(content_hash(content), set()) for content in contents] if self._apart else [set()] * len(contents)

        def consider(place: int, id: str, other: str, cosine: float, newer: int | None = None) -> bool:
            """Adds the pair; False where a person has decided it."""
            overruled = bool(apart[place]) and content_hash(other) in apart[place]
            similarity = self._comparer.compare(contents[place], other, cosine)
            matches.append(_Match(place=place, id=id, content=other, newer=newer, similarity=similarity, overruled=overruled))
            return not overruled

        # A remembered pair takes no other candidate's place.
        beyond = max(sum(known.copies(hash) for hash in hashes) for hashes in apart)
        near = known.vectors.nearest(vectors, CANDIDATES + beyond, CANDIDATE_FLOOR)
        for place, content in enumerate(contents):
            twin = known.twin(content)
            if twin is not None and consider(place, *twin, 1.0):
                continue
            left = CANDIDATES
            for id, cosine in near[place]:
                if left:
                    left -= consider(place, id, known.content(id), cosine)
        if within:
            product = np.asarray(vectors) @ np.asarray(vectors).T
            for place, newer in np.argwhere(np.triu(product >= CANDIDATE_FLOOR, k=1)).tolist():
                consider(place, batch_id(newer), contents[newer], float(product[place, newer]), newer)
        return matches

    async def _ask(self, text: str, other: str) -> float | None:
        assert self._judge is not None
        try:
            verdict = await self._judge(text, other)
        except (TransientError, ModelRefused, OutputInvalid) as error:
            logger.warning("[AutoGather] The duplicate judge gave no answer, the rules decide: %s", error)
            return None
        if verdict is not None and not 0 <= verdict <= 1:
            logger.warning("[AutoGather] The duplicate judge answered %r, expected 0 to 1, the rules decide", verdict)
            return None
        return verdict

    def _settle(self, count: int, matches: Sequence[_Match]) -> list[Decision]:
        """Decides from the newest text to the oldest, so that an older one is measured against what is kept."""
        by_place: list[list[_Match]] = [[] for _ in range(count)]
        for match in matches:
            by_place[match.place].append(match)
        decisions: dict[int, Decision] = {}
        for place in reversed(range(count)):
            standing = [match for match in by_place[place] if match.newer is None or not decisions[match.newer].duplicate]
            decisions[place] = self._decide(standing)
        return [decisions[place] for place in range(count)]

    def _decide(self, matches: Sequence[_Match]) -> Decision:
        if not matches:
            return Decision(duplicate=False, rule="distinct", similarity=0.0, reason="nothing known is near it")
        # A duplicate first, then a pair that a person or else only the guard kept apart, then whatever is nearest.
        best = max(matches, key=lambda match: (self._same(match), match.overruled, self._guarded(match), match.probability))
        rule, reason = self._ruling(best)
        return Decision(
            duplicate=self._same(best),
            rule=rule,
            similarity=best.probability,
            cosine=best.similarity.cosine,
            match_id=best.id,
            match_content=best.content,
            reason=reason,
        )

    def _same(self, match: _Match) -> bool:
        return not match.overruled and match.similarity.conflict is None and match.probability >= self.threshold

    def _guarded(self, match: _Match) -> bool:
        return not match.overruled and match.similarity.conflict is not None and match.similarity.unguarded >= self.threshold

    def _ruling(self, match: _Match) -> tuple[Rule, str]:
        similarity, sure = match.similarity, f"{match.probability:.0%} sure that both say the same"
        if match.overruled:
            return "person", "a person has said that they differ"
        if similarity.exact:
            return "exact", "the texts are equal but for case and white space"
        if self._guarded(match) and similarity.conflict is not None:
            return "guard", similarity.conflict.reason
        if match.judged is not None:
            return "judge", f"the judge is {sure}"
        if self._same(match):
            return ("lexical" if similarity.lexical else "embedding"), f"the rules are {sure}"
        if similarity.parted:
            return "distinct", f"after the first {self._comparer.compare_chars} characters the texts part"
        return "distinct", f"the rules are only {sure}"


def batch_id(place: int) -> str:
    """Stand-in id of a text of the batch, for the caller to replace by the id that the text gets."""
    return f"batch:{place}"
