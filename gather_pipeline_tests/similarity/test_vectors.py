"""The vector matrix must be exact, grow without moving ids, and refuse rows that would make cosines lie."""

import re

import numpy as np
import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.similarity.vectors import VectorMatrix


def unit_rows(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ids(count: int, start: int = 0) -> list[str]:
    return [f"v{number}" for number in range(start, start + count)]


def test_nearest_agrees_with_a_full_sort():
    rows, queries = unit_rows(500), unit_rows(7, seed=1)
    found = VectorMatrix.from_rows(ids(500), rows).nearest(queries, 5)
    expected = queries @ rows.T
    for place in range(7):
        best = np.argsort(-expected[place])[:5]
        assert [id for id, _ in found[place]] == [f"v{number}" for number in best]
        assert [cosine for _, cosine in found[place]] == pytest.approx(expected[place][best], abs=1e-6)


def test_only_rows_that_reach_the_floor_are_named():
    rows, queries = unit_rows(500), unit_rows(7, seed=1)
    matrix = VectorMatrix.from_rows(ids(500), rows)
    for free, floored in zip(matrix.nearest(queries, 9), matrix.nearest(queries, 9, 0.55), strict=True):
        assert floored == [(id, cosine) for id, cosine in free if cosine >= 0.55]
    assert matrix.nearest(queries, 9, 1.1) == [[]] * 7
    exactly = matrix.nearest(queries[:1], 1)[0][0][1]
    assert len(matrix.nearest(queries[:1], 1, exactly)[0]) == 1


def test_equal_cosines_come_in_row_order():
    row = unit_rows(1)
    matrix = VectorMatrix.from_rows(ids(4), np.repeat(row, 4, axis=0))
    assert [id for id, _ in matrix.nearest(row, 4)[0]] == ["v0", "v1", "v2", "v3"]


def test_appending_one_by_one_equals_building_at_once():
    rows = unit_rows(300)
    grown = VectorMatrix()
    for number, row in enumerate(rows):
        grown.append([f"v{number}"], row[None, :])
    assert len(grown) == 300
    assert list(grown.ids) == ids(300)
    assert np.array_equal(grown.vectors, rows)
    assert grown.row("v299") == 299
    assert "v299" in grown and "v300" not in grown


def test_rows_are_copied_so_that_the_caller_may_reuse_its_array():
    rows = unit_rows(2)
    matrix = VectorMatrix.from_rows(ids(2), rows)
    kept = rows.copy()
    rows[:] = 0
    assert np.array_equal(matrix.vectors, kept)


def test_the_rows_cannot_be_written_through_the_view():
    matrix = VectorMatrix.from_rows(ids(2), unit_rows(2))
    with pytest.raises(ValueError, match="read-only"):
        matrix.vectors[0, 0] = 1
    matrix.append(["later"], unit_rows(1, seed=5))
    assert len(matrix) == 3


def test_asking_for_more_than_there_is_returns_what_there_is():
    matrix = VectorMatrix.from_rows(ids(2), unit_rows(2))
    assert [len(line) for line in matrix.nearest(unit_rows(3, seed=2), 10)] == [2, 2, 2]


def test_an_empty_matrix_and_an_empty_question_have_empty_answers():
    empty = VectorMatrix()
    assert empty.dimension == 0
    assert empty.nearest(unit_rows(2), 5) == [[], []]
    empty.append([], np.empty((0, 16), dtype=np.float32))
    assert len(empty) == 0
    full = VectorMatrix.from_rows(ids(3), unit_rows(3))
    assert full.nearest(np.empty((0, 16), dtype=np.float32), 2) == []


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        pytest.param(["a", "b"], unit_rows(3), "got 3 vectors for 2 ids", id="count"),
        pytest.param(["a"], unit_rows(1, 8), "vectors has 8 numbers a row, expected 16", id="dimension"),
        pytest.param(["a"], 2 * unit_rows(1), "vectors row 0 has length 2, expected 1", id="length"),
        pytest.param(["a"], np.full((1, 16), np.nan, dtype=np.float32), "length nan, expected 1", id="nan"),
        pytest.param(["a"], np.full((1, 16), np.inf, dtype=np.float32), "length inf, expected 1", id="infinite"),
        pytest.param(["a"], np.full((1, 16), 1e30, dtype=np.float32), "length inf, expected 1", id="overflowing"),
        pytest.param(["a"], unit_rows(1)[0], "vectors has shape (16,), expected (n, d)", id="shape"),
        pytest.param(["v0"], unit_rows(1, seed=3), "vector id is 'v0', expected an id that has no row yet", id="taken"),
        pytest.param(["a", "a"], unit_rows(2, seed=3), "vector id is 'a', expected an id that has no row yet", id="twice"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_and_nothing_is_added(names, rows, message):
    matrix = VectorMatrix.from_rows(ids(2), unit_rows(2))
    with pytest.raises(InvalidInput, match=re.escape(message)):
        matrix.append(names, rows)
    assert list(matrix.ids) == ["v0", "v1"]
    assert len(matrix.vectors) == 2


def test_a_question_without_a_number_of_answers_is_refused():
    with pytest.raises(InvalidInput, match="k is 0, expected at least 1"):
        VectorMatrix.from_rows(ids(2), unit_rows(2)).nearest(unit_rows(1), 0)


def test_a_question_of_another_dimension_is_refused():
    with pytest.raises(InvalidInput, match="queries has 8 numbers a row, expected 16"):
        VectorMatrix.from_rows(ids(2), unit_rows(2)).nearest(unit_rows(1, 8), 1)
