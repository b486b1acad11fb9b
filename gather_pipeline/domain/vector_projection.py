"""Bounds cosines from above with a third of the numbers, so that most rows need never be read whole.

Sentence embeddings lie near a subspace. Rows and queries are turned so that its axes come first, and only these are kept, with the
length of what is left out. The left-out parts of two vectors add at most the product of their lengths to the cosine
(Cauchy-Schwarz), so the bound is exact mathematics and only the axes are a matter of luck.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ENERGY = 0.88  # share of the rows' squared length on the kept axes; measured: less lets too many rows through, more reads too much
WIDTH_STEP = 32
MOST_DIMENSIONS = 1024  # above it finding the axes takes longer than it saves
SAMPLE = 4096  # rows that the axes are taken from
CHUNK = 8192  # rows turned at once
SQUARE_SLACK = 1e-5  # covers the rounding of a difference of squares of about 1 in float32


class Projection:
    """The first axes of a growing set of rows; columns are rows here, because products with few queries are faster that way."""

    def __init__(self, axes: Floats, capacity: int) -> None:
        self._axes = axes
        self._columns: Floats = np.empty((axes.shape[1] + 1, capacity), dtype=np.float32)
        self._count = 0

    @classmethod
    def fit(cls, rows: Floats, capacity: int) -> Projection | None:
        """Axes for these rows, which `extend` has still to take in; None where no half of the axes holds enough of them.

        Args:
            rows: Shape (n, d), rows of about length 1.
            capacity: Most rows that it will ever hold.
        """
        dimension = rows.shape[1]
        if dimension > MOST_DIMENSIONS:
            return None
        sample = rows[:: -(-len(rows) // SAMPLE)].astype(np.float64)
        energies, axes = np.linalg.eigh(sample.T @ sample)  # smallest first
        held = np.cumsum(energies[::-1]) / energies.sum()
        for width in range(WIDTH_STEP, dimension // 2 + 1, WIDTH_STEP):
            if held[width - 1] >= ENERGY:
                return cls(np.ascontiguousarray(axes[:, ::-1][:, :width], dtype=np.float32), capacity)
        return None

    def extend(self, rows: Floats) -> None:
        """Takes in those of the rows that came after the ones it has; raises ValueError beyond its capacity."""
        if len(rows) > self._columns.shape[1]:
            raise ValueError(f"got {len(rows)} rows, expected at most {self._columns.shape[1]}")
        while self._count < len(rows):
            end = min(len(rows), self._count + CHUNK)
            self._columns[:, self._count : end] = self._turned(rows[self._count : end]).T
            self._count = end

    def bounds(self, queries: Floats) -> Floats:
        """Numbers that no cosine exceeds but for rounding, shape (queries, rows)."""
        found: Floats = self._turned(queries) @ self._columns[:, : self._count]
        return found

    def _turned(self, rows: Floats) -> Floats:
        """The kept numbers of each row and, last, the length of the rest."""
        kept = rows @ self._axes
        rest = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", kept, kept)
        return np.hstack([kept, np.sqrt(np.maximum(rest, 0) + SQUARE_SLACK)[:, None]])
