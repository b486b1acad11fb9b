"""How long the store and the brain take, by operation (S001-MET-16, 17): a proxy that measures, for one run."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

Port = TypeVar("Port")


class Stopwatch:
    """Seconds and calls by name, of any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[str, float] = defaultdict(float)
        self._calls: dict[str, int] = defaultdict(int)

    def add(self, what: str, seconds: float) -> None:
        """Adds one call."""
        with self._lock:
            self._seconds[what] += seconds
            self._calls[what] += 1

    def rows(self) -> list[dict[str, Any]]:
        """One row a name: `what`, `seconds` in all, `count` of calls."""
        return [{"what": what, "seconds": self._seconds[what], "count": self._calls[what]} for what in sorted(self._seconds)]

    def timed(self, name: str, port: Port) -> Port:
        """The port, with every call of a method measured as ``name.method``."""
        return cast(Port, _Timed(name, port, self))


class _Timed:
    def __init__(self, name: str, port: object, stopwatch: Stopwatch) -> None:
        self._name, self._port, self._stopwatch = name, port, stopwatch

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._port, attribute)
        return self._measured(attribute, value) if callable(value) else value

    def _measured(self, attribute: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def measured(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self._stopwatch.add(f"{self._name}.{attribute}", time.perf_counter() - began)

        return measured
