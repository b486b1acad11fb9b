"""How often and after what wait a failed model call is made again, by class of error (C25). The caller sleeps."""

from __future__ import annotations

from gather_pipeline.errors import ModelTimeout, ModelUnavailable, RateLimited

LONGEST_WAIT_S = 600.0  # a provider that asks for more is not waited for (S001's cap)


def wait_s(error: ModelUnavailable, failures: int, jitter: float) -> float | None:
    """Seconds until the next attempt, None where there is to be none.

    Args:
        error: The newest failure.
        failures: How many failures of its class there were, this one included.
        jitter: A random number from 0 to 1, so that callers that failed together do not come back together.
    """
    if isinstance(error, RateLimited):
        asked = error.retry_after_s
        if failures >= 5 or (asked is not None and asked > LONGEST_WAIT_S):
            return None
        if asked is None:
            return min(120.0, 30.0 * 2.0 ** (failures - 1)) * (1 + jitter / 4)
        return max(asked, 2.0 ** (failures - 2)) + jitter * min(2.0, 0.5 + asked / 10)  # never earlier than asked
    if isinstance(error, ModelTimeout):
        return 0.0 if failures < 2 else None
    return 2.0 ** (failures - 1) * (0.5 + jitter) if failures < 3 else None
