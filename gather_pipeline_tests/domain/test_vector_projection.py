"""A bound that is ever too low would lose a duplicate without a word."""

import numpy as np
import pytest

from gather_pipeline.domain.vector_projection import Projection


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def near_a_subspace(count: int, dimension: int, rank: int, noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, rank)) @ np.linalg.qr(rng.normal(size=(dimension, rank)))[0].T / np.sqrt(rank)
    return unit(rows + noise / np.sqrt(dimension) * rng.normal(size=(count, dimension)))


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.3])
def test_no_cosine_exceeds_its_bound(noise):
    rows = near_a_subspace(3000, 128, 24, noise)
    queries = np.vstack([rows[:20], near_a_subspace(20, 128, 90, 1.0, seed=7), -rows[:20]])
    projection = Projection.fit(rows, 3000)
    assert projection is not None
    projection.extend(rows)
    cosines = queries.astype(np.float64) @ rows.astype(np.float64).T
    assert (projection.bounds(queries) >= cosines - 1e-6).all()


def test_the_bound_is_close_where_rows_lie_near_the_axes():
    rows = near_a_subspace(2000, 128, 24, 0.05)
    projection = Projection.fit(rows, 2000)
    assert projection is not None
    projection.extend(rows)
    assert np.abs(projection.bounds(rows[:50]) - rows[:50] @ rows.T).mean() < 0.01


def test_rows_taken_in_piece_by_piece_get_the_same_bounds():
    rows = near_a_subspace(20_000, 64, 16, 0.1)
    projections = [Projection.fit(rows, 20_000) for _ in range(2)]
    assert projections[0] is not None and projections[1] is not None
    projections[0].extend(rows)
    for count in (0, 1, 777, 777, 20_000):
        projections[1].extend(rows[:count])
        assert projections[1].bounds(rows[:3]).shape == (3, count)
    assert projections[0].bounds(rows[:9]) == pytest.approx(projections[1].bounds(rows[:9]), abs=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(near_a_subspace(2000, 128, 128, 1.0), id="no subspace"),
        pytest.param(near_a_subspace(500, 48, 4, 0.0), id="few dimensions"),
        pytest.param(near_a_subspace(20, 1100, 4, 0.0), id="too many dimensions"),
    ],
)
def test_there_is_no_projection_where_it_would_not_pay(rows):
    assert Projection.fit(rows, len(rows)) is None


def test_more_rows_than_it_was_made_for_are_refused():
    rows = near_a_subspace(300, 64, 8, 0.0)
    projection = Projection.fit(rows, 200)
    assert projection is not None
    with pytest.raises(ValueError, match="got 300 rows, expected at most 200"):
        projection.extend(rows)
