"""How long to wait between two attempts at the same thing: longer each time, and never all callers at once."""

from __future__ import annotations

import math
import random


def back_off(failures: int, *, first_s: float = 0.5, longest_s: float = math.inf) -> float:
    """Seconds to wait after so many failures in a row: about `first_s`, doubled from then on, at most `longest_s`."""
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 60)) * random.uniform(0.5, 1.5)


def next_wait(failures: int, asked_s: float | None, *, attempts: int, longest_s: float) -> float | None:
    """Seconds until the next attempt at a request, never fewer than asked for; None where there is to be none.

    Args:
        failures: How many attempts failed.
        asked_s: Seconds that the server asks to wait, None where it does not say.
        attempts: Most attempts in all.
        longest_s: Most seconds that may be waited.
    """
    wait_s = max(asked_s or 0.0, back_off(failures))
    return None if failures >= attempts or wait_s > longest_s else wait_s
