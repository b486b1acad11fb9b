"""Tells Dagster what a run did for a department: one materialization for each family, and the checks.

A family whose newest event says what is stored, and of which inputs it was made, is left alone, so that nothing downstream looks stale
without a reason (D5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.instance.utils import RUNLESS_RUN_ID  # how Dagster marks events that no run logged

from gather_pipeline.defs.checks import CHECKS, Event, evaluation
from gather_pipeline.defs.metadata import VERSION, Stored
from gather_pipeline.defs.partitions import partition_key
from gather_pipeline.defs.versions import (
    CODE_VERSION,
    DATA_VERSION,
    DEPARTMENTS,
    FAMILIES,
    Events,
    departments_materialization,
    described,
    due,
    tags_of,
)
from gather_pipeline.domain.automation import DepartmentResult
from gather_pipeline.services import Services


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Logs the events of one project's run.

    Attributes:
        log_event: Writes an event into the run.
        say: Writes a line into the run's log, at a level of `logging` by name.
    """

    services: Services
    project_id: str
    task_id: str
    instance: dg.DagsterInstance
    log_event: Callable[[Event], None]
    say: Callable[[str, str], None]

    def report(self, result: DepartmentResult, families: Sequence[str] = tuple(FAMILIES)) -> None:
        """Logs what a department's end left in the store: a family's event where something changed, then the family's checks."""
        self.report_departments()
        self.report_department(result.department, families, ran=result.iterations > 0)

    def report_department(self, slug: str, families: Sequence[str] = tuple(FAMILIES), *, ran: bool = False) -> None:
        """Logs what the store has of a department, in the order in which the families build on each other.

        Args:
            slug: The department.
            families: Families to log.
            ran: The loop made iterations of it, which are shown even where they changed no item.
        """
        stored = Stored(services=self.services, project_id=self.project_id, slug=slug, task_id=self.task_id)
        events = Events(instance=self.instance)
        key = partition_key(self.project_id, slug)
        for family in families:
            tags = due(family, stored, events, again=family == "gather_items" and (ran or self._is_bare(events, family, key)))
            if tags is None:
                self.say("info", f"{slug}: {family} is as the last event says, or nothing is stored of the present items")
                continue
            metadata = described(family, stored)
            self.log_event(dg.AssetMaterialization(asset_key=family, partition=key, metadata=metadata, tags=tags))
            events.logged(family, key)
            for check in CHECKS:
                if check.family == family:
                    verdict = check.judge(self.services, self.project_id, slug)
                    self.log_event(evaluation(check, verdict, self.instance, self.project_id, slug))

    def report_departments(self) -> None:
        """Logs the project's departments where they changed."""
        event = departments_materialization(self.services, self.project_id)
        newest = tags_of(Events(instance=self.instance).newest(DEPARTMENTS, self.project_id))
        if (newest.get(DATA_VERSION), newest.get(CODE_VERSION)) != (event.metadata[VERSION].value, (event.tags or {})[CODE_VERSION]):
            self.log_event(event)

    @staticmethod
    def _is_bare(events: Events, family: str, key: str) -> bool:
        """True where a sensor logged the newest event: it has few metadata and no checks."""
        newest = events.newest(family, key)
        return newest is not None and newest.run_id == RUNLESS_RUN_ID
