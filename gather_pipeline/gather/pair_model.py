"""The probability that people call two texts the same, from one cosine and six readable features.

A cosine of 0.90 is no probability: it misses a third to two thirds of what people call duplicates, and one pair in seventeen above
it contradicts itself. `compare` corrects the cosine for what a sentence vector blurs (word order, numbers, negation, how much of
the poorer text the other one holds), and halves the result where `guard` finds a conflict. So 0.90 means "nine of ten such pairs
are the same" (C35).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import astuple, dataclass

from rapidfuzz import fuzz
from rapidfuzz.distance import LCSseq

from gather_pipeline.gather.guard import Conflict
from gather_pipeline.gather.pair_places import exchanges
from gather_pipeline.gather.pair_reading import Reading
from gather_pipeline.gather.pair_words import NEGATION

MODEL_VERSION = "pairs-1"


@dataclass(frozen=True, kw_only=True)
class Features:
    """What the model knows of a pair; the same for both orders of the texts.

    Attributes:
        cosine: Cosine similarity of the two embeddings.
        closeness: -ln(1.05 - cosine): tells 0.99 from 0.95, which the cosine hardly does.
        contained: Share of the poorer text's words (weighted) that the other has too, 0 to 1.
        disorder: Share of common words that stand in another order, 0 to 1, fading out below cosine 0.75.
        exchanged: Phrases that trade places, fading out below cosine 0.75.
        extra_number: 1 where one text has a number that the other lacks, without contradicting it.
        extra_negation: 1 where only one text negates anything, without contradicting the other.
    """

    cosine: float
    closeness: float
    contained: float
    disorder: float
    exchanged: float
    extra_number: float
    extra_negation: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the rules say about two texts.

    Attributes:
        probability: That people call the two the same, 0 to 1; halved by a conflict.
        lexical: True where the cosine was set aside and the characters decided (scripts that the embedding cannot read).
    """

    probability: float
    lexical: bool


# Logistic regression on pairs without a conflict, from training parts of MRPC, SICK, STS 2012 to 2016 and (at a fifth of the weight)
# PAWS-Wiki, each data set with a base rate of its own, then one intercept for the first three. How and how well:
# docs/decisions/0005-duplicates.md.
WEIGHTS = Features(
    cosine=4.572,
    closeness=1.018,
    contained=0.959,
    disorder=-1.343,
    exchanged=-1.326,
    extra_number=-0.615,
    extra_negation=-1.104,
)
INTERCEPT = -5.177

CONFLICT_FACTOR = 0.5  # leaves no such pair above 0.5, and keeps their order
ORDER_COUNTS_FROM = 0.75
ORDER_FADES_OVER = 0.04
SAME_WORDS = 0.97  # texts that differ in capitals and punctuation alone

LATIN_NEEDED = 0.5
LIKENESS_MIDDLE = 0.90
LIKENESS_SLOPE = 40.0


def compare(a: Reading, b: Reading, cosine: float, conflict: Conflict | None) -> Comparison:
    """The probability that two texts say the same.

    Args:
        a: One text.
        b: The other; the order of the two does not matter.
        cosine: Cosine similarity of their embeddings.
        conflict: The fact in which the guard found them to differ, None where it found none.
    """
    lexical = min(a.latin, b.latin) < LATIN_NEEDED
    probability = _by_characters(a, b) if lexical else logistic(linear(features(a, b, cosine, conflict)))
    if a.words and [word.stem for word in a.words] == [word.stem for word in b.words]:
        probability = max(probability, SAME_WORDS)
    return Comparison(probability=probability * CONFLICT_FACTOR if conflict else probability, lexical=lexical)


def features(a: Reading, b: Reading, cosine: float, conflict: Conflict | None) -> Features:
    """Measures a pair; `conflict` is what the guard found, so that no fact is counted twice."""
    words_a, words_b = [word.stem for word in a.words], [word.stem for word in b.words]
    common = sum((Counter(words_a) & Counter(words_b)).values())
    total = max(1, len(words_a) + len(words_b))
    gate = logistic((cosine - ORDER_COUNTS_FROM) / ORDER_FADES_OVER)
    number_a, number_b = _numbers(a), _numbers(b)
    return Features(
        cosine=cosine,
        closeness=-math.log(1.05 - min(cosine, 1.0)),
        contained=_contained(a, b),
        disorder=gate * 2 * (common - LCSseq.similarity(words_a, words_b)) / total,
        exchanged=gate * len(exchanges(a, b)),
        extra_number=float(conflict is None and number_a != number_b),
        extra_negation=float(conflict is None and _negates(a) != _negates(b)),
    )


def linear(pair: Features) -> float:
    """The weighted sum of a pair's features, in log odds."""
    return float(INTERCEPT + sum(w * x for w, x in zip(astuple(WEIGHTS), astuple(pair), strict=True)))


def logistic(x: float) -> float:
    """Log odds to probability."""
    return 1.0 / (1.0 + math.exp(-x))


def _contained(a: Reading, b: Reading) -> float:
    weights = {word.stem: word.weight for word in (*a.words, *b.words)}
    count_a, count_b = Counter(word.stem for word in a.words), Counter(word.stem for word in b.words)
    shared = sum(weights[word] * count for word, count in (count_a & count_b).items())
    poorer = min(sum(weights[word] * n for word, n in count.items()) for count in (count_a, count_b))
    return shared / poorer if poorer else 0.0


def _numbers(reading: Reading) -> set[str]:
    return {word.stem for word in reading.words if word.kind == "number"}


def _negates(reading: Reading) -> bool:
    return any(word.text in NEGATION for word in reading.words)


def _by_characters(a: Reading, b: Reading) -> float:
    """For scripts that the English embedding model sees as one blur: near-identical characters, or not the same.

    A rule and not a fit: half sure at a likeness of 0.90 (rapidfuzz's ratio), 0.98 at 1.
    """
    likeness = fuzz.ratio(a.text.casefold(), b.text.casefold()) / 100
    return logistic(LIKENESS_SLOPE * (likeness - LIKENESS_MIDDLE))
