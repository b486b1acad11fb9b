"""S001's duplicate functions over plain mappings and texts (S001-DUP-01 to 08).

What is dropped is decided on whole texts, by the rules and the threshold that the loop, imports and refreshes use. The two functions that
ask how alike two texts are look at 500 characters. All are synchronous and never start an event loop, so they work inside one as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Embedder
from gather_pipeline.similarity.defaults import default_embedder
from gather_pipeline.similarity.detector import DUPLICATE_THRESHOLD, DuplicateDetector
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.pairs import PairComparer, Similarity

ItemT = TypeVar("ItemT", bound=Mapping[str, Any])

PRECISE_THRESHOLD = 0.90  # S001-DUP-04: nine of ten pairs at least this similar are the same
COMPARE_CHARS = 500  # S001-DUP-05
EMBED_BATCH = 32  # texts embedded before the next look whether one is a duplicate; the model's best batch size

_COMPARERS: dict[str, PairComparer] = {}


def deduplicate_items(
    new_items: Sequence[ItemT],
    existing_items: Sequence[Mapping[str, Any]],
    *,
    embedder: Embedder | None = None,
    threshold: float = DUPLICATE_THRESHOLD,
) -> list[ItemT]:
    """The new items that are no duplicates, in order (S001-DUP-01).

    A new item that repeats an existing one, or says less, is left out. Of new items that repeat each other the newest, the last, stays
    (C34), unless an older one says more.

    Args:
        new_items: Mappings with the text under ``content``; other keys are carried along.
        existing_items: What is stored already.
        embedder: Embedding model; the installed default where None.
        threshold: Probability of being the same from which an item is left out.

    Raises:
        InvalidInput: An item has no text under ``content``, or the threshold is out of range.
    """
    new = _contents(new_items, "new_items")
    existing = _contents(existing_items, "existing_items")
    model = embedder or default_embedder()
    detector = DuplicateDetector(model, threshold=threshold)
    if not new:
        return []
    vectors = model.embed([*new, *existing])
    known = KnownItems()
    known.append([str(place) for place in range(len(existing))], existing, vectors[len(new) :])
    decisions = detector.screen_by_rules(new, vectors[: len(new)], known)
    return [item for item, decision in zip(new_items, decisions, strict=True) if not decision.duplicate]


def check_semantic_similarity(text1: str, text2: str, *, embedder: Embedder | None = None) -> float:
    """How sure we are that people call two texts the same, 0 to 1; the order does not matter (S001-DUP-02).

    A calibrated probability: of pairs at 0.90, nine of ten are the same (C35). Looks at the first 500 characters.

    Raises:
        InvalidInput: An argument is not text.
    """
    left, right = _text(text1, "text1")[:COMPARE_CHARS], _text(text2, "text2")[:COMPARE_CHARS]
    model = embedder or default_embedder()
    comparer = _comparer(model)
    found = comparer.known(left, right)
    if found is None:
        first, second = model.embed([left, right])
        found = comparer.compare(left, right, float(first @ second))
    return found.probability


def batch_similarity_check(
    new_item: Mapping[str, Any],
    existing_items: Sequence[Mapping[str, Any]],
    threshold: float = PRECISE_THRESHOLD,
    *,
    embedder: Embedder | None = None,
) -> bool:
    """Whether an item repeats any of the existing ones (S001-DUP-03).

    Stops at the first duplicate (S001-DUP-08): equal and already compared texts first, then batches of embeddings.

    Raises:
        InvalidInput: An item has no text under ``content``, or the threshold is out of range.
    """
    if not 0 < threshold <= 1:
        raise InvalidInput.field("threshold", threshold, "a probability above 0 and at most 1")
    content = _content(new_item, "new_item")[:COMPARE_CHARS]
    existing = [other[:COMPARE_CHARS] for other in _contents(existing_items, "existing_items")]
    model = embedder or default_embedder()
    comparer = _comparer(model)

    def repeats(found: Similarity) -> bool:
        return found.conflict is None and found.probability >= threshold

    answers = [comparer.known(content, other) for other in existing]
    if any(found is not None and repeats(found) for found in answers):
        return True
    unknown = [other for other, found in zip(existing, answers, strict=True) if found is None]
    if not unknown:
        return False
    vector = model.embed([content])[0]
    for start in range(0, len(unknown), EMBED_BATCH):
        batch = unknown[start : start + EMBED_BATCH]
        cosines = (model.embed(batch) @ vector).tolist()
        if any(repeats(comparer.compare(content, other, cosine)) for other, cosine in zip(batch, cosines, strict=True)):
            return True
    return False


def _comparer(embedder: Embedder) -> PairComparer:
    """One cache of similarities for each embedding model, because two models' cosines do not compare (S001-DUP-06)."""
    return _COMPARERS.setdefault(embedder.name, PairComparer(embedder))


def _contents(items: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return [_content(item, f"{name}[{place}]") for place, item in enumerate(items)]


def _content(item: Mapping[str, Any], name: str) -> str:
    if not isinstance(item, Mapping):
        raise InvalidInput.field(name, item, "a mapping with the text under 'content'")
    if "content" not in item:
        raise InvalidInput(f"{name} has no 'content', expected the item's text under it")
    return _text(item["content"], f"{name}.content")


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput.field(name, value, "text")
    return value
