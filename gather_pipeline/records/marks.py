"""Which departments people have changed: a mark a department, so that a change costs a listener the same however many projects there are.

A mark is set open before the change and closed after it. So a listener that looks between the two looks once more, and a change whose
process was killed in between is still found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gather_pipeline.ports import Clock, Document, DocumentStore
from gather_pipeline.records.changes import changes_since

TOUCHED = "touched"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A department that people have changed.

    Attributes:
        is_open: True while a change is under way, or was when its process ended.
    """

    project_id: str
    department: str
    is_open: bool


class Touched:
    """The marks of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    @contextmanager
    def changing(self, project_id: str, slug: str) -> Iterator[None]:
        """Stands around the write of one change, or of many changes of a department."""
        self._set(project_id, slug, is_open=True)
        try:
            yield
        finally:
            self._set(project_id, slug, is_open=False)

    def since(self, cursor: str) -> tuple[list[Mark], str]:
        """Marks set after the cursor, each department once, and the cursor after them."""
        rows, cursor = changes_since(self._store, self._database, TOUCHED, cursor)
        return [_mark(row) for row in rows.values()], cursor

    def _set(self, project_id: str, slug: str, *, is_open: bool) -> None:
        row = {"_id": f"{project_id}|{slug}", "project_id": project_id, "department": slug, "open": is_open, "at": self._clock.now()}
        self._store.upsert(self._database, TOUCHED, row)


def _mark(row: Document) -> Mark:
    return Mark(project_id=row["project_id"], department=row["department"], is_open=row["open"])
