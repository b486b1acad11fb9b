"""Processes of this machine. A process id is only unique with the time at which its process began."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that has not ended.

    Attributes:
        started: When it began, seconds since the epoch by the system's clock.
        is_stopped: Whether it was stopped (Ctrl-Z, SIGSTOP), so that it hears of nothing.
    """

    started: float
    is_stopped: bool


def running(pid: int, started: float | None = None) -> Process | None:
    """The process of an id, None where it has ended, or where the one that began at `started` has."""
    try:
        process = psutil.Process(pid)
        status = process.status()
        found = Process(started=process.create_time(), is_stopped=status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP))
    except psutil.Error:
        return None
    if status == psutil.STATUS_ZOMBIE or (started is not None and abs(found.started - started) > 1.0):  # the clock may have been set since
        return None
    return found
