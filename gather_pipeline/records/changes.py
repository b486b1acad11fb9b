"""Reads a collection's change log to its present end."""

from __future__ import annotations

from gather_pipeline.ports import Document, DocumentStore


def changes_since(store: DocumentStore, database: str, collection: str, cursor: str) -> tuple[dict[str, Document], str]:
    """What changed after the cursor, newest state by id, and the cursor after it."""
    changes = store.changed_since(database, collection, cursor)
    return {row["_id"]: row for row in changes.documents}, changes.cursor
