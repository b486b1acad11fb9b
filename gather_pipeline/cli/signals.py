"""Signals of commands that stay: SIGTERM and the end of the terminal end them as Ctrl-C does, wherever they were started from.

A shell starts background jobs of a script with SIGINT ignored, so that handler is set too; the end of a terminal stays ignored under
`nohup`. The first signal is only noted, to be looked at where stopping is safe: an exception out of nowhere may land in an import or a
destructor and be lost there. Dagster sets handlers of its own while a run starts and ends, so it is the system that notes, in a socket,
whoever handles the signal.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gather_pipeline.errors import TaskCancelled

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """What the system has noted."""

    def __init__(self, notes: socket.socket | None) -> None:
        self._notes, self._received, self._handled = notes, False, 0

    @property
    def received(self) -> bool:
        """True once one has come."""
        try:
            noted = self._notes.recv(4096) if self._notes is not None else b""
        except BlockingIOError:
            noted = b""
        self._received = self._received or any(number in noted for number in NUMBERS)
        return self._received

    def check(self) -> None:
        """Raises where a signal has come.

        Raises:
            TaskCancelled: It has.
        """
        if self.received:
            raise TaskCancelled("stopped before the run began")

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Lets the first signal be and ends at once at a second one, for whoever does not want to wait."""
        self._handled += number != signal.SIGHUP  # which a closing terminal and its shell both send
        if self._handled > 1:
            raise KeyboardInterrupt


@contextmanager
def noting() -> Iterator[Signals]:
    """Within it signals are noted; outside the main thread nothing is changed."""
    if threading.current_thread() is not threading.main_thread():
        yield Signals(None)
        return
    notes, system = socket.socketpair()
    with notes, system:
        notes.setblocking(False)
        system.setblocking(False)
        signals = Signals(notes)
        noted_before = signal.set_wakeup_fd(system.fileno(), warn_on_full_buffer=False)
        wanted = [number for number in NUMBERS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, signals.handle) for number in wanted}
        try:
            yield signals
        finally:
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
            signal.set_wakeup_fd(noted_before)
