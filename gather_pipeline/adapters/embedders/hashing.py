"""A small real embedder without a model: words and character trigrams hashed into a fixed number of features.

For tests and demonstrations that should not wait for torch. It sees shared words and spellings, never meaning; its name
stands in every row that it makes, so that its vectors are never compared with those of a model (C59).
Feature hashing with signs after Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from math import log1p
from typing import TYPE_CHECKING

from gather_pipeline.domain.texts import check_texts
from gather_pipeline.ports import Vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 256  # fewer make unlike texts collide
WORD_WEIGHT = 1.0
PAIR_WEIGHT = 0.6
TRIGRAM_WEIGHT = 0.25  # a word of ten letters has ten of them

# Scripts that write no spaces would give one endless word, so their characters count alone.
_WORDS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+", re.UNICODE)


class HashingEmbedder:
    """Deterministic in the text alone: the same on every machine, in every order, in every process.

    Safe to share between threads.
    """

    name = f"hashing-{DIMENSIONS}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1, float32, one a text and in order; shape (0, 256) for no text.

        Raises:
            InvalidInput: `texts` is one string, or holds something that is not a string.
        """
        import numpy as np  # here and below: a command that only reads starts without it

        check_texts(texts)
        return np.array([self._row(text) for text in texts], dtype=np.float32).reshape(len(texts), DIMENSIONS)

    def _row(self, text: str) -> NDArray[np.float32]:
        import numpy as np

        row = np.zeros(DIMENSIONS, dtype=np.float32)
        for (feature, weight), count in Counter(_features(text)).items():
            digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
            row[(digest >> 1) % DIMENSIONS] += (1 if digest & 1 else -1) * weight * log1p(count)
        length = float(np.linalg.norm(row))
        if length == 0.0:  # no word at all, or features that cancelled out: any fixed direction keeps the row a unit vector
            row[0] = length = 1.0
        row /= length
        return row


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Words with their character trigrams, then pairs of words; each with its weight."""
    words = _WORDS.findall(text.lower())
    for word in words:
        padded = f"<{word}>"
        yield f"w:{word}", WORD_WEIGHT
        yield from ((f"t:{padded[start : start + 3]}", TRIGRAM_WEIGHT) for start in range(len(padded) - 2))
    yield from ((f"p:{left} {right}", PAIR_WEIGHT) for left, right in pairwise(words))
