from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.models.retry import RetryPolicy, kind_of, parse_retry_after
from gather_pipeline.errors import InvalidInput, ModelRefused, ModelTimeout, ModelUnavailable, RateLimited

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FAILURES = [RateLimited("x"), RateLimited("x", 5.0), ModelTimeout("x"), ModelUnavailable("x")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimited("x"), "rate_limit"),
        (ModelTimeout("x"), "timeout"),
        (ModelUnavailable("x"), "transient"),
        (ModelRefused("x"), "permanent"),
        (InvalidInput("x"), "permanent"),
        (asyncio.CancelledError(), "permanent"),
        (ValueError("x"), "permanent"),
    ],
)
def test_the_newest_class_of_an_error_decides(error: BaseException, kind: str) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(RateLimited("x"), 5), (ModelUnavailable("x"), 3), (ModelTimeout("x"), 2), (ModelRefused("x"), 1), (ValueError("x"), 1)],
)
def test_each_kind_has_its_number_of_attempts(error: Exception, attempts: int) -> None:
    waits = [RetryPolicy().wait_s(error, failures, 0.5) for failures in range(1, 8)]
    assert waits.index(None) == attempts - 1
    assert all(wait is None for wait in waits[attempts - 1 :])


@given(st.sampled_from(FAILURES), st.integers(1, 4), st.floats(0, 1))
def test_a_wait_is_never_negative_and_never_longer_than_two_and_a_half_minutes(error: Exception, failures: int, jitter: float) -> None:
    wait = RetryPolicy().wait_s(error, failures, jitter)
    assert wait is None or 0 <= wait <= 150


@given(st.floats(0, 600), st.floats(0, 1))
def test_nobody_comes_back_before_the_time_that_was_asked_for(seconds: float, jitter: float) -> None:
    wait = RetryPolicy().wait_s(RateLimited("x", seconds), 1, jitter)
    assert wait is not None
    assert wait >= seconds


def test_an_endless_wait_is_declined() -> None:
    assert RetryPolicy().wait_s(RateLimited("x", 601.0), 1, 0.0) is None


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
