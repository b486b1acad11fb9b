"""The baseline of `store.py`: the same work as a good engineer writes it for one program, straight on sqlite3 and pymongo.

The same documents, ids, versions and change numbers, the same indexes, and commits that are as durable. What is left out: checks of names
and values, text and bytes that an engine does not keep, other processes, faults in words, eras of cursors, and, on MongoDB, readers that
wait for a write under way.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient, WriteConcern

Document = dict[str, Any]


class SqliteByHand:
    """One collection in one file: WAL, synchronous=FULL, one transaction an operation."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE meta (sequence INTEGER NOT NULL)",
            "INSERT INTO meta VALUES (0)",
            "CREATE TABLE items (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL)",
            "CREATE TABLE deleted (seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL)",
        ):
            self._connection.execute(statement)

    def index(self) -> None:
        self._connection.execute("CREATE INDEX found ON items (json_extract(doc, '$.department'), json_extract(doc, '$.iteration'), id)")

    def here(self) -> int:
        """A place in the log of changes after all that is stored."""
        return int(self._connection.execute("SELECT sequence FROM meta").fetchone()[0])

    def insert_many(self, documents: Sequence[Document]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            last = execute("UPDATE meta SET sequence = sequence + ? RETURNING sequence", (len(documents),)).fetchall()[0][0]
            rows = []
            for number, document in enumerate(documents, last - len(documents) + 1):
                fields = {name: value for name, value in document.items() if name != "_id"}
                rows.append((number, document["_id"], json.dumps(fields, ensure_ascii=False)))
            self._connection.executemany("INSERT INTO items (seq, id, version, doc) VALUES (?, ?, 1, ?)", rows)
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise

    def get(self, id: str) -> Document | None:
        row = self._connection.execute("SELECT id, version, doc FROM items WHERE id = ?", (id,)).fetchone()
        return _document(*row) if row else None

    def find(self, department: str, iteration: int) -> list[Document]:
        sql = """SELECT id, version, doc FROM items
            WHERE json_extract(doc, '$.department') = ? AND json_extract(doc, '$.iteration') = ? ORDER BY id"""
        return [_document(*row) for row in self._connection.execute(sql, (department, iteration))]

    def update(self, id: str, changes: Document, expected_version: int) -> Document:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            version, doc = execute("SELECT version, doc FROM items WHERE id = ?", (id,)).fetchone()
            if version != expected_version:
                raise ValueError(f"{id} has version {version}")
            fields = json.loads(doc) | changes
            sequence = execute("UPDATE meta SET sequence = sequence + 1 RETURNING sequence").fetchall()[0][0]
            values = (sequence, version + 1, json.dumps(fields, ensure_ascii=False), id)
            execute("UPDATE items SET seq = ?, version = ?, doc = ? WHERE id = ?", values)
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            raise
        return {"_id": id, **fields, "_version": version + 1}

    def changed_since(self, after: int, limit: int) -> tuple[list[Document], int]:
        sql = """SELECT seq, id, version, doc FROM items WHERE seq > :after
            UNION ALL SELECT seq, id, NULL, NULL FROM deleted WHERE seq > :after ORDER BY seq LIMIT :limit"""
        rows = self._connection.execute(sql, {"after": after, "limit": limit}).fetchall()
        documents = [_document(*row[1:]) if row[3] else {"_id": row[1], "_deleted": True} for row in rows]
        return documents, rows[-1][0] if rows else after

    def close(self) -> None:
        self._connection.close()


class MongoByHand:
    """One collection of a database: the document's write waits for a majority and the journal, the counter's does not."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: MongoClient[Document] = MongoClient(uri, w="majority", journal=True)
        held = self._client[database]
        self._items, self._deleted = held["items"], held["deleted"]
        self._counters = held.get_collection("counters", write_concern=WriteConcern(w=1))
        self._counters.insert_one({"_id": "changes", "value": 0})

    def index(self) -> None:
        self._items.create_index("_seq")
        self._deleted.create_index("_seq")
        self._items.create_index([("department", 1), ("iteration", 1), ("_id", 1)])

    def here(self) -> int:
        row = self._counters.find_one({"_id": "changes"})
        assert row
        return int(row["value"])

    def _take(self, number: int) -> int:
        row: Any = self._counters.find_one_and_update({"_id": "changes"}, {"$inc": {"value": number}}, return_document=True)
        return int(row["value"]) - number + 1

    def insert_many(self, documents: Sequence[Document]) -> None:
        first = self._take(len(documents))
        self._items.insert_many([{**document, "_version": 1, "_seq": number} for number, document in enumerate(documents, first)])

    def get(self, id: str) -> Document | None:
        return self._items.find_one({"_id": id}, {"_seq": 0})

    def find(self, department: str, iteration: int) -> list[Document]:
        return list(self._items.find({"department": department, "iteration": iteration}, {"_seq": 0}).sort("_id"))

    def update(self, id: str, changes: Document, expected_version: int) -> Document:
        """Two requests for the document: SecantusDB reads the whole collection for the one that MongoDB has, findAndModify."""
        change = {"$set": {**changes, "_seq": self._take(1)}, "$inc": {"_version": 1}}
        if not self._items.update_one({"_id": id, "_version": expected_version}, change).matched_count:
            raise ValueError(f"{id} has not version {expected_version}")
        row = self.get(id)
        assert row
        return row

    def changed_since(self, after: int, limit: int) -> tuple[list[Document], int]:
        later = {"_seq": {"$gt": after}}
        rows = list(self._items.find(later).sort("_seq").limit(limit))
        rows += [{**row, "_deleted": True} for row in self._deleted.find(later).sort("_seq").limit(limit)]
        rows = sorted(rows, key=lambda row: int(row["_seq"]))[:limit]
        return rows, int(rows[-1]["_seq"]) if rows else after

    def close(self) -> None:
        self._client.close()


def _document(id: str, version: int, doc: str) -> Document:
    return {"_id": id, **json.loads(doc), "_version": version}
