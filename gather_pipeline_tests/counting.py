"""Real bodies that keep account of what they were asked, so that batching and the number of store operations can be claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.ports import DocumentStore, Vectors

READS = ("get", "find", "changed_since", "position")
WRITES = ("insert_many", "update", "upsert", "delete")


class CountingEmbedder(HashingEmbedder):
    """A `HashingEmbedder` that keeps the texts of each call."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        return super().embed(texts)


class CountingStore:
    """A document store that counts the calls of its methods; stands wherever a `DocumentStore` does.

    Attributes:
        calls: How often each method was called, by its name.
    """

    def __init__(self, body: DocumentStore) -> None:
        self._body = body
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self._body, name)

        def counted(*args: Any, **options: Any) -> Any:
            self.calls[name] += 1
            return method(*args, **options)

        return counted if name in READS + WRITES else method

    @property
    def reads(self) -> int:
        """Calls that read."""
        return sum(self.calls[name] for name in READS)

    @property
    def writes(self) -> int:
        """Calls that write."""
        return sum(self.calls[name] for name in WRITES)

    @property
    def total(self) -> int:
        """All of them."""
        return self.reads + self.writes
