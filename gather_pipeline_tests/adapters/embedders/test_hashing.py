from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from hashlib import blake2b
from math import log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Vectors


@given(st.lists(st.text(), max_size=5))
def test_every_text_gets_a_unit_vector(texts: list[str]) -> None:
    rows = HashingEmbedder().embed(texts)
    assert rows.shape == (len(texts), 256)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def plain(text: str) -> Vectors:
    """The vector as it is defined, feature by feature."""
    words = re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+", text.lower())
    features = []
    for word in words:
        padded = f"<{word}>"
        features += [(f"w:{word}", 1.0), *((f"t:{padded[place : place + 3]}", 0.25) for place in range(len(padded) - 2))]
    features += [(f"p:{left} {right}", 0.6) for left, right in zip(words, words[1:], strict=False)]
    row = np.zeros(256, dtype=np.float32)
    for (feature, weight), count in Counter(features).items():
        digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        row[(digest >> 1) % 256] += (1.0 if digest & 1 else -1.0) * weight * log1p(count)
    length = float(np.linalg.norm(row))
    if length == 0.0:
        row[0] = length = 1.0
    row /= length
    return row


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_vectors_are_to_the_bit_what_their_definition_gives(texts: list[str]) -> None:
    """Stored vectors of an earlier release must stay those of their texts."""
    texts += ["a lamp in the storm " * 400, "Mara hides the key. Mara hides it again.", "x" * 90]
    rows = HashingEmbedder().embed(texts)
    assert rows.tobytes() == np.stack([plain(text) for text in texts]).tobytes()


def test_near_copies_are_near_and_strangers_are_far() -> None:
    note, copy, stranger = HashingEmbedder().embed(
        [
            "Mara hides the brass key under the third stair of the lighthouse.",
            "Mara hides a brass key under the third stair of the old lighthouse.",
            "The orchestra records slow strings for the closing credits.",
        ]
    )
    assert note @ copy > 0.8
    assert abs(note @ stranger) < 0.35


def test_a_text_has_one_vector_whatever_stands_beside_it() -> None:
    embedder = HashingEmbedder()
    alone = embedder.embed(["a lamp"])[0]
    assert np.array_equal(embedder.embed(["a storm", "a lamp"])[1], alone)


def test_another_process_makes_the_same_vector() -> None:
    """Python's own hash differs from process to process; stored vectors must not."""
    code = (
        "from gather_pipeline.adapters.embedders.hashing import HashingEmbedder\n"
        "print(HashingEmbedder().embed(['a lamp in the storm']).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == HashingEmbedder().embed(["a lamp in the storm"]).tobytes().hex()


def test_a_script_without_spaces_is_compared_character_by_character() -> None:
    near, same, far = HashingEmbedder().embed(["灯台守は嵐を待つ", "灯台守は嵐を恐れる", "楽団が曲を録音した"])
    assert near @ same > near @ far


def test_the_name_carries_the_dimensions() -> None:
    assert HashingEmbedder().name == "hashing-256"


def test_texts_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not one string"):
        HashingEmbedder().embed("abc")
    with pytest.raises(InvalidInput, match=r"texts\[0\] is None"):
        HashingEmbedder().embed([None])  # type: ignore[list-item]
