"""What can end a run early: a request to cancel, the deadline, the brakes on tokens and cost, a lost lease.

`check` is cheap and called often; it looks into the store at most twice a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from gather_pipeline.domain.executions import Usage
from gather_pipeline.errors import BudgetExhausted, DeadlineReached, ProjectBusy, TaskCancelled
from gather_pipeline.ports import Clock
from gather_pipeline.records.lease import LOST

POLL_S = 0.5
RESERVE = 0.03  # part of the time that is kept for saving and scoring the last iteration
RESERVE_MAX_S = 15.0
ENDING_S = 2.0


class RunControl:
    """The brakes of one run.

    Args:
        clock: Time.
        timeout_s: Seconds that the run may take, saving included.
        max_tokens: Most tokens, None for any.
        max_cost: Most US dollars, None for any.
        cancelled: Asks the store whether somebody wants the run to end.
        cancelled_here: Whether somebody in this process does.
        lease_lost: True once another process holds the project.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout_s: float,
        max_tokens: int | None,
        max_cost: float | None,
        cancelled: Callable[[], bool],
        cancelled_here: Callable[[], bool] = lambda: False,
        lease_lost: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._end = clock.monotonic() + timeout_s - min(RESERVE_MAX_S, timeout_s * RESERVE)
        self._max_tokens, self._max_cost = max_tokens, max_cost
        self._cancelled, self._cancelled_here, self._lease_lost = cancelled, cancelled_here, lease_lost
        self._polled, self._is_ending = -POLL_S, False
        self.spent = Usage()
        self._lock = threading.Lock()
        self._is_asked = False

    def left(self) -> float:
        """Seconds left to wait for the store, 0 or less for none."""
        if self._cancelled_here():
            self.end_soon()
        return self._end - self._clock.monotonic()

    def end_soon(self) -> None:
        """Leaves `ENDING_S` seconds for saving, counted from the first call of this: somebody waits for the end."""
        if not self._is_ending:
            self._is_ending = True
            self._end = min(self._end, self._clock.monotonic() + ENDING_S)

    def spend(self, usage: Usage) -> None:
        """Adds the tokens and cost of a call; may be called from any thread."""
        with self._lock:
            self.spent = self.spent + usage

    def check(self) -> None:
        """Raises the reason to end, if there is one.

        Raises:
            TaskCancelled: Somebody asked for it.
            DeadlineReached: The time is spent.
            ProjectBusy: The lease is lost, so that nothing more may be written.
        """
        self.check_lease()
        now = self._clock.monotonic()
        if now - self._polled >= POLL_S:
            self._polled = now
            self._is_asked = self._is_asked or self._cancelled()
        if self._is_asked:  # at every look: many calls may be waited for at once
            raise TaskCancelled("cancelled on request")
        if now >= self._end:
            raise DeadlineReached("the time given is spent")

    def check_lease(self) -> None:
        """Raises `ProjectBusy` where another run holds the project now: nothing more may be written."""
        if self._lease_lost():
            raise ProjectBusy(LOST)

    def check_budget(self) -> None:
        """Checks the limits on tokens and cost before a call is begun; calls under way may finish, since they are paid for.

        Raises:
            BudgetExhausted: Tokens or cost are spent, or cannot be known.
        """
        if self._max_tokens is not None:
            if self.spent.tokens is None:
                raise BudgetExhausted(f"the model does not tell its tokens, so max_tokens {self._max_tokens} cannot be kept")
            if self.spent.tokens >= self._max_tokens:
                raise BudgetExhausted(f"{self.spent.tokens} of max_tokens {self._max_tokens} tokens are spent")
        if self._max_cost is not None:
            if self.spent.cost is None:
                raise BudgetExhausted(f"the model's price is not known, so max_cost {self._max_cost} cannot be kept (set GATHER_PRICES)")
            if self.spent.cost >= self._max_cost:
                raise BudgetExhausted(f"{self.spent.cost:.4f} of max_cost {self._max_cost} dollars are spent")
