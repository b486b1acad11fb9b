"""Reads a collection's change log to its present end."""

from __future__ import annotations

from gather_pipeline.ports import Document, DocumentStore

PAGE = 1000  # changes asked for at once


def changes_since(store: DocumentStore, database: str, collection: str, cursor: str) -> tuple[dict[str, Document], str]:
    """What changed after the cursor, newest state by id, and the cursor after it."""
    rows: dict[str, Document] = {}
    while page := (changes := store.changed_since(database, collection, cursor, limit=PAGE)).documents:
        rows |= {row["_id"]: row for row in page if not row.get("_deleted")}
        cursor = changes.cursor
    return rows, cursor
