"""kill -9 or SIGSTOP at a named place: runs of the studio in processes of their own, on a store that does it at one of its writes.

The processes are forked (`forks`), so that a kill costs a fraction of a second.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

import psutil

from gather_pipeline.errors import GatherError
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import Studio

WRITES = frozenset({"insert_many", "update", "upsert"})


@dataclass(frozen=True)
class KillPoint:
    """A write of a run: the process ends before or after the `nth` write to a collection, counted from 1; to any where none is named."""

    when: Literal["before", "after"]
    collection: str = ""
    nth: int = 1


class KillingStore:
    """A store that does something, such as to end its own process, at a point; everything else is the store's own."""

    def __init__(self, body: DocumentStore, point: KillPoint, act: Callable[[], None]) -> None:
        self._body, self._point, self._act = body, point, act
        self._writes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._body, name)
        return self._killing(method) if name in WRITES else method

    def _killing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def write(database: str, collection: str, *args: Any, **named: Any) -> Any:
            with self._lock:  # no other thread is in the middle of a write, which a stopped process would keep the file locked by
                counted = self._point.collection and collection
                self._writes[counted] += 1
                reached = (counted, self._writes[counted]) == (self._point.collection, self._point.nth)
                if reached and self._point.when == "before":
                    self._act()
                done = method(database, collection, *args, **named)
                if reached and self._point.when == "after":
                    self._act()
                return done

        return write


def run_until(point: KillPoint, home: Path, task_id: str, overrides: Mapping[str, Any]) -> int | None:
    """Runs the studio's project in another process until the point; its exit code, -9 where it was killed there."""
    process = FORKS.Process(target=_run, args=(point, signal.SIGKILL, socket.gethostname(), home, task_id, dict(overrides)))
    process.start()
    return ended(process)


def paused_at(point: KillPoint, home: Path, task_id: str, overrides: Mapping[str, Any], host: str = "a-laptop") -> BaseProcess:
    """A process, of that machine by its lease, that runs the studio's project and has stopped itself at the point (SIGSTOP)."""
    process = FORKS.Process(target=_run, args=(point, signal.SIGSTOP, host, home, task_id, dict(overrides)))
    process.start()
    deadline = time.monotonic() + 120
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline and process.is_alive(), f"the run did not come to {point}"
        time.sleep(0.02)
    return process


def ended(process: BaseProcess) -> int | None:
    """Exit code of a process that comes to its end."""
    process.join(120)
    if process.is_alive():
        process.kill()
        raise AssertionError("the run did not end within 120 s")
    return process.exitcode


def _run(point: KillPoint, by: int, host: str, home: Path, task_id: str, overrides: dict[str, Any]) -> None:
    socket.gethostname = lambda: host
    studio = Studio.open(home, **overrides)
    studio.services = replace(studio.services, store=KillingStore(studio.services.store, point, lambda: os.kill(os.getpid(), by)))
    try:
        studio.run(task_id)
    except GatherError as error:
        raise SystemExit(error.exit_code) from None
    studio.close()
