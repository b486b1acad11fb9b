"""Executions of tasks that belong to no project, in the shared database."""

from __future__ import annotations

from gather_pipeline.ports import DocumentStore
from gather_pipeline.tasks.execution import Execution

EXECUTIONS = "task_executions"


class Executions:
    """Every execution, once, at its end."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def add(self, execution: Execution) -> None:
        """Stores one."""
        self._store.insert_many(self._database, EXECUTIONS, [execution.to_document()])

    def get(self, id: str) -> Execution | None:
        """The one of that id, None where there is none."""
        row = self._store.get(self._database, EXECUTIONS, id)
        return None if row is None else Execution.from_document(row)
