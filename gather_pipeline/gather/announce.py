"""Events of one run: numbered, stored, delivered (S001-EVT; the store's copy is the record)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.events import Event, EventType, Progress
from gather_pipeline.errors import DuplicateKey
from gather_pipeline.ports import Clock, EventBus
from gather_pipeline.records.lease import Lease
from gather_pipeline.records.project import ProjectRecords

logger = logging.getLogger(__name__)


class Announcer:
    """Numbers events on from the project's last one. Only the holder of the project's lease may have one.

    Args:
        records: The project.
        lease: Of the run; once it is lost nothing is stored or delivered any more.
        bus: Delivers events.
        clock: Time.
        progress: Is shown every event, and the states between them.
    """

    def __init__(
        self,
        records: ProjectRecords,
        lease: Lease,
        bus: EventBus,
        clock: Clock,
        progress: Progress | None,
    ) -> None:
        self._records, self._lease, self._bus = records, lease, bus
        self._task_id, self._clock, self._progress = lease.owner.task_id, clock, progress
        self._sequence = records.last_sequence()

    def announce(self, kind: EventType, **fields: Any) -> None:
        """Stores one event, then delivers and shows it; delivery never fails the run.

        Raises:
            ProjectBusy: Its number is taken by a run that took over the lease.
        """
        event = self._numbered(kind, fields)
        if not self._lease.is_lost():
            while True:
                try:
                    self._records.add_events([event])
                    break
                except DuplicateKey:  # a run that lost its lease took the number, or its successor
                    self._lease.confirm()
                    self._sequence = self._records.last_sequence()
                    event = self._numbered(kind, fields)
            self._sequence += 1
            self._bus.publish(event)
        self._show(event)

    def _numbered(self, kind: EventType, fields: Mapping[str, Any]) -> Event:
        ids = {"project_id": self._records.project_id, "task_id": self._task_id}
        return Event(type=kind, fields=fields, sequence=self._sequence + 1, at=self._clock.now(), **ids)

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
