"""The hashing embedder, keeping account of what it was asked, so that batching can be claimed."""

from __future__ import annotations

from collections.abc import Sequence

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.ports import Vectors


class CountingEmbedder(HashingEmbedder):
    """A `HashingEmbedder` that keeps the texts of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return super().embed(texts)
