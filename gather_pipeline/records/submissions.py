"""Requests to the API: one row a task, made before it begins, so that its id is known at once and a request is done once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from gather_pipeline.errors import DuplicateKey
from gather_pipeline.ports import Clock, Document, DocumentStore
from gather_pipeline.records.lease import Owner

SUBMISSIONS = "submissions"
BEGIN_S = 600.0  # in which a process of another machine that was to begin a task has done so or never will
Place = Literal["queue", "process", "server"]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A task that somebody asked for.

    Attributes:
        task_id: Id of the run or the execution that it became or is to become.
        priority: 1, first, to 10.
        place: Dagster's queue, a process of its own, or the server's.
        owner: The process that is to do it; in the queue the one that put it there.
        request: SHA-256 of what was asked.
        started_at: When a task of the server's own process began.
        error: Why it could not be begun, or ended without a result.
        until: When an owner on another machine counts as gone, seconds since the epoch.
    """

    task_id: str
    task_type: str
    project_id: str | None
    priority: int
    place: Place
    owner: Owner
    request: str
    submitted_at: str = ""
    started_at: str | None = None
    cancel_requested: bool = False
    error: str | None = None
    until: float = 0.0

    @property
    def is_abandoned(self) -> bool:
        """True where its process is gone before it began; a run in the queue does not need the process that put it there."""
        return self.place != "queue" and self.owner.is_gone(self.until)


class Submissions:
    """Notes submissions and what became of them until their run or execution is noted itself."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def add(self, submission: Submission) -> Submission | None:
        """Stores a submission; gives the earlier one of that task id, and stores nothing, where there is one."""
        made = replace(submission, submitted_at=self._clock.now(), until=time.time() + BEGIN_S)
        while True:
            try:
                self._store.insert_many(self._database, SUBMISSIONS, [{"_id": made.task_id, **asdict(made)}])
            except DuplicateKey:
                if (earlier := self.find(made.task_id)) is None:  # it was withdrawn just now
                    continue
                return earlier
            return None

    def find(self, task_id: str) -> Submission | None:
        """The submission of a task; None of one that was begun in another way."""
        row = self._store.get(self._database, SUBMISSIONS, task_id)
        return None if row is None else _submission(row)

    def newest(self, project_id: str, task_type: str) -> Submission | None:
        """The task of that type that was asked for last in a project, begun or not; None where none ever was."""
        where = {"project_id": project_id, "task_type": task_type}
        rows = self._store.find(self._database, SUBMISSIONS, where, sort=[("submitted_at", -1)], limit=1)
        return _submission(rows[0]) if rows else None

    def placed(self, task_id: str, place: Place, owner: Owner) -> None:
        """Notes who does it."""
        self._update(task_id, {"place": place, "owner": asdict(owner)})

    def started(self, task_id: str) -> None:
        """Notes that the server has begun it."""
        self._update(task_id, {"started_at": self._clock.now()})

    def failed(self, task_id: str, error: str) -> None:
        """Notes why it ended without a result."""
        self._update(task_id, {"error": error})

    def withdraw(self, task_id: str) -> None:
        """Forgets a task that could not be begun: it may be asked for again."""
        self._store.delete(self._database, SUBMISSIONS, {"_id": task_id})

    def request_cancel(self, task_id: str) -> None:
        """Notes that its end is asked for; the process that does it looks."""
        self._update(task_id, {"cancel_requested": True})

    def cancel_requested(self, task_id: str) -> bool:
        """Whether its end was asked for."""
        found = self.find(task_id)
        return found is not None and found.cancel_requested

    def _update(self, task_id: str, fields: Mapping[str, Any]) -> None:
        self._store.update(self._database, SUBMISSIONS, task_id, fields)


def _submission(row: Document) -> Submission:
    fields = {name: row[name] for name in Submission.__dataclass_fields__}
    return Submission(**fields | {"owner": Owner(**row["owner"])})
