"""Automation runs by task id, which is the id of their Dagster run, and requests to cancel them."""

from __future__ import annotations

from gather_pipeline.domain.automation import AutomationRequest, AutomationResult, Run
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.ports import Clock, Document, DocumentStore
from gather_pipeline.records.documents import run_of

RUNS = "runs"
ABANDONED = "its process ended without a word; what it had stored is kept, and the next run goes on from there"
CUT_SHORT = "cancelled; its process ended before it could say so, what it had stored is kept"


class Runs:
    """Notes the beginning and the end of runs."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

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
        """Notes how a run ended."""
        self._end(result.task_id, result.to_document())

    def abandon(self, project_id: str) -> None:
        """Notes the end of what still counts as running; call only with the project's lease in hand."""
        for run in self.of_project(project_id):
            if run.status == "running":
                self.end_gone(run.task_id, cancelled=run.cancel_requested)

    def end_gone(self, task_id: str, *, cancelled: bool) -> None:
        """Notes the end of a run whose process is gone: failed, or cancelled where somebody wished its end."""
        ended = {"status": "cancelled", "reason": CUT_SHORT} if cancelled else {"status": "failed", "reason": ABANDONED}
        self._end(task_id, ended)

    def note_wait(self, task_id: str, seconds: float) -> None:
        """Notes that a run waits for a model server that went away."""
        run = self.get(task_id)
        self._store.update(self._database, RUNS, task_id, {"away_rounds": run.away_rounds + 1, "away_s": run.away_s + seconds})

    def get(self, task_id: str) -> Run:
        """The run with that task id.

        Raises:
            UnknownEntity: There is none.
        """
        document = self._store.get(self._database, RUNS, task_id)
        if document is None:
            raise UnknownEntity.field("task id", task_id, "the task_id that gather run printed")
        return run_of(document)

    def of_project(self, project_id: str) -> list[Run]:
        """The project's runs, oldest first."""
        found = self._store.find(self._database, RUNS, {"project_id": project_id}, sort=[("started_at", 1)])
        return [run_of(document) for document in found]

    def request_cancel(self, task_id: str) -> Run:
        """Asks a run to end; it saves its work first. A run that has ended is returned as it is.

        Raises:
            UnknownEntity: There is no such run.
        """
        run = self.get(task_id)
        if run.status != "running":
            return run
        return run_of(self._store.update(self._database, RUNS, task_id, {"cancel_requested": True}))

    def cancel_requested(self, task_id: str) -> bool:
        """True where somebody asked the run to end (C24)."""
        document = self._store.get(self._database, RUNS, task_id)
        return document is not None and run_of(document).cancel_requested

    def _end(self, task_id: str, fields: Document) -> None:
        self._store.update(self._database, RUNS, task_id, {**fields, "ended_at": self._clock.now()})
