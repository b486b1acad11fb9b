"""Which departments people have changed: a mark a department, so that a change costs a follower the same however many projects there are.

A mark is set before the change, so that a change whose process was killed right after it is still found. Whoever follows the marks
therefore looks at a marked department more than once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gather_pipeline.ports import Clock, DocumentStore

MARKS = "touched"


@dataclass(frozen=True, kw_only=True, order=True)
class Mark:
    """A department that people have changed, or are about to."""

    project_id: str
    department: str


class Marks:
    """The marks of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def set(self, project_id: str, slug: str) -> None:
        """Marks a department; call before a change of its items, and after one that took long."""
        row = {"_id": f"{project_id}|{slug}", "project_id": project_id, "department": slug, "at": self._clock.now()}
        self._store.upsert(self._database, MARKS, row)

    def at(self, project_id: str, slugs: Iterable[str]) -> dict[str, str]:
        """When each of these departments was marked last, by slug; one that never was is left out."""
        found = self._store.find(self._database, MARKS, {"_id": {"$in": [f"{project_id}|{slug}" for slug in slugs]}})
        return {row["department"]: row["at"] for row in found}

    def since(self, cursor: str) -> tuple[list[Mark], str]:
        """Marks set after the cursor, each department once, and the cursor after them."""
        changes = self._store.changed_since(self._database, MARKS, cursor)
        return [Mark(project_id=row["project_id"], department=row["department"]) for row in changes.documents], changes.cursor
