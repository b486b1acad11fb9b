"""How far each project's items are indexed in a Brain service.

The items are the outbox: one is on its way once it is committed or changed, whatever becomes of its process. One process at a time tells a
service of a project, and moves the cursors once it took everything before them; where it was killed in between, the same is told again,
by the same ids and versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gather_pipeline.domain.nodes import Node
from gather_pipeline.errors import StaleCursor
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.cursors import Cursor, Cursors, Receiver
from gather_pipeline.records.marks import Marks
from gather_pipeline.records.project import ProjectRecords

INDEXED, MARKS_SEEN = "brain_cursors", "brain_marks"


@dataclass(frozen=True, kw_only=True)
class IndexCursor(Cursor):
    """How far a project's items have come on their way to a Brain.

    Attributes:
        items: Change cursor of the items.
        iterations: Change cursor of the iterations, whose commits make items seen.
        refused: Why it did not take an item, by the item's id.
    """

    items: str
    iterations: str
    refused: Mapping[str, str]


class Indexing(Cursors[IndexCursor]):
    """The cursors of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        super().__init__(store, database, INDEXED, IndexCursor)

    def begin(self, project_id: str, brain: Receiver) -> None:
        """Notes that a Brain may lack something of a project."""
        self.open(project_id, brain, {"items": "", "iterations": "", "refused": {}}, again={})

    def begin_changed(self, brain: Receiver, marks: Marks) -> None:
        """Notes that a Brain may lack something of the projects whose items people have changed since this was asked last."""
        id = f"|{brain.key}"
        document = self._store.get(self._database, MARKS_SEEN, id)
        try:
            found, cursor = marks.since(document["cursor"] if document else "")
        except StaleCursor:
            found, cursor = marks.since("")
        for project_id in sorted({mark.project_id for mark in found}):
            self.begin(project_id, brain)
        self._store.upsert(self._database, MARKS_SEEN, {"_id": id, "cursor": cursor})

    def pending(self, cursor: IndexCursor, records: ProjectRecords) -> tuple[list[Node], str, str]:
        """What is still to be indexed in a Brain, and the cursors after it."""
        try:
            items, after_items, after_iterations = records.committed_since(cursor.items, cursor.iterations)
        except StaleCursor:
            items, after_items, after_iterations = records.committed_since("", "")
        # A Brain that has nothing yet has nothing to forget.
        nodes = [Node.of(item) for item in items if item.is_active or cursor.items]
        return nodes, after_items, after_iterations
