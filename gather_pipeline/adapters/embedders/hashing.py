"""A small real embedder without a model: words and character trigrams hashed into a fixed number of features.

For tests and demonstrations that should not wait for torch. It sees shared words and spellings, never meaning; its name
stands in every row that it makes, so that its vectors are never compared with those of a model (C59).
Feature hashing with signs after Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
"""

from __future__ import annotations

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from math import log1p

import numpy as np
from numpy.typing import NDArray

from gather_pipeline.domain.texts import check_texts
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Vectors

WORD_WEIGHT = 1.0
PAIR_WEIGHT = 0.6
TRIGRAM_WEIGHT = 0.25  # a word of ten letters has ten of them
WEIGHTS = {"w": WORD_WEIGHT, "p": PAIR_WEIGHT, "t": TRIGRAM_WEIGHT}  # by the first letter of a feature

CACHE_ROWS = 20_000  # 20 MB of float32 rows of 256
LONGEST_WORD_KEPT = 40  # characters: the features of a longer one are not remembered, for it hardly comes again
LOGARITHMS = np.array([log1p(count) for count in range(256)])  # of a feature's count, which is rarely above 3

# Scripts that write no spaces would give one endless word, so their characters count alone.
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+", re.UNICODE)


class HashingEmbedder:
    """Deterministic in the text alone: the same on every machine, in every order, in every process.

    Safe to share between threads. Vectors are kept by a hash of their text, so that a text is computed once a process.

    Args:
        dimensions: Length of a vector, 16 to 65536; fewer make unlike texts collide.
    """

    def __init__(self, dimensions: int = 256) -> None:
        if isinstance(dimensions, bool) or not isinstance(dimensions, int) or not 16 <= dimensions <= 65_536:
            raise InvalidInput.field("dimensions", dimensions, "a whole number from 16 to 65536")
        self._dimensions = dimensions
        self._lock = threading.Lock()
        self._cache: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    @property
    def name(self) -> str:
        """E.g. ``hashing-256``."""
        return f"hashing-{self._dimensions}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1, float32, one a text and in order; shape (0, dimensions) for no text.

        Raises:
            InvalidInput: `texts` is one string, or holds something that is not a string.
        """
        check_texts(texts)
        rows = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for position, text in enumerate(texts):
            rows[position] = self._row(text)
        return rows

    def _row(self, text: str) -> NDArray[np.float32]:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
                return found
        row = self._compute(text)
        with self._lock:
            self._cache[key] = row
            if len(self._cache) > CACHE_ROWS:
                self._cache.popitem(last=False)
        return row

    def _compute(self, text: str) -> NDArray[np.float32]:
        words = _WORDS.findall(text.lower())
        pairs = [f"p:{left} {right}" for left, right in zip(words, words[1:], strict=False)]
        counts = Counter(chain(chain.from_iterable(map(_features, words)), pairs))
        row = np.zeros(self._dimensions, dtype=np.float32)
        if counts:
            numbers, weights = zip(*map(_hashed, counts), strict=True)
            times = np.fromiter(counts.values(), dtype=np.intp, count=len(counts))
            logarithms = LOGARITHMS[times] if times.max() < len(LOGARITHMS) else [log1p(count) for count in counts.values()]
            # Added one after the other, in the order of the text: sums of float32 depend on it.
            np.add.at(row, np.array(numbers) % self._dimensions, (np.array(weights) * logarithms).astype(np.float32))
        length = float(np.linalg.norm(row))
        if length == 0.0:  # no word at all, or features that cancelled out: any fixed direction keeps the row a unit vector
            row[0] = length = 1.0
        row /= length
        return row


def _features(word: str) -> tuple[str, ...]:
    """The word itself and its character trigrams."""
    return _kept_features(word) if len(word) <= LONGEST_WORD_KEPT else _made_features(word)


def _made_features(word: str) -> tuple[str, ...]:
    padded = f"<{word}>"
    return (f"w:{word}", *(f"t:{padded[start : start + 3]}" for start in range(len(padded) - 2)))


_kept_features = lru_cache(maxsize=8192)(_made_features)


@lru_cache(maxsize=65_536)
def _hashed(feature: str) -> tuple[int, float]:
    """A feature's number, and its weight with its sign."""
    digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return digest >> 1, WEIGHTS[feature[0]] if digest & 1 else -WEIGHTS[feature[0]]
