"""The document store on SQLite: the embedded default, one file a database.

Documents lie as JSON beside their id, version and change number. Writers take turns (WAL, one at a time a file), a commit is on
disk before it returns (synchronous=FULL), and change numbers are given inside the write, so that their order is the order of
commits. Indexes are over expressions of the JSON: SQLite keeps them true whichever process writes, and no answer depends on them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from gather_pipeline.adapters.documents import cursors, filters
from gather_pipeline.adapters.documents.sqlite import filters as sqlite_filters
from gather_pipeline.adapters.documents.sqlite.file import StoreFile, exists, open_file
from gather_pipeline.adapters.documents.sqlite.guard import Faults
from gather_pipeline.domain import documents as docs
from gather_pipeline.errors import StoreError, UnknownEntity, VersionConflict
from gather_pipeline.ports import Changes, Document


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

    def __repr__(self) -> str:
        return f"SqliteStore({str(self._folder)!r})"

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents in one transaction: all or none, also where the process is killed."""
        docs.check_database(database)
        apart = docs.take_all_apart(docs.check_collection(collection), documents)
        rows = [(docs.escape(id), docs.to_json(fields)) for id, fields in apart.items()]
        if rows:
            with self._write(database, collection) as file:
                file.insert(collection, rows)

    def get(self, database: str, collection: str, id: str) -> Document | None:
        """The document with that ``_id``, None where there is none."""
        key = docs.escape(docs.check_id(collection, id))
        file = self._existing(database, collection)
        if not file:
            return None
        with file.lock, file.faults:
            row = file.connection.execute(f'SELECT id, version, doc FROM "{collection}" WHERE id = ?', (key,)).fetchone()
        return _document(*row) if row else None

    def find(
        self,
        database: str,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> list[Document]:
        """Matching documents in order; the first such query on a large collection makes the index that serves it."""
        conditions, order = filters.parse(where), filters.check_sort(sort)
        docs.check_limit(limit)
        file = self._existing(database, collection)
        if not file:
            return []
        with file.lock, file.faults:
            file.ensure_index(collection, filters.index_fields(conditions, order if limit is not None else ()))
            return _rows(file, collection, conditions, order, limit)

    def update(
        self, database: str, collection: str, id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Document:
        """Sets top-level fields of a document and returns it."""
        id = docs.check_id(docs.check_collection(collection), id)
        size = docs.check_fields(collection, id, changes)
        key, changed = docs.escape(id), docs.from_json(docs.to_json(changes))
        file = self._existing(database, collection)
        if not file:
            raise UnknownEntity(f"{collection} {id!r} is not in database {database}")
        with file.writing(collection):
            row = file.connection.execute(f'SELECT version, doc FROM "{collection}" WHERE id = ?', (key,)).fetchone()
            if row is None:
                raise UnknownEntity(f"{collection} {id!r} is not in database {database}")
            version, held = row
            if expected_version is not None and version != expected_version:
                raise VersionConflict(f"{collection} {id!r} has version {version}, expected {expected_version}")
            fields = docs.from_json(held) | changed
            if not docs.surely_fits(size, held):
                docs.check_fields(collection, id, fields)
            with file.unique(collection, key):
                sql = f'UPDATE "{collection}" SET version = version + 1, seq = ?, doc = ? WHERE id = ?'
                file.connection.execute(sql, (file.take(1), docs.to_json(fields), key))
        return {"_id": id, **fields, "_version": version + 1}

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        """Inserts the document, or replaces the one with its ``_id``; returns what is stored."""
        id, fields = docs.take_apart(docs.check_collection(collection), document)
        doc = docs.to_json(fields)
        with self._write(database, collection) as file, file.unique(collection, docs.escape(id)):
            sql = f"""INSERT INTO "{collection}" (id, version, seq, doc) VALUES (?, 1, ?, ?)
                ON CONFLICT (id) DO UPDATE SET version = version + 1, seq = excluded.seq, doc = excluded.doc RETURNING version"""
            ((version,),) = file.connection.execute(sql, (docs.escape(id), file.take(1), doc)).fetchall()
        return _document(docs.escape(id), version, doc)

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        """Deletes matching documents and returns how many; each leaves its id with a change number."""
        conditions = filters.parse(where)
        if not self._existing(database, collection):
            return 0
        with self._write(database, collection) as file:
            ids = [docs.escape(row["_id"]) for row in _rows(file, collection, conditions)]
            if not ids:
                return 0
            gone = [(collection, id, sequence) for sequence, id in enumerate(ids, file.take(len(ids)))]
            file.connection.executemany("INSERT OR REPLACE INTO _deleted (collection, id, seq) VALUES (?, ?, ?)", gone)
            file.connection.executemany(f'DELETE FROM "{collection}" WHERE id = ?', [(id,) for id in ids])
        return len(ids)

    def count(self, database: str, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """How many documents match."""
        conditions = filters.parse(where)
        clause, values, loose = sqlite_filters.where(conditions)
        file = self._existing(database, collection)
        if not file:
            return 0
        with file.lock, file.faults:
            file.ensure_index(collection, filters.index_fields(conditions))
            if loose:
                return len(_rows(file, collection, conditions))
            ((number,),) = file.connection.execute(f'SELECT count(*) FROM "{collection}"{clause}', values).fetchall()
            return int(number)

    def ensure_unique(self, database: str, collection: str, fields: Sequence[str]) -> None:
        """Makes the fields together a unique key, None and missing counting as one value; `DuplicateKey` where documents repeat it."""
        name = f"{docs.check_collection(collection)}:unique:{'+'.join(filters.check_key(fields))}"
        if there := self._existing(database, collection):
            with there.lock, there.faults:
                if exists(there.connection, "index", name):
                    return
        with self._write(database, collection) as file, file.unique(collection):
            columns = ", ".join(map(sqlite_filters.key, fields))
            file.connection.execute(f'CREATE UNIQUE INDEX IF NOT EXISTS "{name}" ON "{collection}" ({columns})')

    def changed_since(self, database: str, collection: str, cursor: str = "", *, limit: int = 1000) -> Changes:
        """Changes after the cursor in the order of their commits."""
        docs.check_limit(limit, 1)
        docs.check_collection(collection)
        place = cursors.parse(cursor)
        file = self._file(database)
        if not file:
            cursors.check(place, epoch=None, last=0, era=None)
            return Changes(documents=[], cursor=cursor)
        with file.lock, file.faults:
            after, last = file.check(place)
            if after == last or not file.has(collection):
                return Changes(documents=[], cursor=cursor)
        with file.lock, file.faults, file.snapshot():
            after, _ = file.check(place)
            sql = f"""SELECT seq, id, version, doc FROM "{collection}" WHERE seq > :after
                UNION ALL SELECT seq, id, NULL, NULL FROM _deleted AS gone WHERE collection = :collection AND seq > :after
                    AND NOT EXISTS (SELECT 1 FROM "{collection}" AS there WHERE there.id = gone.id)
                ORDER BY seq LIMIT :limit"""
            rows = file.connection.execute(sql, {"after": after, "collection": collection, "limit": limit}).fetchall()
            cursor = str(file.place(rows[-1][0])) if rows else cursor
        changed = [_document(id, version, doc) if doc else {"_id": docs.unescape(id), "_deleted": True} for _, id, version, doc in rows]
        return Changes(documents=changed, cursor=cursor)

    def position(self, database: str) -> str:
        """The cursor after the newest change of a database, empty where there is none."""
        file = self._file(database)
        if not file:
            return ""
        with file.lock, file.faults, file.snapshot():
            _, last = file.check(None)
            return str(file.place(last)) if last else ""

    def databases(self) -> list[str]:
        """Names of the databases that hold a document, in order; `StoreError` where one of the files cannot be read."""
        with Faults(self._folder):
            names = sorted(path.stem for path in self._folder.glob("*.sqlite3")) if self._folder.is_dir() else []
        return [name for name in names if docs.is_database(name) and self._holds_documents(name)]

    def close(self) -> None:
        """Closes every file; later calls are refused with `StoreError`."""
        with self._lock:
            self._closed = True
            files, self._files = list(self._files.values()), {}
        for file in files:
            with file.lock, file.faults:
                file.connection.close()

    def _holds_documents(self, database: str) -> bool:
        """Looks through a connection of its own: a listing of many databases must not hold them all open."""
        file = open_file(self._path(database), create=False, timeout_s=self._timeout_s)
        if not file:
            return False
        with closing(file.connection), file.faults:
            tables = [name for (name,) in file.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            kept = filter(docs.COLLECTION.fullmatch, tables)
            return any(file.connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() for name in kept)

    def _path(self, database: str) -> Path:
        if self._closed:
            raise StoreError(f"{self!r} is closed")
        return self._folder / f"{docs.check_database(database)}.sqlite3"

    def _file(self, database: str, *, create: bool = False) -> StoreFile | None:
        if isinstance(database, str) and (file := self._files.get(database)):
            return file
        with self._lock:
            path = self._path(database)
            file = self._files.get(database) or open_file(path, create=create, timeout_s=self._timeout_s)
            if file:
                self._files[database] = file
            return file

    def _existing(self, database: str, collection: str) -> StoreFile | None:
        """The file that holds a collection; None where it, or the collection, is not there."""
        docs.check_collection(collection)
        file = self._file(database)
        return file if file and file.has(collection) else None

    @contextmanager
    def _write(self, database: str, collection: str) -> Iterator[StoreFile]:
        """A transaction that commits at the end of the block; the database and collection are made where they are missing."""
        file = self._file(database, create=True)
        assert file
        with file.writing(collection):
            yield file


def _rows(
    file: StoreFile,
    collection: str,
    conditions: Sequence[filters.Condition],
    order: tuple[tuple[str, int], ...] = (),
    limit: int | None = None,
) -> list[Document]:
    where, values, loose = sqlite_filters.where(conditions)
    sql = f'SELECT id, version, doc FROM "{collection}"{where}'
    if order:
        sql += " ORDER BY " + sqlite_filters.ordered(order)
    if limit is not None and loose:
        with closing(file.connection.execute(sql, values)) as cursor:
            found = (document for row in cursor if filters.matches(document := _document(*row), loose))
            return list(islice(found, limit))
    if limit is not None:
        sql += f" LIMIT {limit}"
    documents = [_document(*row) for row in file.connection.execute(sql, values).fetchall()]
    return [document for document in documents if filters.matches(document, loose)] if loose else documents


def _document(id: str, version: int, doc: str) -> Document:
    return {"_id": docs.unescape(id), **docs.from_json(doc), "_version": version}
