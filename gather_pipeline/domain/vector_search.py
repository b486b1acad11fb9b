"""Finds the nearest rows exactly, and reads as few of them as that takes.

Every row gets an upper bound of its cosine: the float32 product itself or, in a large matrix, the cheaper one of a projection. A few
rows with the highest bounds give a bar that the k-th nearest reaches; what cannot reach it is out. The last few are computed in
float64, row by row, so that an answer does not depend on the road taken, on the number of rows or on the BLAS at hand.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gather_pipeline.domain.vector_projection import Floats, Projection

Places = NDArray[np.intp]
Number = TypeVar("Number", np.float32, np.float64)

SLACK = np.float32(1e-4)  # far above what float32 rounds off such a product
LEAD = 4  # rows looked at for the bar, as a multiple of k
BLOCK_CELLS = 4_000_000  # bounds held at once, 16 MB
ROWS_AT_ONCE = 4096  # rows copied for a computation, 12 MB in float64
PROJECT_FROM = 4096  # rows; below it the plain product is over sooner
ASKED_BEFORE_FIT = 100  # queries after which a projection has paid for itself: fitting costs about ten plain searches of ten
WIDE = 16  # where more than a sixteenth of the rows pass the projection, one plain product is cheaper than computing them all


class NearestRows:
    """Searches one growing set of rows; keeps a projection of them as soon as that pays.

    The projection is fitted again when the rows have doubled, because new texts bring new subjects.
    """

    def __init__(self, *, project_from: int = PROJECT_FROM, asked_before_fit: int = ASKED_BEFORE_FIT) -> None:
        self._project_from = project_from
        self._asked_before_fit = asked_before_fit
        self._projection: Projection | None = None
        self._fitted_for = 0
        self._asked = 0

    @property
    def projected(self) -> bool:
        """Whether there is a projection; there is none yet, or the rows lie near no subspace, where it is False."""
        return self._projection is not None

    def find(self, queries: Floats, rows: Floats, k: int, floor: float) -> list[tuple[Places, Floats]]:
        """Rows with the highest cosines, at most k a query, all of them at least `floor`.

        Args:
            queries: Shape (m, d), rows of about length 1.
            rows: Shape (n, d); rows of an earlier call stay the same, later ones may be new.
            k: At least 1.
            floor: Lowest cosine of interest.

        Returns:
            For each query places of rows and their cosines, highest first; equal cosines come in row order.
        """
        projection = self._projected(len(queries), rows)
        step = max(1, BLOCK_CELLS // max(1, len(rows)))
        found: list[tuple[Places, Floats]] = []
        for start in range(0, len(queries), step):
            block = queries[start : start + step]
            places = self._within_reach(block, rows, k, floor, projection)
            found += [_best(query, rows, near, k, floor) for query, near in zip(block, places, strict=True)]
        return found

    def _within_reach(self, queries: Floats, rows: Floats, k: int, floor: float, projection: Projection | None) -> list[Places]:
        """For each query all rows that may be among the k nearest."""
        if projection is None:
            return _passing(queries, rows, queries @ rows.T, k, floor)
        places = _passing(queries, rows, projection.bounds(queries), k, floor)
        wide = [number for number, near in enumerate(places) if len(near) > len(rows) // WIDE]
        if wide:
            again = _passing(queries[wide], rows, queries[wide] @ rows.T, k, floor)
            for number, near in zip(wide, again, strict=True):
                places[number] = near
        return places

    def _projected(self, asking: int, rows: Floats) -> Projection | None:
        if len(rows) < self._project_from:
            return None
        if len(rows) > self._fitted_for:
            self._asked += asking
            if self._asked < self._asked_before_fit:
                return None
            self._asked, self._fitted_for = 0, 2 * len(rows)
            self._projection = Projection.fit(rows, self._fitted_for)
        if self._projection is not None:
            self._projection.extend(rows)
        return self._projection


def _passing(queries: Floats, rows: Floats, bounds: Floats, k: int, floor: float) -> list[Places]:
    """For each query the rows whose bound reaches the floor and the cosine of some k-th row."""
    places: list[Places] = []
    for query, bound in zip(queries, bounds, strict=True):
        near = np.flatnonzero(bound >= floor - SLACK)
        if len(near) > LEAD * k:
            high = bound[near]
            lead = near[np.argpartition(high, -LEAD * k)[-LEAD * k :]]
            bar = np.partition(_cosines(query, rows, lead), -k)[-k]
            near = near[high >= bar - SLACK]
        places.append(near)
    return places


def _best(query: Floats, rows: Floats, near: Places, k: int, floor: float) -> tuple[Places, Floats]:
    if len(near) > LEAD * k:
        rough = _cosines(query, rows, near)
        near = near[rough >= np.partition(rough, -k)[-k] - SLACK]
    cosines = _cosines(query.astype(np.float64), rows, near).astype(np.float32)
    order = np.lexsort((near, -cosines))[:k]
    order = order[cosines[order] >= floor]
    return near[order], cosines[order]


def _cosines(query: NDArray[Number], rows: Floats, places: Places) -> NDArray[Number]:
    """Cosines in the precision of the query."""
    found = np.empty(len(places), dtype=query.dtype)
    for start in range(0, len(places), ROWS_AT_ONCE):
        part = places[start : start + ROWS_AT_ONCE]
        # Unlike BLAS, einsum adds up a row in one order whatever rows stand beside it, so that equal rows tie.
        np.einsum("ij,j->i", rows[part].astype(query.dtype, copy=False), query, out=found[start : start + ROWS_AT_ONCE])
    return found
