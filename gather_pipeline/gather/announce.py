"""Events of one run: numbered, stored, delivered (S001-EVT; the store's copy is the record)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gather_pipeline.domain.events import Event, EventType, Progress
from gather_pipeline.ports import Clock, EventBus
from gather_pipeline.records.project import ProjectRecords

logger = logging.getLogger(__name__)


class Announcer:
    """Numbers events on from the project's last one. Only the holder of the project's lease may have one.

    Args:
        records: The project.
        task_id: The run.
        bus: Delivers events.
        clock: Time.
        progress: Is shown every event, and the states between them.
        may_write: False once another run holds the project: then nothing is stored or delivered any more.
    """

    def __init__(
        self,
        records: ProjectRecords,
        task_id: str,
        bus: EventBus,
        clock: Clock,
        progress: Progress | None,
        may_write: Callable[[], bool],
    ) -> None:
        self._records, self._task_id, self._bus = records, task_id, bus
        self._clock, self._progress, self._may_write = clock, progress, may_write
        self._sequence = records.last_sequence()

    def announce(self, kind: EventType, **fields: Any) -> None:
        """Stores one event, then delivers and shows it; delivery never fails the run."""
        event = Event(
            type=kind,
            fields=fields,
            project_id=self._records.project_id,
            task_id=self._task_id,
            sequence=self._sequence + 1,
            at=self._clock.now(),
        )
        if self._may_write():
            self._records.add_events([event])
            self._sequence += 1
            self._bus.publish(event)
        self._show(event)

    def tick(self, **fields: Any) -> None:
        """Shows a state to whoever watches, without storing it."""
        self._show(Event(type="progress", fields=fields, project_id=self._records.project_id, task_id=self._task_id))

    def _show(self, event: Event) -> None:
        if self._progress is not None:
            try:
                self._progress(event)
            except Exception as error:
                logger.warning("[AutoGather] The display of progress failed and is off: %s", error)
                self._progress = None
