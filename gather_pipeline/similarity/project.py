"""How a project decides about duplicates: the usual rules, what its people have said of pairs, and the threshold that follows (N05)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import Item, distinct_pairs
from gather_pipeline.ports import Embedder
from gather_pipeline.similarity.detector import DuplicateDetector
from gather_pipeline.similarity.pairs import PairComparer
from gather_pipeline.similarity.thresholds import FLOOR_OF_EVIDENCE, Threshold, learned_threshold, usual_threshold

BY_RULES = frozenset({"embedding", "contained", "lexical"})  # drops whose probability is the rules' own


def threshold_of(
    items: Iterable[Item], drops: Iterable[DecidedText], embedder: Callable[[], Embedder], wrong_drop_cost: float
) -> Threshold:
    """The probability from which texts of a project are dropped.

    Args:
        items: Every committed item of the project.
        drops: Its drops, among them what people marked as the same.
        embedder: Opens the embedder, which measures the pairs that a person marked; called only where enough was said to move anything.
        wrong_drop_cost: What a wrong drop costs, in kept doubles (`GATHER_WRONG_DROP_COST`).
    """
    restored = [one.similarity for item in items for one in item.overruled if one.rule in BY_RULES and one.similarity is not None]
    marked = [
        (one.text.content, one.decision.match_content) for one in drops if one.decision.rule == "person" and one.decision.match_content
    ]
    usual = usual_threshold(wrong_drop_cost)
    if len(restored) + len(marked) < FLOOR_OF_EVIDENCE:
        return Threshold(value=usual, usual=usual, restored=len(restored), marked=len(marked))
    return learned_threshold(usual, restored, _measured(marked, embedder))


def _measured(pairs: Sequence[tuple[str, str]], embedder: Callable[[], Embedder]) -> list[float]:
    """What the rules say of these pairs."""
    if not pairs:
        return []
    model = embedder()
    comparer = PairComparer(model)
    vectors = model.embed([text for pair in pairs for text in pair])
    cosines = (vectors[::2] * vectors[1::2]).sum(axis=1)
    return [comparer.compare(*pair, float(cosine)).probability for pair, cosine in zip(pairs, cosines, strict=True)]


def detector_of(items: Sequence[Item], drops: Iterable[DecidedText], embedder: Embedder, wrong_drop_cost: float) -> DuplicateDetector:
    """The detector of a project, as its people have taught it; takes what `threshold_of` takes."""
    threshold = threshold_of(items, drops, lambda: embedder, wrong_drop_cost)
    return DuplicateDetector(embedder, threshold=threshold.value, distinct=distinct_pairs(items))
