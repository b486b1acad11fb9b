"""The same words in another order, sentence by sentence."""

from __future__ import annotations

import random

from gather_pipeline.gather.text_statistics import Text


def shuffled(text: str, seed: int = 1) -> str:
    """Shuffles the words within each sentence and leaves the sentences where they are."""
    rng = random.Random(seed)
    sentences = []
    for sentence in Text(text).sentences:
        words = sentence.rstrip(".!?").split()
        rng.shuffle(words)
        sentences.append(" ".join(words) + ".")
    return " ".join(sentences)
