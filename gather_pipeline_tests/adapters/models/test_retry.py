from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.models.retry import wait_s
from gather_pipeline.errors import ModelTimeout, ModelUnavailable, RateLimited

FAILURES = [RateLimited("x"), RateLimited("x", 5.0), ModelTimeout("x"), ModelUnavailable("x")]


@pytest.mark.parametrize(("error", "attempts"), [(RateLimited("x"), 5), (ModelUnavailable("x"), 3), (ModelTimeout("x"), 2)])
def test_each_class_has_its_number_of_attempts(error: ModelUnavailable, attempts: int) -> None:
    waits = [wait_s(error, failures, 0.5) for failures in range(1, 8)]
    assert waits.index(None) == attempts - 1
    assert all(wait is None for wait in waits[attempts - 1 :])


@given(st.sampled_from(FAILURES), st.integers(1, 4), st.floats(0, 1))
def test_a_wait_of_our_own_is_at_most_two_and_a_half_minutes(error: ModelUnavailable, failures: int, jitter: float) -> None:
    wait = wait_s(error, failures, jitter)
    assert wait is None or 0 <= wait <= 150


@given(st.floats(0, 600), st.floats(0, 1))
def test_nobody_comes_back_before_the_time_that_was_asked_for(seconds: float, jitter: float) -> None:
    wait = wait_s(RateLimited("x", seconds), 1, jitter)
    assert wait is not None
    assert wait >= seconds


def test_an_endless_wait_is_declined() -> None:
    assert wait_s(RateLimited("x", 601.0), 1, 0.0) is None
