"""Models that have failed again and again, left out for a while and then tried again: one document each, seen by every process."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from gather_pipeline.domain.providers import Health
from gather_pipeline.ports import Clock, Document, DocumentStore
from gather_pipeline.tasks.execution import Call

HEALTH = "model_health"
LONGEST_PAUSE_S = 3600.0
# A single request that a model refuses (HTTP 400) does not count, a wrong key and a model that is gone do.
FAILURES = re.compile(r"(?:ModelUnavailable|ModelUnreachable|ModelTimeout|RateLimited)\b|ModelRefused: .*\(HTTP 40[1-4]\)")

logger = logging.getLogger(__name__)


class ModelHealth:
    """Failures in a row by model; `rule` gives the rule of a model's provider."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock, rule: Callable[[str], Health]) -> None:
        self._store, self._database, self._clock, self._rule = store, database, clock, rule
        self._known: dict[str, Document] | None = None  # what this process has seen

    def left_out(self, *, afresh: bool = True) -> set[str]:
        """Models not to ask now unless nothing else is left; by what this process has seen itself where not `afresh`."""
        now = self._clock.now()
        return {model for model, row in self._rows(afresh).items() if row["until"] is not None and row["until"] > now}

    def note(self, calls: Iterable[Call]) -> None:
        """Takes up how calls ended that were made together: one answer makes a model sound, and failures of many at once are one."""
        answered: dict[str, bool] = {}
        for call in calls:
            if call.answered_by is not None and not call.cached:
                answered[call.model] = True
            elif call.answered_by is None and FAILURES.match(call.complaint or ""):
                answered.setdefault(call.model, False)
        for model, is_sound in answered.items():
            if not is_sound:
                self._fail(model)
            elif self._rows().get(model, {}).get("failures"):
                self._keep(model, 0, None)

    def _fail(self, model: str) -> None:
        row = self._store.get(self._database, HEALTH, model)
        if row and row["until"] is not None and row["until"] > self._clock.now():
            return  # of a call that had begun before, or that was made all the same
        failures, rule, until = (row["failures"] if row else 0) + 1, self._rule(model), None
        if failures >= rule.failures:
            pause = min(LONGEST_PAUSE_S, rule.pause_s * 2.0 ** min(failures - rule.failures, 20))
            until = (datetime.fromisoformat(self._clock.now()) + timedelta(seconds=pause)).isoformat(timespec="microseconds")
            logger.warning("[AutoGather] Model %s failed %d times in a row and is left out for %.0f s", model, failures, pause)
        self._keep(model, failures, until)

    def _keep(self, model: str, failures: int, until: str | None) -> None:
        row = {"_id": model, "failures": failures, "until": until}
        self._rows()[model] = self._store.upsert(self._database, HEALTH, row)

    def _rows(self, afresh: bool = False) -> dict[str, Document]:
        if afresh or self._known is None:
            self._known = {row["_id"]: row for row in self._store.find(self._database, HEALTH)}
        return self._known
