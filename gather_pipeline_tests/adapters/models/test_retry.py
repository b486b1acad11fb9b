from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.models.retry import parse_retry_after, wait_s
from gather_pipeline.errors import ModelTimeout, ModelUnavailable, RateLimited

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
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


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-5", 0.0),
        ("Thu, 01 Jan 2026 12:00:30 GMT", 30.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 13:00:30 +0100", 1830.0 - 1800.0),
        (None, None),
        ("", None),
        ("later", None),
        ("inf", None),
        ("nan", None),
        ("Thu, 99 Jan 2026 12:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_of_its_forms(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == seconds
