"""Screens a batch of new texts against all that is known and against itself (S001-DUP, C34, C35).

A cascade, cheapest first: content hash, one matrix product, the rules on the few nearest, and a judge for what the rules are unsure of or
only suspect. A conflict, or something that only the new text says, is evidence in the texts themselves: no judge overrules it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gather_pipeline.domain.decisions import Decision, Rule
from gather_pipeline.domain.items import content_hash
from gather_pipeline.errors import InvalidInput, ModelRefused, OutputInvalid, TransientError
from gather_pipeline.ports import Embedder, Remembered, Vectors
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.pairs import MODEL_VERSION, PairComparer, Similarity
from gather_pipeline.similarity.thresholds import usual_threshold

logger = logging.getLogger(__name__)

PairJudge = Callable[[str, str], Awaitable[float | None]]
"""Probability that two texts say the same, None where the judge cannot tell."""

DUPLICATE_THRESHOLD = usual_threshold()
JUDGE_FROM, JUDGE_BELOW = 0.30, 0.90  # between them the rules are unsure: about cosine 0.66 to 0.92
CANDIDATE_FLOOR = 0.50  # cosine below which two texts are never the same; a text that holds another may be as far from it
CANDIDATES = 5  # nearest stored items looked at


@dataclass(frozen=True, kw_only=True)
class _Match:
    """A text that might be dropped beside the one that would stay.

    Attributes:
        place: Place of the text in the batch.
        id, content: The other text.
        rival: Place of the other text where it is of the same batch, None where it is a known item.
        similarity: How the two stand to each other, this text on the left.
        overruled: A person has said that the two are no duplicates of each other.
        judged: What the judge says, None where it was not asked or could not tell.
        remembered: How sure a Brain is that both say the same, None where it does not say so.
    """

    place: int
    id: str
    content: str
    rival: int | None
    similarity: Similarity
    overruled: bool = False
    judged: float | None = None
    remembered: float | None = None

    @property
    def probability(self) -> float:
        return max(self.similarity.probability, self.remembered or 0.0) if self.judged is None else self.judged

    @property
    def barred(self) -> bool:
        """Whether the texts themselves show that this one must stay, whatever a judge thinks."""
        return self.overruled or self.similarity.conflict is not None or bool(self.similarity.left_adds)

    @property
    def unsure(self) -> bool:
        probability = self.similarity.probability
        suspected = self.similarity.replaced is not None and probability >= JUDGE_FROM
        doubted = probability < JUDGE_BELOW and (probability >= JUDGE_FROM or self.remembered is not None)
        return not self.barred and not self.similarity.left_held and (suspected or doubted)

    def repeats(self, threshold: float) -> bool:
        """Whether this text says nothing that the other does not say."""
        if self.barred:
            return False
        if self.judged is not None:
            return self.judged >= threshold
        sure = self.remembered is not None or self.similarity.probability >= threshold
        return self.similarity.left_held or (self.similarity.replaced is None and sure)


class DuplicateDetector:
    """Screens batches of new texts."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        judge: PairJudge | None = None,
        threshold: float = DUPLICATE_THRESHOLD,
        distinct: Collection[frozenset[str]] = frozenset(),
    ) -> None:
        """A detector for one embedding model.

        Args:
            embedder: The model that the vectors given to `screen` come from.
            judge: Asked about pairs of which the rules are unsure or that they only suspect.
            threshold: Probability from which a text is dropped, above 0 and at most 1.
            distinct: Pairs that a person has said are no duplicates, as content hashes (`domain.items.content_hash`); two equal
                texts have one hash, so their pair is a set of one. Neither rules nor judge overrule a person.

        Raises:
            InvalidInput: threshold is out of range.
        """
        if not 0 < threshold <= 1:
            raise InvalidInput.field("threshold", threshold, "a probability above 0 and at most 1")
        self.threshold = threshold
        self.version = f"{MODEL_VERSION}/{embedder.name}/{threshold:.3g}"
        self._judge = judge
        self._embedder, self._comparer = embedder, PairComparer(embedder)
        self._apart: defaultdict[str, set[str]] = defaultdict(set)
        for pair in distinct:
            for hash in pair:
                self._apart[hash] |= pair - {hash} or pair

    async def screen(
        self, contents: Sequence[str], vectors: Vectors, known: KnownItems, found: Sequence[Sequence[Remembered]] = ()
    ) -> list[Decision]:
        """Decides about a batch, asking the judge about all unsure pairs at once.

        Against known items the new text is dropped; within the batch the newest (the last) is kept (C34), unless an older one says more.

        Args:
            contents: New texts, oldest first.
            vectors: Their embeddings, shape (n, d), rows of length 1.
            known: Items to compare with.
            found: What a Brain holds to say the same as each text; the texts' own evidence and a judge are heard before it.

        Returns:
            One decision a text, in order. `match_id` is the id of a known item, or ``batch:3`` for the fourth text of the batch.

        Raises:
            InvalidInput: The counts or dimensions do not fit.
        """
        matches = self._matches(contents, vectors, known)
        for place, ones in enumerate(found):
            for one in ones:
                matches = self._remembering(matches, place, contents[place], vectors[place], one)
        if self._judge is not None:
            asked = [place for place, match in enumerate(matches) if match.unsure]
            verdicts = await asyncio.gather(*(self._ask(contents[matches[i].place], matches[i].content) for i in asked))
            for i, verdict in zip(asked, verdicts, strict=True):
                matches[i] = replace(matches[i], judged=verdict)
        return self._settle(len(contents), matches)

    def screen_by_rules(self, contents: Sequence[str], vectors: Vectors, known: KnownItems, *, within: bool = True) -> list[Decision]:
        """`screen` without a judge, for callers outside an event loop; not `within`, each text is compared with known items only."""
        return self._settle(len(contents), self._matches(contents, vectors, known, within=within))

    def _matches(self, contents: Sequence[str], vectors: Vectors, known: KnownItems, *, within: bool = True) -> list[_Match]:
        """Every pair worth a decision."""
        if len(contents) != len(vectors):
            raise InvalidInput(f"got {len(vectors)} vectors for {len(contents)} texts")
        matches: list[_Match] = []
        if not contents:
            return matches
        hashes = [content_hash(content) for content in contents]
        apart = [self._apart.get(hash, set()) for hash in hashes]

        def consider(place: int, other: int, cosine: float) -> bool:
            """Adds the pair with a known item; False where a person has decided it."""
            text = known.contents[other]
            overruled = content_hash(text) in apart[place]
            similarity = self._comparer.compare(contents[place], text, cosine)
            matches.append(_Match(place=place, id=known.ids[other], content=text, rival=None, similarity=similarity, overruled=overruled))
            return not overruled

        # A remembered pair takes no other candidate's place.
        remembered = max(sum(len(known.twins(hash)) for hash in others) for others in apart)
        near = known.nearest(vectors, CANDIDATES + remembered, CANDIDATE_FLOOR)
        for place, hash in enumerate(hashes):
            twins = known.twins(hash)
            if twins and consider(place, twins[0], 1.0):
                continue
            left = CANDIDATES
            for other, cosine in near[place]:
                if left:
                    left -= consider(place, other, cosine)
        if within:
            product = vectors @ vectors.T
            for older, newer in np.argwhere(np.triu(product >= CANDIDATE_FLOOR, k=1)).tolist():
                overruled = hashes[newer] in apart[older]
                matches.append(self._within(contents, older, newer, float(product[older, newer]), overruled))
        return matches

    def _remembering(self, matches: list[_Match], place: int, content: str, vector: Vectors, one: Remembered) -> list[_Match]:
        """The matches with what a Brain says of a text and one of its items."""
        if any((match.place, match.id) == (place, one.id) for match in matches):
            return [replace(match, remembered=one.similarity) if (match.place, match.id) == (place, one.id) else match for match in matches]
        similarity = self._comparer.compare(content, one.content, float(vector @ self._embedder.embed([one.content])[0]))
        overruled = content_hash(one.content) in self._apart.get(content_hash(content), set())
        added = _Match(
            place=place, id=one.id, content=one.content, rival=None, similarity=similarity, overruled=overruled, remembered=one.similarity
        )
        return [*matches, added]

    def _within(self, contents: Sequence[str], older: int, newer: int, cosine: float, overruled: bool) -> _Match:
        """A pair of the batch: the older one would go, but where it says more."""
        similarity = self._comparer.compare(contents[older], contents[newer], cosine)
        place, rival = older, newer
        if similarity.left_adds and not similarity.right_adds:
            place, rival, similarity = newer, older, similarity.turned()
        return _Match(place=place, id=batch_id(rival), content=contents[rival], rival=rival, similarity=similarity, overruled=overruled)

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
        """Decides from the newest text to the oldest, so that a text is measured against what is kept."""
        by_place: defaultdict[int, list[_Match]] = defaultdict(list)
        for match in matches:
            by_place[match.place].append(match)
        decisions: list[Decision] = []
        dropped: set[int | None] = set()
        for place in reversed(range(count)):
            decisions.append(self._decide([match for match in by_place[place] if match.rival not in dropped]))
            if decisions[-1].duplicate:
                dropped.add(place)
        return decisions[::-1]

    def _decide(self, matches: Sequence[_Match]) -> Decision:
        if not matches:
            return Decision(duplicate=False, rule="distinct", similarity=0.0, reason="nothing known is near it")
        # A duplicate first, then a pair that a person or else only the texts' own evidence kept apart, then whatever is nearest.
        best = max(
            matches,
            key=lambda match: (
                match.repeats(self.threshold),
                match.overruled,
                match.barred and match.similarity.probability >= self.threshold,
                match.probability,
            ),
        )
        rule, reason = self._ruling(best)
        return Decision(
            duplicate=best.repeats(self.threshold),
            rule=rule,
            similarity=best.probability,
            cosine=best.similarity.cosine,
            match_id=best.id,
            match_content=best.content,
            reason=reason,
        )

    def _ruling(self, match: _Match) -> tuple[Rule, str]:
        similarity, sure = match.similarity, f"{match.probability:.0%} sure that both say the same"
        if match.overruled:
            return "person", "a person has said that they differ"
        if similarity.exact:
            return "exact", "the texts are equal but for case and white space"
        if similarity.conflict is not None and similarity.probability >= JUDGE_FROM:
            return "conflict", similarity.conflict.reason
        if similarity.left_adds:
            return "adds", f"it says more: {similarity.left_adds}"
        if match.judged is not None:
            return "judge", f"the judge is {sure}"
        if similarity.left_held and match.repeats(self.threshold):
            return "contained", "the other text says all that it says"
        if match.remembered is not None and match.similarity.probability < self.threshold and match.repeats(self.threshold):
            return "brain", f"the Brain is {sure}"
        if match.repeats(self.threshold):
            return ("lexical" if similarity.by_characters else "embedding"), f"the rules are {sure}"
        if similarity.replaced is not None:
            return "distinct", f"{similarity.replaced[0]!r} stands in the place of {similarity.replaced[1]!r}"
        return "distinct", f"the rules are only {sure}"


def batch_id(place: int) -> str:
    """Stand-in id of a text of the batch, for the caller to replace by the id that the text gets."""
    return f"batch:{place}"
