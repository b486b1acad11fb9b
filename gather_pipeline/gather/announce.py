"""Events of one run: numbered, stored, measured, delivered (S001-EVT; the store's copy is the record)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from gather_pipeline.domain.events import EventType, event
from gather_pipeline.gather.scribe import Scribe
from gather_pipeline.ports import Clock, EventBus, MetricsLog
from gather_pipeline.records.project import EVENTS, GatherRepository, event_record

logger = logging.getLogger(__name__)

Progress = Callable[[Mapping[str, Any]], None]


class Announcer:
    """Numbers events on from the project's last one. Only the holder of the project's lease may have one."""

    def __init__(
        self,
        repository: GatherRepository,
        scribe: Scribe,
        task_id: str,
        bus: EventBus,
        metrics: MetricsLog,
        clock: Clock,
        progress: Progress | None,
    ) -> None:
        self._project_id, self._scribe, self._task_id = repository.project_id, scribe, task_id
        self._bus, self._metrics, self._clock, self._progress = bus, metrics, clock, progress
        self._sequence = repository.last_sequence()

    def announce(self, kind: EventType, **fields: Any) -> None:
        """Shows one event, and has it stored and then delivered; delivery never fails the run."""
        self._sequence += 1
        numbered = {
            **event(kind, **fields),
            "project_id": self._project_id,
            "task_id": self._task_id,
            "sequence": self._sequence,
            "at": self._clock.now(),
        }

        def deliver() -> None:
            row = {key: numbered[key] for key in ("task_id", "project_id", "sequence", "type")}
            self._metrics.append("event", row | {"payload": fields})
            self._bus.publish(numbered)

        self._scribe.put(EVENTS, event_record(numbered), deliver)
        self.tick(numbered)

    def tick(self, state: Mapping[str, Any]) -> None:
        """Shows a state to whoever watches, without storing it."""
        if self._progress is not None:
            try:
                self._progress(state)
            except Exception as error:
                logger.warning("[AutoGather] The display of progress failed and is off: %s", error)
                self._progress = None
