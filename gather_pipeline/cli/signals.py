"""Signals of commands that stay: SIGTERM and the end of the terminal end them as Ctrl-C does, wherever they were started from.

The first signal is only noted, to be looked at where stopping is safe: an exception out of nowhere may land in an import or a
destructor and be lost there. Dagster sets handlers of its own while a run starts and ends, so it is the system that notes, in a socket,
whoever handles the signal.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gather_pipeline.errors import TaskCancelled
from gather_pipeline.gather.signals import ENDING, Wishes, handled


class Signals:
    """What the system has noted."""

    def __init__(self, notes: socket.socket | None) -> None:
        self._notes, self._received = notes, False

    @property
    def received(self) -> bool:
        """True once one has come."""
        try:
            noted = self._notes.recv(4096) if self._notes is not None else b""
        except BlockingIOError:
            noted = b""
        self._received = self._received or any(number in noted for number in ENDING)
        return self._received

    def check(self) -> None:
        """Raises `TaskCancelled` where a signal has come."""
        if self.received:
            raise TaskCancelled("stopped before the run began")


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
        noted_before = signal.set_wakeup_fd(system.fileno(), warn_on_full_buffer=False)
        try:
            with handled(Wishes(KeyboardInterrupt)):
                yield Signals(notes)
        finally:
            signal.set_wakeup_fd(noted_before)
