"""Runs of which the store and Dagster may disagree: noted before either knows of them, removed once both agree."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.lease import Leases, Owner

OPEN_RUNS = "open_runs"


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A run on whose end the store and Dagster may not agree yet.

    Attributes:
        owner: Its process.
        until: When it has ended whatever became of it, seconds since the epoch; asked only where the process is another machine's.
    """

    project_id: str
    owner: Owner
    until: float

    @property
    def task_id(self) -> str:
        """Id of the run, which is its Dagster run's, with the project behind it where that works on several."""
        return self.owner.task_id

    @property
    def is_of_this_machine(self) -> bool:
        """Whether its process can be looked for."""
        return self.owner.is_of_this_machine

    def is_over(self, leases: Leases) -> bool:
        """True where nobody works on it any more: by its lease, and where it holds none by its process."""
        held = leases.holder(self.project_id)
        return held.is_dead if held is not None and held.owner.task_id == self.task_id else self.owner.is_gone(self.until)


class OpenRuns:
    """The open runs of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def note(self, project_id: str, owner: Owner, seconds: float) -> None:
        """Notes a run that is about to begin and lasts at most that many seconds."""
        row = {**asdict(owner), "_id": owner.task_id, "project_id": project_id, "until": time.time() + seconds}
        self._store.upsert(self._database, OPEN_RUNS, row)

    def all(self) -> list[OpenRun]:
        """Every open run; they are few."""
        found = self._store.find(self._database, OPEN_RUNS)
        return [OpenRun(project_id=row["project_id"], owner=Owner.of_row(row), until=row["until"]) for row in found]

    def close(self, task_id: str) -> None:
        """Removes a run on which both agree."""
        self._store.delete(self._database, OPEN_RUNS, {"_id": task_id})
