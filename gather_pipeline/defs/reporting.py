"""Tells Dagster what an automation did for a department: one materialization for each family, and the checks.

A family whose newest event has the data version that is stored now is left alone, so that nothing downstream looks stale without
a reason (D5).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dagster as dg

from gather_pipeline.defs.checks import CHECKS, Event, evaluation
from gather_pipeline.defs.metadata import FAMILIES, VERSION, Stored, departments_materialization, materialization
from gather_pipeline.defs.partitions import partition_key
from gather_pipeline.domain.automation import DepartmentResult
from gather_pipeline.services import Services


@dataclass(frozen=True, kw_only=True)
class Reporter:
    """Logs the events of one project's automation.

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
        stored = Stored(services=self.services, project_id=self.project_id, slug=result.department, task_id=self.task_id)
        for family in families:
            version = FAMILIES[family].version(stored)
            ran = family == "gather_items" and result.iterations > 0
            if version is None or (not ran and version == self._newest(family, partition_key(self.project_id, result.department))):
                why = "not there" if version is None else f"unchanged at version {version}"
                self.say("info", f"{result.department}: {family} is {why}")
                continue
            self.log_event(materialization(family, stored))
            for check in CHECKS:
                if check.family == family:
                    verdict = check.judge(self.services, self.project_id, result.department)
                    self.log_event(evaluation(check, verdict, self.instance, self.project_id, result.department))

    def report_departments(self) -> None:
        """Logs the project's departments where they changed."""
        event = departments_materialization(self.services, self.project_id)
        if self._newest("departments", self.project_id) != event.metadata[VERSION].value:
            self.log_event(event)

    def _newest(self, asset: str, partition: str) -> object:
        """Version that the newest event shows; its tag would not do, for a run of many partitions gives them all one."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
        found = self.instance.fetch_materializations(wanted, limit=1).records
        materialized = found[0].asset_materialization if found else None
        shown = materialized.metadata.get(VERSION) if materialized else None
        return shown.value if shown is not None else None
