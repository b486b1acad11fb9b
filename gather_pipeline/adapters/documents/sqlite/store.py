"""The document store on SQLite: the embedded default, one file a database.

Documents lie as JSON beside their id, version, change number and bytes. Writers take turns (WAL, one at a time a file), a commit is on
disk before it returns (synchronous=FULL), and change numbers are given inside the write, so that their order is the order of commits.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from gather_pipeline.adapters.documents import rules
from gather_pipeline.adapters.documents.sqlite.file import StoreFile, open_file, value_of
from gather_pipeline.errors import DuplicateKey, StoreError, UnknownEntity, VersionConflict, shorten
from gather_pipeline.ports import Changes, Document, StoreState

BYTES = "$bytes"  # the only key that begins with "$": a document with one of its own is refused
OPERATORS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


class SqliteStore:
    """Documents in ``<folder>/<database>.sqlite3``, for any number of threads and processes of one machine; not for use across a fork.

    Args:
        folder: Where the files lie; made at the first write.
        timeout_s: Seconds to wait for another process's write before `StoreUnavailable`.
    """

    def __init__(self, folder: Path, *, timeout_s: float = 10.0) -> None:
        self._folder = folder.absolute()
        self._timeout_s = timeout_s
        self._files: dict[str, StoreFile] = {}
        self._lock = threading.Lock()
        self._closed = False

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents in one transaction: all or none, also where the process is killed."""
        rules.check_database(database)
        rows = [rules.split(collection, document) for document in documents]
        if not rows:
            return
        with self._writing(database, collection) as file:
            sql = f'INSERT INTO "{collection}" (seq, id, version, doc, bytes) VALUES (?, ?, 1, ?, ?)'
            for sequence, (id, fields) in enumerate(rows, file.take(len(rows))):
                try:
                    file.connection.execute(sql, [sequence, id, *_row(fields)])
                except sqlite3.IntegrityError as error:
                    raise DuplicateKey(f"{collection} {shorten(id)} in {file.path} repeats the _id of another document") from error

    def get(self, database: str, collection: str, id: str) -> Document | None:
        """The document with that ``_id``, None where there is none."""
        file = self._existing(database, collection)
        if not file or not rules.is_id(id):
            return None
        with file.reading():
            return _get(file, collection, id)

    def find(
        self,
        database: str,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> list[Document]:
        """Matching documents in order."""
        clause, values = _where(rules.conditions_of(where))
        order = ", ".join(f"{value_of(field)} {'ASC' if direction == 1 else 'DESC'}" for field, direction in rules.order_of(sort))
        file = self._existing(database, collection)
        if not file:
            return []
        by_id = not sort and limit is None  # sorted here: the engine would rather walk through all ids in order than use the filter's index
        sql = f'SELECT * FROM "{collection}"{clause}' + ("" if by_id else f" ORDER BY {order} LIMIT ?")
        with file.reading() as connection:
            rows = connection.execute(sql, [*values] if by_id else [*values, -1 if limit is None else limit]).fetchall()
        return [_document(*row) for row in (sorted(rows, key=itemgetter(1)) if by_id else rows)]

    def update(
        self,
        database: str,
        collection: str,
        id: str,
        changes: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Document:
        """Sets top-level fields of a document and returns it."""
        clause, values = _where(rules.conditions_of({**(where or {}), "_id": id}))
        rules.check_fields(collection, rules.check_id(collection, id), changes)
        missing = UnknownEntity(f"{collection} {shorten(id)} is not in database {database}")
        file = self._existing(database, collection)
        if not file:
            raise missing
        with file.writing(collection) as connection:
            held = _get(file, collection, id)
            if held is None:
                raise missing
            version = held["_version"]
            if expected_version is not None and version != expected_version:
                raise VersionConflict(f"{collection} {shorten(id)} has version {version}, expected {expected_version}")
            if not connection.execute(f'SELECT 1 FROM "{collection}"{clause}', values).fetchone():
                raise VersionConflict(f"{collection} {shorten(id)} was changed: expected {shorten(where)}")
            row = _row({name: value for name, value in held.items() if name not in ("_id", "_version")} | dict(changes))
            sql = f'UPDATE "{collection}" SET version = version + 1, seq = ?, doc = ?, bytes = ? WHERE id = ?'
            connection.execute(sql, [file.take(), *row, id])
        return _document(0, id, version + 1, *row)

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        """Inserts the document, or replaces the one with its ``_id``; returns what is stored."""
        id, fields = rules.split(collection, document)
        row = _row(fields)
        with self._writing(database, collection) as file:
            sql = f"""INSERT INTO "{collection}" (id, version, seq, doc, bytes) VALUES (?, 1, ?, ?, ?) ON CONFLICT (id) DO UPDATE
                SET version = version + 1, seq = excluded.seq, doc = excluded.doc, bytes = excluded.bytes RETURNING version"""
            ((version,),) = file.connection.execute(sql, [id, file.take(), *row]).fetchall()
        return _document(0, id, version, *row)

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        """Deletes matching documents and returns how many."""
        clause, values = _where(rules.conditions_of(where))
        file = self._existing(database, collection)
        if not file:
            return 0
        with file.writing(collection) as connection:
            deleted = connection.execute(f'DELETE FROM "{collection}"{clause}', values).rowcount
            if deleted:
                file.take()  # nothing follows deletions, but whoever holds what he read of a position is to read again
            return deleted

    def changed_since(self, database: str, collection: str, cursor: str = "") -> Changes:
        """Documents changed after the cursor, in the order of their commits, each once."""
        file = self._file(database)
        if not file:
            if cursor != "":
                raise rules.stale(cursor)
            return Changes(documents=[], cursor="")
        with file.reading() as connection:
            after, newest = file.place(cursor), file.newest()
            sql = f'SELECT * FROM "{collection}" WHERE seq > ? ORDER BY seq'
            rows = connection.execute(sql, [after]).fetchall() if file.has(collection) else []
        return Changes(documents=[_document(*row) for row in rows], cursor=newest if rows else cursor)

    def position(self, database: str) -> str:
        """The cursor after the newest change of a database, empty where there is none."""
        file = self._file(database)
        if not file:
            return ""
        with file.reading():
            return file.newest()

    @property
    def place(self) -> str:
        """The folder."""
        return str(self._folder)

    def check(self, database: str) -> StoreState:
        """The engine, asked by a write that is undone; where there is no file yet, its folder is all that can be said."""
        began = time.monotonic()
        file = self._file(database)
        if file:
            with file.reading() as connection, suppress(_Undone), file.writing():
                connection.execute("CREATE TABLE _probe (one INTEGER)")
                raise _Undone
        kind = f"file {database}.sqlite3" if file else f"no file {database}.sqlite3 yet"
        return StoreState(engine=f"SQLite {sqlite3.sqlite_version}", kind=kind, latency_s=time.monotonic() - began)

    def collections(self, database: str) -> list[str]:
        """Names of a database's collections."""
        file = self._file(database)
        if not file:
            return []
        with file.reading():
            return file.collections()

    def restore(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores documents with their versions, in one transaction."""
        rows = [(document["_version"], *rules.split(collection, document)) for document in documents]
        if not rows:
            return
        with self._writing(database, collection) as file:
            sql = f"""INSERT INTO "{collection}" (seq, id, version, doc, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
                SET version = excluded.version, seq = excluded.seq, doc = excluded.doc, bytes = excluded.bytes"""
            numbered = enumerate(rows, file.take(len(rows)))
            file.connection.executemany(sql, [(sequence, id, version, *_row(fields)) for sequence, (version, id, fields) in numbered])

    def waiting(self, left: Callable[[], float]) -> AbstractContextManager[None]:
        """Changes nothing: who writes to a file of this machine does not go away."""
        return nullcontext()

    def close(self) -> None:
        """Closes every file; later calls are refused with `StoreError`."""
        with self._lock:
            self._closed = True
            files, self._files = list(self._files.values()), {}
        for file in files:
            with file.reading() as connection:
                connection.close()

    def _file(self, database: str, *, create: bool = False) -> StoreFile | None:
        rules.check_database(database)
        file = self._files.get(database)
        if file is not None:
            return file
        with self._lock:
            if self._closed:
                raise StoreError(f"the store in {self._folder} is closed")
            file = self._files.get(database) or open_file(self._folder / f"{database}.sqlite3", create=create, timeout_s=self._timeout_s)
            if file is not None and not file.as_it_lies:
                self._files[database] = file
        return file

    def _existing(self, database: str, collection: str) -> StoreFile | None:
        """The file that holds a collection; None where it, or the collection, is not there."""
        file = self._file(database)
        if file is None:
            return None
        with file.reading():
            return file if file.has(collection) else None

    @contextmanager
    def _writing(self, database: str, collection: str) -> Iterator[StoreFile]:
        """A transaction that commits at the end of the block; the database and collection are made where they are missing."""
        file = self._file(database, create=True)
        assert file
        with file.writing(collection):
            yield file


class _Undone(Exception):
    """Ends a transaction that was only to be tried."""


def _where(conditions: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[object]]:
    """The WHERE clause of a filter, empty for none, and its values."""
    clauses: list[str] = []
    values: list[object] = []
    for field, wanted in conditions.items():
        for operator, value in wanted.items():
            if operator == "$in":  # as one value, because a statement takes so many only
                clauses.append(f"{value_of(field)} IN (SELECT value FROM json_each(?))")
                values.append(json.dumps(value))
            else:
                clauses.append(f"{value_of(field)} {OPERATORS[operator]} ?")
                values.append(value)
    return (" WHERE " + " AND ".join(clauses) if clauses else ""), values


def _get(file: StoreFile, collection: str, id: str) -> Document | None:
    row = file.connection.execute(f'SELECT * FROM "{collection}" WHERE id = ?', [id]).fetchone()
    return _document(*row) if row else None


def _row(fields: Mapping[str, Any]) -> tuple[str, bytes]:
    """JSON of a document's fields, and the bytes in them one after another: the JSON has their places."""
    found = bytearray()

    def plain(value: Any) -> Any:
        if not isinstance(value, bytes):
            return dict(value)
        found.extend(value)
        return {BYTES: [len(found) - len(value), len(found)]}

    return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain), bytes(found)


def _document(seq: int, id: str, version: int, doc: str, data: bytes = b"") -> Document:
    """The document of a row; a file of an earlier format has no column of bytes."""
    fields = from_json(doc)
    return {"_id": id, **(_restored(fields, data) if BYTES in doc else fields), "_version": version}


def _restored(value: Any, data: bytes) -> Any:
    if isinstance(value, dict):
        if BYTES not in value:
            return {name: _restored(one, data) if isinstance(one, dict | list) else one for name, one in value.items()}
        place = value[BYTES]
        return base64.b64decode(place) if isinstance(place, str) else data[slice(*place)]  # text in rows of earlier formats
    return [_restored(one, data) for one in value] if isinstance(value, list) else value
