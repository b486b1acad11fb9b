"""How often and after what wait a failed model call is made again: one table by class of error (C25).

Pure: the caller sleeps, and compares the wait with the time it has left (C26).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from gather_pipeline.errors import ModelTimeout, ModelUnavailable, RateLimited

FailureKind = Literal["rate_limit", "timeout", "transient", "permanent"]


def kind_of(error: BaseException) -> FailureKind:
    """Row of the table that an error belongs to; a cancel and every refusal are permanent."""
    if isinstance(error, RateLimited):
        return "rate_limit"
    if isinstance(error, ModelTimeout):
        return "timeout"
    return "transient" if isinstance(error, ModelUnavailable) else "permanent"


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Attempts include the first call and are counted for each kind of failure by itself.

    Attributes:
        rate_limit_attempts: Calls until a rate limit is final.
        rate_limit_wait_s: First wait where the provider names none; doubles each time, at most `longest_backoff_s`.
        transient_attempts: Calls until a lost connection, a 5xx or a malformed answer is final.
        transient_wait_s: First wait after one; doubles each time.
        timeout_attempts: Calls until a timeout is final; the second is made at once.
        longest_backoff_s: Longest wait that we choose ourselves.
        longest_wait_s: A provider that asks for more than this is not waited for (S001's cap).
    """

    rate_limit_attempts: int = 5
    rate_limit_wait_s: float = 30.0
    transient_attempts: int = 3
    transient_wait_s: float = 1.0
    timeout_attempts: int = 2
    longest_backoff_s: float = 120.0
    longest_wait_s: float = 600.0

    def wait_s(self, error: BaseException, failures: int, jitter: float) -> float | None:
        """Seconds until the next attempt, None where there is to be none.

        Args:
            error: The newest failure.
            failures: How many failures of its kind there were, this one included.
            jitter: A random number from 0 to 1, so that callers that failed together do not come back together.
        """
        kind = kind_of(error)
        attempts = {
            "rate_limit": self.rate_limit_attempts,
            "transient": self.transient_attempts,
            "timeout": self.timeout_attempts,
            "permanent": 0,
        }[kind]
        if failures >= attempts:
            return None
        if kind == "timeout":
            return 0.0
        if isinstance(error, RateLimited):
            if error.retry_after_s is None:
                return self._backoff(self.rate_limit_wait_s, failures) * (1 + jitter / 4)
            if error.retry_after_s > self.longest_wait_s:
                return None
            return error.retry_after_s + jitter * min(2.0, 0.5 + error.retry_after_s / 10)  # never earlier than asked
        return self._backoff(self.transient_wait_s, failures) * (0.5 + jitter)

    def _backoff(self, first_s: float, failures: int) -> float:
        return float(min(self.longest_backoff_s, first_s * 2 ** (failures - 1)))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait by a ``Retry-After`` header in either form of RFC 9110 (seconds or a date); None where it says nothing.

    Args:
        value: The header, None where it is missing.
        now: The present, with a time zone.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
