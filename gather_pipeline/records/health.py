"""Models that have failed again and again, left out for a while and then tried again: one document each, seen by every process."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from gather_pipeline.domain.providers import Health
from gather_pipeline.ports import Clock, DocumentStore
from gather_pipeline.tasks.execution import Call

HEALTH = "model_health"
LONGEST_PAUSE_S = 3600.0
# A request of its own that a model refuses (HTTP 400) says nothing of its health, a key or a model that is gone does.
FAILURES = re.compile(r"(?:ModelUnavailable|ModelUnreachable|ModelTimeout|RateLimited)\b|ModelRefused: .*\(HTTP 40[1-4]\)")

logger = logging.getLogger(__name__)


class ModelHealth:
    """Failures in a row by model.

    Args:
        store: The document store.
        database: The database that projects share.
        rule: Gives the rule of a model's provider.
    """

    def __init__(self, store: DocumentStore, database: str, clock: Clock, rule: Callable[[str], Health]) -> None:
        self._store, self._database, self._clock, self._rule = store, database, clock, rule
        self._failing: set[str] | None = None  # as far as this process knows

    def left_out(self) -> set[str]:
        """Models not to ask now unless nothing else is left."""
        rows = self._store.find(self._database, HEALTH)
        self._failing = {row["_id"] for row in rows if row["failures"]}
        return {row["_id"] for row in rows if row["until"] is not None and row["until"] > self._clock.now()}

    def note(self, calls: Iterable[Call]) -> None:
        """Takes up how the calls of an execution ended; one answer makes a model sound again."""
        if self._failing is None:
            self.left_out()
        for call in calls:
            if call.answered_by is not None and not call.cached and call.model in (self._failing or ()):
                self._store.upsert(self._database, HEALTH, {"_id": call.model, "failures": 0, "until": None})
                self._failing.discard(call.model)  # type: ignore[union-attr]
            elif call.answered_by is None and FAILURES.match(call.complaint or ""):
                self._fail(call.model)

    def _fail(self, model: str) -> None:
        row = self._store.get(self._database, HEALTH, model)
        failures, rule, until = (row["failures"] if row else 0) + 1, self._rule(model), None
        if failures >= rule.failures:
            pause = min(LONGEST_PAUSE_S, rule.pause_s * 2.0 ** min(failures - rule.failures, 20))
            until = (datetime.fromisoformat(self._clock.now()) + timedelta(seconds=pause)).isoformat(timespec="microseconds")
            logger.warning("[AutoGather] Model %s failed %d times in a row and is left out for %.0f s", model, failures, pause)
        self._store.upsert(self._database, HEALTH, {"_id": model, "failures": failures, "until": until})
        self._failing = (self._failing or set()) | {model}
