"""The signals that ask a run to end, handled alike by the command line, before and after Dagster, and in Dagster's own run.

A shell starts background jobs of a script with SIGINT ignored, so that handler is set too; the end of a terminal stays ignored under
`nohup`. The first signal asks, a second one insists; but a closing terminal and its shell both send SIGHUP.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Wishes:
    """Remembers that a signal has come, and raises at the second one. It does no more, since a handler may interrupt anything.

    Args:
        insisted: Makes the exception that the second signal raises.
    """

    def __init__(self, insisted: Callable[[], BaseException]) -> None:
        self._insisted, self.come = insisted, False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handles a signal."""
        if self.come and number != signal.SIGHUP:
            raise self._insisted()
        self.come = True


@contextmanager
def handled(wishes: Wishes) -> Iterator[None]:
    """Within it the signals go to `wishes`; outside the main thread they stay as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [number for number in ENDING if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, wishes.handle) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
