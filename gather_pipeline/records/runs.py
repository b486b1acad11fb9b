"""Automation runs by task id, which is the id of their Dagster run, and requests to cancel them."""

from __future__ import annotations

from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, Run
from gather_pipeline.errors import ProjectBusy, UnknownEntity, VersionConflict
from gather_pipeline.ports import Clock, Document, DocumentStore
from gather_pipeline.records.documents import run_of
from gather_pipeline.records.lease import LOST, Lease

RUNS = "runs"
ABANDONED = "its process ended without a word; what it had stored is kept, and the next run goes on from there"
CUT_SHORT = "cancelled; its process ended before it could say so, what it had stored is kept"


class Runs:
    """Notes the beginning and the end of runs."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock
        self._asked_here: set[str] = set()

    def start(self, task_id: str, request: AutomationRequest, queue_wait_s: float | None = None) -> None:
        """Notes that a run began, and how long it had waited for that, where that is known."""
        document = {
            "_id": task_id,
            "project_id": request.project_id,
            "request": request.to_document(),
            "status": "running",
            "started_at": self._clock.now(),
            "queue_wait_s": queue_wait_s,
            "cancel_requested": False,
        }
        self._store.upsert(self._database, RUNS, document)

    def finish(self, result: AutomationResult) -> None:
        """Notes how a run ended; `ProjectBusy` where a successor took it for dead and has noted that."""
        if not self._end(result.task_id, result.to_document()):
            raise ProjectBusy(LOST)

    def abandon(self, project_id: str, lease: Lease) -> None:
        """Notes the end of what still counts as running; `ProjectBusy` where the project's lease is lost."""
        gone = [run for run in self.of_project(project_id) if run.status == "running"]
        if gone:
            lease.confirm()  # after they were read, so that none is a successor
        for run in gone:
            self.end_gone(run.task_id, cancelled=run.cancel_requested)

    def end_gone(self, task_id: str, *, cancelled: bool) -> None:
        """Notes the end of a run whose process is gone: failed, or cancelled where that was asked for."""
        ended = {"status": "cancelled", "reason": CUT_SHORT} if cancelled else {"status": "failed", "reason": ABANDONED}
        self._end(task_id, ended)

    def note_wait(self, task_id: str, seconds: float) -> None:
        """Notes that a run waits for a model server that went away."""
        run = self.get(task_id)
        self._store.update(self._database, RUNS, task_id, {"away_rounds": run.away_rounds + 1, "away_s": run.away_s + seconds})

    def get(self, task_id: str) -> Run:
        """The run with that task id; raises `UnknownEntity` where there is none."""
        document = self._store.get(self._database, RUNS, task_id)
        if document is None:
            raise UnknownEntity.field("task id", task_id, "the task_id that gather run printed")
        return run_of(document)

    def of_project(self, project_id: str) -> list[Run]:
        """The project's runs, oldest first."""
        found = self._store.find(self._database, RUNS, {"project_id": project_id}, sort=[("started_at", 1)])
        return [run_of(document) for document in found]

    def request_cancel(self, task_id: str) -> Run:
        """Asks a run to save its work and end, one of this process even where the store does not answer; raises as `get`."""
        self._asked_here.add(task_id)
        run = self.get(task_id)
        if run.status != "running":
            return run
        return run_of(self._store.update(self._database, RUNS, task_id, {"cancel_requested": True}))

    def cancel_requested_here(self, task_id: str) -> bool:
        """True where somebody in this process asked the run to end; the store is not asked."""
        return task_id in self._asked_here

    def cancel_requested(self, task_id: str) -> bool:
        """True where somebody asked the run to end (C24)."""
        if self.cancel_requested_here(task_id):
            return True
        document = self._store.get(self._database, RUNS, task_id)
        return document is not None and run_of(document).cancel_requested

    def _end(self, task_id: str, fields: Document) -> bool:
        """Notes the end of a run; False where one is noted already."""
        try:
            self._store.update(self._database, RUNS, task_id, {**fields, "ended_at": self._clock.now()}, where={"status": "running"})
        except VersionConflict:
            return False
        return True
