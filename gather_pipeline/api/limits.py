"""How much a caller may send, and how often."""

from __future__ import annotations

from gather_pipeline.errors import TooLarge, TooMany
from gather_pipeline.ports import Clock

WINDOW_S = 60.0
CALLERS = 10_000  # that are remembered


class Rates:
    """Lets every caller ask so often a minute, evenly or in a burst; who asks more often is told how long to wait."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._used: dict[str, tuple[float, float]] = {}  # by caller: requests not yet paid back, and when that was

    def take(self, caller: str) -> None:
        """Counts a request.

        Raises:
            TooMany: It is one too many.
        """
        now = self._clock.monotonic()
        used, at = self._used.pop(caller, (0.0, now))
        used = max(0.0, used - (now - at) * self._per_minute / WINDOW_S)
        if used + 1 > self._per_minute:
            self._used[caller] = used, now
            wait = (used + 1 - self._per_minute) * WINDOW_S / self._per_minute
            raise TooMany(f"more than {self._per_minute} requests a minute, expected another in {wait:.1f} s", wait)
        self._used[caller] = used + 1, now
        if len(self._used) > CALLERS:
            del self._used[next(iter(self._used))]  # who has not asked for longest


def check_size(size: int, limit: int) -> None:
    """Refuses a body that is too large.

    Raises:
        TooLarge: It is.
    """
    if size > limit:
        raise TooLarge(f"the request's body has {size} bytes or more, expected at most {limit}")
