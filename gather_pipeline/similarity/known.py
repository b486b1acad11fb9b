"""What new texts are compared with: notes with their texts, content hashes and vectors in one order.

One matrix product over float32 rows beats every index up to some 100,000 rows and is never approximate (D6, D9): ten queries against
10,000 rows take about two milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Vectors

LENGTH_TOLERANCE = 1e-3  # bf16 arithmetic leaves rows this far from length 1


class KnownItems:
    """Ids, texts and vectors of length 1; an item's place is the same in all of them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.contents: list[str] = []
        self.vectors: Vectors = np.empty((0, 0), dtype=np.float32)
        self._places: dict[str, list[int]] = {}  # of the texts that `twins` has met
        self._hashed = 0

    @classmethod
    def from_items(cls, items: Sequence[Item], vectors: Vectors) -> KnownItems:
        """Known items with one vector each, in order; raises `InvalidInput` as `append` does."""
        known = cls()
        known.append([item.id for item in items], [item.content for item in items], vectors)
        return known

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, ids: Sequence[str], contents: Sequence[str], vectors: Vectors) -> None:
        """Adds items, so that the next batch is compared with them too.

        Raises:
            InvalidInput: The counts or the dimension do not fit, or a row has another length than 1.
        """
        rows = self._checked(vectors, "vectors")
        if not len(ids) == len(contents) == len(rows):
            raise InvalidInput(f"got {len(contents)} texts and {len(rows)} vectors for {len(ids)} ids")
        if not ids:
            return
        self.vectors = np.concatenate([self.vectors if len(self) else rows[:0], rows])
        self.ids.extend(ids)
        self.contents.extend(contents)

    def twins(self, hash: str) -> Sequence[int]:
        """Places of the items with a content hash: their texts are equal but for case and white space."""
        for place in range(self._hashed, len(self)):
            self._places.setdefault(content_hash(self.contents[place]), []).append(place)
        self._hashed = len(self)
        return self._places.get(hash, ())

    def nearest(self, queries: Vectors, k: int, floor: float) -> list[list[tuple[int, float]]]:
        """For each query the places of the k nearest items that reach a cosine, with their cosines, nearest first.

        Equal cosines come in order of place, so that two runs name the same match.

        Raises:
            InvalidInput: The queries have another dimension than the rows, or another length than 1.
        """
        asked = self._checked(queries, "queries")
        if not len(self):
            return [[] for _ in asked]
        found = []
        for row in asked @ self.vectors.T:
            near = np.flatnonzero(row >= floor)
            found.append([(place, float(row[place])) for place in near[np.argsort(-row[near], kind="stable")][:k].tolist()])
        return found

    def _checked(self, vectors: Vectors, name: str) -> Vectors:
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        if rows.ndim != 2:
            raise InvalidInput(f"{name} has shape {rows.shape}, expected (n, d)")
        if len(rows) and len(self) and rows.shape[1] != self.vectors.shape[1]:
            raise InvalidInput(f"{name} has {rows.shape[1]} numbers a row, expected {self.vectors.shape[1]}")
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        wrong = np.flatnonzero(~(np.abs(lengths - 1.0) <= LENGTH_TOLERANCE))
        if len(wrong):
            raise InvalidInput(f"{name} row {wrong[0]} has length {lengths[wrong[0]]:.4g}, expected 1")
        return rows
