"""kill -9 at a named place: runs of the studio in processes of their own, on a store that ends its process at one of its writes.

The processes are forked (`forks`), so that a kill costs a fraction of a second.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import Studio

WRITES = frozenset({"insert_many", "update", "upsert"})


@dataclass(frozen=True)
class KillPoint:
    """A write of a run: the process ends before or after the `nth` write to a collection, counted from 1."""

    when: Literal["before", "after"]
    collection: str
    nth: int = 1


class KillingStore:
    """A store that ends its own process at a point; everything else is the store's own."""

    def __init__(self, body: DocumentStore, point: KillPoint) -> None:
        self._body, self._point = body, point
        self._writes: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._body, name)
        return self._killing(method) if name in WRITES else method

    def _killing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def write(database: str, collection: str, *args: Any, **named: Any) -> Any:
            with self._lock:
                self._writes[collection] += 1
                reached = (collection, self._writes[collection]) == (self._point.collection, self._point.nth)
                if reached and self._point.when == "before":
                    os.kill(os.getpid(), signal.SIGKILL)
                done = method(database, collection, *args, **named)
                if reached:
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

        return write


def run_until(point: KillPoint, home: Path, task_id: str, overrides: Mapping[str, Any]) -> int | None:
    """Runs the studio's project in another process until the point; its exit code, -9 where it was killed there."""
    process = FORKS.Process(target=_run, args=(point, home, task_id, dict(overrides)))
    process.start()
    process.join(120)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"the run to {point} did not end within 120 s")
    return process.exitcode


def _run(point: KillPoint, home: Path, task_id: str, overrides: dict[str, Any]) -> None:
    studio = Studio.open(home, **overrides)
    studio.services = replace(studio.services, store=KillingStore(studio.services.store, point))
    studio.run(task_id)
    studio.close()
