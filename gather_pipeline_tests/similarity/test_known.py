"""What is nearest must be exact, appending must not move places, and rows that would make cosines lie are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gather_pipeline.domain.items import content_hash
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Vectors
from gather_pipeline.similarity.known import KnownItems


def unit_rows(count: int, dimension: int = 16, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    found: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def known_of(rows: Vectors) -> KnownItems:
    known = KnownItems()
    known.append([f"v{place}" for place in range(len(rows))], [f"Text {place}." for place in range(len(rows))], rows)
    return known


def test_nearest_agrees_with_a_full_sort() -> None:
    rows, queries = unit_rows(500), unit_rows(7, seed=1)
    found = known_of(rows).nearest(queries, 5, -1)
    expected = queries @ rows.T
    for place in range(7):
        best = np.argsort(-expected[place])[:5]
        assert [row for row, _ in found[place]] == best.tolist()
        assert [cosine for _, cosine in found[place]] == pytest.approx(expected[place][best], abs=1e-6)


def test_only_rows_that_reach_the_floor_are_named() -> None:
    known, queries = known_of(unit_rows(500)), unit_rows(7, seed=1)
    for free, floored in zip(known.nearest(queries, 9, -1), known.nearest(queries, 9, 0.55), strict=True):
        assert floored == [(place, cosine) for place, cosine in free if cosine >= 0.55]
    assert known.nearest(queries, 9, 1.1) == [[]] * 7
    exactly = known.nearest(queries[:1], 1, -1)[0][0][1]
    assert len(known.nearest(queries[:1], 1, exactly)[0]) == 1


def test_equal_cosines_come_in_order_of_place_also_where_not_all_fit() -> None:
    row = unit_rows(1)
    known = known_of(np.repeat(row, 4, axis=0))
    assert [place for place, _ in known.nearest(row, 4, 0)[0]] == [0, 1, 2, 3]
    assert [place for place, _ in known.nearest(row, 2, 0)[0]] == [0, 1]


def test_appending_one_by_one_equals_building_at_once() -> None:
    rows = unit_rows(300)
    grown = KnownItems()
    for place, row in enumerate(rows):
        grown.append([f"v{place}"], [f"Text {place}."], row[None, :])
    whole = known_of(rows)
    assert (len(grown), grown.ids, grown.contents) == (300, whole.ids, whole.contents)
    assert np.array_equal(grown.vectors, rows)
    assert list(grown.twins(content_hash("text  299."))) == [299]
    assert not grown.twins(content_hash("Text 300."))


def test_rows_are_copied_so_that_the_caller_may_reuse_its_array() -> None:
    rows = unit_rows(2)
    known, kept = known_of(rows), rows.copy()
    rows[:] = 0
    assert np.array_equal(known.vectors, kept)


def test_asking_for_more_than_there_is_returns_what_there_is() -> None:
    assert [len(line) for line in known_of(unit_rows(2)).nearest(unit_rows(3, seed=2), 10, -1)] == [2, 2, 2]


def test_nothing_known_and_an_empty_question_have_empty_answers() -> None:
    empty = KnownItems()
    empty.append([], [], np.empty((0, 16), dtype=np.float32))
    assert len(empty) == 0
    assert empty.nearest(unit_rows(2), 5, 0) == [[], []]
    assert known_of(unit_rows(3)).nearest(np.empty((0, 16), dtype=np.float32), 2, 0) == []


@pytest.mark.parametrize(
    ("ids", "rows", "message"),
    [
        pytest.param(["a", "b"], unit_rows(3), "got 2 texts and 3 vectors for 2 ids", id="count"),
        pytest.param(["a"], unit_rows(1, 8), "vectors has 8 numbers a row, expected 16", id="dimension"),
        pytest.param(["a"], 2 * unit_rows(1), "vectors row 0 has length 2, expected 1", id="length"),
        pytest.param(["a"], np.full((1, 16), np.nan, dtype=np.float32), "length nan, expected 1", id="nan"),
        pytest.param(["a"], np.full((1, 16), np.inf, dtype=np.float32), "length inf, expected 1", id="infinite"),
        pytest.param(["a"], np.full((1, 16), 1e30, dtype=np.float32), "length inf, expected 1", id="overflowing"),
        pytest.param(["a"], unit_rows(1)[0], "vectors has shape (16,), expected (n, d)", id="shape"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_nothing_is_added(ids: list[str], rows: Vectors, message: str) -> None:
    known = known_of(unit_rows(2))
    with pytest.raises(InvalidInput, match=re.escape(message)):
        known.append(ids, ids, rows)
    assert (known.ids, len(known.contents), len(known.vectors)) == (["v0", "v1"], 2, 2)


def test_a_question_of_another_dimension_is_refused() -> None:
    with pytest.raises(InvalidInput, match="queries has 8 numbers a row, expected 16"):
        known_of(unit_rows(2)).nearest(unit_rows(1, 8), 1, 0)
