"""Two texts: how sure we are that careful people call both the same, and which of them says more.

The probability is the calibrated cosine of the two embeddings, lowered where `conflicts` finds a fact that differs or where one thing
stands in another's place. Word overlap, order and length add nothing to it on data that they were not fitted on
(docs/decisions/0005-duplicates.md), so they are not in it. They do tell which text holds the other, and that decides what may be dropped.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from gather_pipeline.domain.items import content_hash
from gather_pipeline.ports import Embedder
from gather_pipeline.similarity.conflicts import Aligned, Conflict, first_conflict
from gather_pipeline.similarity.reading import Reading, Word, read, unlabelled
from gather_pipeline.similarity.thresholds import logistic
from gather_pipeline.text.words import raw_words

MODEL_VERSION = "pairs-2"
# Log odds of "the same" from -ln(1.05 - cosine), which tells 0.99 from 0.95 as the cosine hardly does: logistic regression on 19 public
# sets of labelled pairs, each with the same weight. How and how well: docs/decisions/0005-duplicates.md.
INTERCEPT, CLOSENESS = -3.34, 2.68
CONFLICT = -1.0  # log odds: the largest that costs no set's ranking; what is dropped is decided by the conflict itself
SAME_WORDS = 0.97  # texts that differ in capitals, punctuation and labels alone

REPLACED_FROM = 0.7  # share in line from which a stretch that was replaced is another thing and no other wording of the whole
SYNONYMS = 0.65  # cosine of two phrases from which one may be another word for the other: green and yellow lie at 0.6

HELD, ADDED = 0.8, 0.2  # share of a text's words that the other has, where it holds it; and share of its own that must be new to add
ADDED_WEIGHT = 1.0  # two common words or a rare one, a name or a number
LONGER = 1.6  # as much more to say as makes a text richer, however it is worded
CONTAINED, IN_ORDER, STRETCH = 0.95, 0.9, 2.0  # a part: nearly all its words, in order, within twice its length of the other text
LEAST_TELLING = 3  # words: a shorter text is no statement that another could hold

# Outside English no rule tells a negation or a number, so that only nearly equal texts are the same: rapidfuzz's ratio.
LIKENESS_MIDDLE, LIKENESS_SLOPE = 0.97, 100.0
CACHE_SIZE = 20_000  # pairs; about 10 MB


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """How two texts stand to each other.

    Attributes:
        probability: That careful people call the two the same, 0 to 1; the same in both orders.
        cosine: Cosine of the embeddings that went in; None where equal text made it needless.
        exact: Equal but for case and white space.
        conflict: Fact in which they differ, None where none was found.
        replaced: What stands in the place of what, None where nothing does.
        by_characters: The characters decided, not the embedding, which reads English only.
        left_adds: What the first says besides all that the second says; empty where it adds nothing.
        right_adds: The same of the second.
        left_held: The second says all that the first says.
        right_held: The first says all that the second says.
    """

    probability: float
    cosine: float | None
    exact: bool = False
    conflict: Conflict | None = None
    replaced: tuple[str, str] | None = None
    by_characters: bool = False
    left_adds: str = ""
    right_adds: str = ""
    left_held: bool = False
    right_held: bool = False

    def turned(self) -> Similarity:
        """The same of the two texts in the other order."""
        return replace(
            self,
            conflict=self.conflict and replace(self.conflict, left=self.conflict.right, right=self.conflict.left),
            replaced=self.replaced and self.replaced[::-1],
            left_adds=self.right_adds,
            right_adds=self.left_adds,
            left_held=self.right_held,
            right_held=self.left_held,
        )


EXACT = Similarity(probability=1.0, cosine=None, exact=True, left_held=True, right_held=True)
NOTHING = Similarity(probability=0.0, cosine=None)


class PairComparer:
    """Compares pairs of texts under one embedding model, with a bounded cache (S001-DUP-06)."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._cache: OrderedDict[tuple[bytes, bytes], Similarity] = OrderedDict()

    def known(self, a: str, b: str) -> Similarity | None:
        """The answer where none needs a cosine: equal, empty or already compared; else None."""
        if content_hash(a) == content_hash(b):
            return EXACT
        if not a.strip() or not b.strip():
            return NOTHING
        first, second = _key(a), _key(b)
        if first > second:
            found = self._cache.get((second, first))
            return found and found.turned()
        return self._cache.get((first, second))

    def compare(self, a: str, b: str, cosine: float) -> Similarity:
        """How two texts stand to each other, given the cosine of their embeddings."""
        found = self.known(a, b)
        if found is not None:
            return found
        first, second = _key(a), _key(b)
        if first > second:  # diffs are not symmetric, so the pair is put in one order
            return self.compare(b, a, cosine).turned()
        found = self._cache[first, second] = self._compare(a, b, cosine)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return found

    def _compare(self, a: str, b: str, cosine: float) -> Similarity:
        left, right = read(a), read(b)
        cosine = max(-1.0, min(1.0, cosine))
        if not (left.english and right.english):
            likeness = fuzz.ratio(" ".join(raw_words(unlabelled(a))), " ".join(raw_words(unlabelled(b)))) / 100
            probability = logistic(LIKENESS_SLOPE * (likeness - LIKENESS_MIDDLE))
            return Similarity(probability=probability, cosine=cosine, by_characters=True)
        same_words = bool(left.words) and [word.lemma for word in left.words] == [word.lemma for word in right.words]
        aligned = Aligned.of(left.words, right.words)
        conflict = first_conflict(aligned)
        replaced = None if conflict else self._replaced(aligned)
        probability = logistic(INTERCEPT - CLOSENESS * math.log(1.05 - cosine) + (CONFLICT if conflict else 0.0))
        if same_words and not conflict:
            probability = max(probability, SAME_WORDS)
        left_new, right_new = _new(left, right), _new(right, left)
        agreed = conflict is None and replaced is None and _negations(left) == _negations(right)
        return Similarity(
            probability=probability,
            cosine=cosine,
            conflict=conflict,
            replaced=replaced,
            left_adds=_adds(left, left_new, right, right_new),
            right_adds=_adds(right, right_new, left, left_new),
            left_held=agreed and _held(left, right),
            right_held=agreed and _held(right, left),
        )

    def _replaced(self, pair: Aligned) -> tuple[str, str] | None:
        """The first stretch that stands in another's place and is no other word for it: "the cello", "the violin"."""
        if pair.share < REPLACED_FROM:
            return None
        phrases = [(left, right) for left, right in (pair.own(*hunk) for hunk in pair.hunks) if left and right]
        if not phrases:
            return None
        vectors = self._embedder.embed([phrase for both in phrases for phrase in both])
        cosines = (vectors[::2] * vectors[1::2]).sum(axis=1)
        return next((both for both, cosine in zip(phrases, cosines.tolist(), strict=True) if cosine < SYNONYMS), None)


def _new(own: Reading, other: Reading) -> list[Word]:
    """The telling words of a text that the other does not have."""
    return [word for word in own.telling if not word.forms & other.forms]


def _weight(words: Sequence[Word]) -> float:
    return sum(word.weight for word in words)


def _held(own: Reading, other: Reading) -> bool:
    """Whether a stretch of the other text has nearly all the words of this one, in the same order: then this one is a part of it."""
    telling = own.telling
    if len(telling) < LEAST_TELLING:
        return False
    lemmas = [word.lemma for word in other.words]
    there = set(lemmas)
    if _weight([word for word in telling if word.lemma in there]) < CONTAINED * _weight(telling):
        return False
    blocks = [edit for edit in LCSseq.opcodes([word.lemma for word in telling], lemmas) if edit.tag == "equal"]
    in_order = sum(_weight(telling[block.src_start : block.src_end]) for block in blocks)
    stretch = blocks[-1].dest_end - blocks[0].dest_start
    return in_order >= IN_ORDER * _weight(telling) and stretch <= STRETCH * len(own.words)


def _negations(reading: Reading) -> int:
    return sum(word.negates for word in reading.words)


def _adds(own: Reading, new: Sequence[Word], other: Reading, other_new: Sequence[Word]) -> str:
    """What a text says besides all that the other says, in its own words; empty where it adds nothing."""
    total, other_total = _weight(own.telling), _weight(other.telling)
    added = _weight(new)
    if not total or not other_total or added < ADDED_WEIGHT:
        return ""
    holds = 1 - _weight(other_new) / other_total >= HELD and added / total >= ADDED
    return ", ".join(word.text for word in new[:6]) if holds or total >= LONGER * other_total else ""


def _key(text: str) -> bytes:
    """Hash of a text as it is: unlike `content_hash` it tells capitals apart, because names do."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
