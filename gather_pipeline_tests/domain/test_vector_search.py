"""Pruned search is plain search: the same rows, the same cosines to the last bit, on rows of every sort."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_pipeline.domain import vector_search
from gather_pipeline.domain.vector_search import NearestRows

DIMENSION = 96


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clustered(rng: np.random.Generator, count: int) -> np.ndarray:
    topics = rng.normal(size=(12, DIMENSION))
    return unit(topics[rng.integers(0, 12, count)] + 0.4 * rng.normal(size=(count, DIMENSION)))


def flat(rng: np.random.Generator, count: int) -> np.ndarray:
    """A subspace and hardly anything beside it."""
    return unit(rng.normal(size=(count, 20)) @ rng.normal(size=(20, DIMENSION)) + 0.02 * rng.normal(size=(count, DIMENSION)))


def scattered(rng: np.random.Generator, count: int) -> np.ndarray:
    return unit(rng.normal(size=(count, DIMENSION)))


def crowded(rng: np.random.Generator, count: int) -> np.ndarray:
    """A few rows over and over, some a hair's breadth apart."""
    rows = flat(rng, 5)[rng.integers(0, 5, count)]
    return unit(rows + np.where(rng.random((count, 1)) < 0.5, 0, 1e-5) * rng.normal(size=(count, DIMENSION)))


def bare(rng: np.random.Generator, count: int) -> np.ndarray:
    """Axes themselves: every cosine is -1, 0 or 1."""
    return (np.eye(DIMENSION)[rng.integers(0, 30, count)] * rng.choice([-1, 1], (count, 1))).astype(np.float32)


def on_the_floor(rng: np.random.Generator, count: int) -> np.ndarray:
    """Cosines to the first row of 0.5 and a few rounding errors more or less."""
    rows = np.zeros((count, DIMENSION))
    angle = np.arccos(0.5 + rng.integers(-3, 4, count) * 6e-8)
    rows[:, 0], rows[np.arange(count), 1 + rng.integers(0, 40, count)] = np.cos(angle), np.sin(angle)
    rows[0] = np.eye(DIMENSION)[0]
    return rows.astype(np.float32)


SORTS = {sort.__name__: sort for sort in (clustered, flat, scattered, crowded, bare, on_the_floor)}


def by_hand(queries: np.ndarray, rows: np.ndarray, k: int, floor: float) -> list[list[tuple[int, float]]]:
    found = []
    for query in queries.astype(np.float64):
        cosines = np.einsum("ij,j->i", rows.astype(np.float64), query).astype(np.float32)
        order = np.lexsort((np.arange(len(rows)), -cosines))[:k]
        found.append([(int(place), float(cosines[place])) for place in order if cosines[place] >= np.float32(floor)])
    return found


def found_by(search: NearestRows, queries: np.ndarray, rows: np.ndarray, k: int, floor: float) -> list[list[tuple[int, float]]]:
    return [list(zip(places.tolist(), cosines.tolist(), strict=True)) for places, cosines in search.find(queries, rows, k, floor)]


@settings(deadline=None, max_examples=150)
@given(
    first=st.sampled_from(sorted(SORTS)),
    later=st.sampled_from(sorted(SORTS)),
    asking=st.sampled_from(sorted(SORTS)),
    counts=st.lists(st.integers(1, 250), min_size=1, max_size=5),
    k=st.integers(1, 12),
    floor=st.sampled_from([-math.inf, -0.2, 0.0, 0.3, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_pruned_plain_and_by_hand_are_one_also_after_appends(first, later, asking, counts, k, floor, seed):
    rng = np.random.default_rng(seed)
    pruned, plain = NearestRows(project_from=1, asked_before_fit=1), NearestRows(project_from=10**9)
    rows = np.empty((0, DIMENSION), dtype=np.float32)
    for number, count in enumerate(counts):
        rows = np.vstack([rows, SORTS[later if number else first](rng, count)])
        queries = np.vstack([SORTS[asking](rng, 4), rows[:2]])
        expected = by_hand(queries, rows, k, floor)
        assert found_by(plain, queries, rows, k, floor) == expected
        assert found_by(pruned, queries, rows, k, floor) == expected
    assert not plain.projected


@pytest.mark.parametrize("sort", ["flat", "clustered"])
def test_a_projection_comes_when_it_has_paid_for_itself_and_changes_no_answer(sort):
    rng = np.random.default_rng(1)
    rows, queries = SORTS[sort](rng, 5000), SORTS[sort](rng, 10)
    search = NearestRows()
    answers = []
    for number in range(1, 13):
        answers.append(found_by(search, queries, rows, 5, 0.5))
        assert search.projected == (number >= 10)
    assert all(answer == by_hand(queries, rows, 5, 0.5) for answer in answers)


def test_rows_near_no_subspace_are_searched_plainly():
    rng = np.random.default_rng(2)
    rows, queries = scattered(rng, 500), scattered(rng, 5)
    search = NearestRows(project_from=1, asked_before_fit=1)
    assert found_by(search, queries, rows, 5, 0.2) == by_hand(queries, rows, 5, 0.2)
    assert not search.projected


def test_a_projection_is_fitted_anew_when_the_rows_have_doubled():
    """The first subject fills a subspace; what comes after has nothing to do with it."""
    rng = np.random.default_rng(3)
    rows = flat(rng, 100)
    search = NearestRows(project_from=1, asked_before_fit=1)
    search.find(rows[:1], rows, 5, 0.5)
    assert search.projected
    rows = np.vstack([rows, scattered(rng, 200)])
    assert found_by(search, rows[-5:], rows, 5, 0.2) == by_hand(rows[-5:], rows, 5, 0.2)
    assert not search.projected


def test_many_queries_are_answered_block_by_block(monkeypatch):
    rng = np.random.default_rng(4)
    rows, queries = flat(rng, 300), flat(rng, 50)
    expected = by_hand(queries, rows, 3, 0.5)
    monkeypatch.setattr(vector_search, "BLOCK_CELLS", 700)
    for search in (NearestRows(), NearestRows(project_from=1, asked_before_fit=1)):
        assert found_by(search, queries, rows, 3, 0.5) == expected


def test_more_equal_rows_than_are_computed_at_once_tie_in_row_order():
    rows = np.repeat(flat(np.random.default_rng(5), 1), 10_000, axis=0)
    for search in (NearestRows(), NearestRows(asked_before_fit=1)):
        [(places, cosines)] = search.find(rows[:1], rows, 3, 0.5)
        assert places.tolist() == [0, 1, 2]
        assert len(set(cosines.tolist())) == 1


def test_no_rows_and_no_queries_have_empty_answers():
    none = np.empty((0, DIMENSION), dtype=np.float32)
    rows = flat(np.random.default_rng(6), 3)
    [(places, cosines)] = NearestRows(project_from=0, asked_before_fit=1).find(rows[:1], none, 5, 0.5)
    assert (len(places), len(cosines)) == (0, 0)
    assert NearestRows().find(none, rows, 5, 0.5) == []
