"""A thread that brings what is stored to somebody beyond the store, in rounds, with growing waits, and never in anybody's way."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod

from gather_pipeline.domain.waits import back_off

logger = logging.getLogger(__name__)

CLOSE_WAIT_S = 3.0  # longest wait at a run's end for what is still on its way; a cancel has 5 s for everything
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 30.0  # between two attempts; doubled from the first on
PATIENCE = 5  # attempts in a row without success, after which the end of a run is not kept waiting


class Rounds(ABC):
    """One thread; a subclass says what a round does, and calls `start` once that can be done.

    Attributes:
        name: What the thread brings, for messages.
        failures: Attempts in a row without success.
        until: When whoever waits for the end goes on, on the clock of `time.monotonic`.
    """

    def __init__(self, name: str) -> None:
        self.name, self.failures, self.until = name, 0, float("inf")
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._go, name=name, daemon=True)

    def start(self) -> None:
        """Begins the first round."""
        self._thread.start()

    def wake(self) -> None:
        """Has a round made soon, for there is something more."""
        self._wake.set()

    def join(self, wait_s: float) -> None:
        """Waits at most so many seconds for what can be done soon."""
        self.until = time.monotonic() + wait_s
        self._closing.set()
        self._wake.set()
        self._thread.join(wait_s)

    @abstractmethod
    def round(self, last: bool) -> float | None:
        """Brings what there is; seconds until the next attempt, None where nothing is left or, in the last one, nothing can be done."""

    def let_go(self) -> None:  # noqa: B027  (most have nothing to let go of)
        """Is called at the end of the thread."""

    def delay(self) -> float:
        """Seconds to wait after one more failure."""
        self.failures += 1
        return back_off(self.failures, first_s=FIRST_WAIT_S, longest_s=LONGEST_WAIT_S)

    def _go(self) -> None:
        """Rounds until the caller has closed this and nothing is left, or nothing can be done soon."""
        last = False
        while True:
            self._wake.clear()  # before the look, so that what comes meanwhile is seen by the next one
            if not last and self._closing.is_set():
                last, self.failures = True, 0  # whatever was before, a few quick attempts are made at the end
            try:
                wait = self.round(last)
            except Exception as error:  # whatever it is: a thread that ends in silence would deliver nothing more
                logger.info("[AutoGather] No %s now, which is tried again: %s", self.name, str(error) or type(error).__name__)
                wait = self.delay()
            if last and (wait is None or self.failures >= PATIENCE or time.monotonic() + wait > self.until):
                break
            if wait is None:
                self._wake.wait()
            elif last:
                time.sleep(wait)
            else:
                self._closing.wait(wait)  # one more event is no reason to try sooner, the end of the run is
        self.let_go()
