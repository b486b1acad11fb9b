"""One SQLite file of the document store: opening, transactions, change numbers, and what its faults mean to a person.

The engine's part below `sqlite_store`: a file is checked before it is touched, so that neither another program's database nor a text file
is taken for a store, and every error of the engine becomes one sentence that names the file.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gather_pipeline.adapters.documents.cursors import Place, check, new_token
from gather_pipeline.adapters.documents.filters import index_name
from gather_pipeline.adapters.documents.sqlite.filters import ordered
from gather_pipeline.adapters.documents.sqlite.guard import Faults, transaction
from gather_pipeline.domain.documents import unescape
from gather_pipeline.errors import DuplicateKey, StoreError, shorten

logger = logging.getLogger(__name__)

APPLICATION_ID = 0x47415448  # "GATH": tells a store file from any other SQLite file
FORMAT, FIRST_FORMAT = 2, 1  # the first had no eras; it is read as it is and gets them at its first write
INDEX_FROM_ROWS = 200  # below, reading every row is as quick
INDEX_LIMIT = 8  # of a collection; each one slows every write
RETRY_S = 0.02
ERAS = "CREATE TABLE _eras (sequence INTEGER PRIMARY KEY, token TEXT NOT NULL)"  # from which change number on, see `domain.cursors`
SET_FORMAT = f"PRAGMA user_version = {FORMAT}"
SCHEMA = (
    "CREATE TABLE _meta (epoch TEXT NOT NULL, sequence INTEGER NOT NULL)",
    "CREATE TABLE _deleted (collection TEXT, id TEXT, seq INTEGER NOT NULL, PRIMARY KEY (collection, id)) WITHOUT ROWID",
    "CREATE INDEX _deleted_seq ON _deleted (collection, seq)",
    ERAS,
    f"PRAGMA application_id = {APPLICATION_ID}",
    SET_FORMAT,
)
COLUMNS = "seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL"  # lies in the order of changes


@dataclass(kw_only=True)
class StoreFile:
    """An open database: one connection, used by one thread at a time: ``with file.lock, file.faults:``."""

    path: Path
    connection: sqlite3.Connection
    lock: threading.RLock = field(default_factory=threading.RLock)
    _highest: int | None = None  # change number seen since this file's own era began; None before
    _pending: int | None = None  # what `_highest` becomes with the commit
    _collections: set[str] = field(default_factory=set)
    _indexes_tried: set[tuple[str, tuple[tuple[str, int], ...]]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.faults = Faults(self.path)

    @contextmanager
    def writing(self, collection: str) -> Iterator[None]:
        """A transaction that commits at the end of the block, or leaves no trace; makes the collection where it is missing."""
        with self.lock, self.faults:
            self._pending = self._highest
            with transaction(self.connection):
                if collection not in self._collections:
                    self.connection.execute(f'CREATE TABLE IF NOT EXISTS "{collection}" ({COLUMNS})')
                yield
            self._highest = self._pending
            self._collections.add(collection)

    def snapshot(self) -> AbstractContextManager[None]:
        """Reads of the block see one state of the file."""
        return transaction(self.connection, "BEGIN")

    def insert(self, collection: str, rows: Sequence[tuple[str, str]]) -> None:
        """Inserts new documents, given as pairs of id and JSON; inside a transaction only."""
        sql = f'INSERT INTO "{collection}" (seq, id, version, doc) VALUES (?, ?, 1, ?)'
        id = None
        try:
            for sequence, (id, doc) in enumerate(rows, self.take(len(rows))):
                self.connection.execute(sql, (sequence, id, doc))
        except sqlite3.IntegrityError as error:
            raise self._taken(collection, id, error) from error

    @contextmanager
    def unique(self, collection: str, id: str | None = None) -> Iterator[None]:
        """Turns a refusal of the block's statement for a taken key into `DuplicateKey`."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise self._taken(collection, id, error) from error

    def _taken(self, collection: str, id: str | None, error: sqlite3.IntegrityError) -> DuplicateKey:
        named = re.search(r":unique:([^']+)'", str(error))
        document = "documents" if id is None else shorten(unescape(id))
        return DuplicateKey(f"{collection} {document} in {self.path} repeats the key {named[1] if named else '_id'} of another document")

    def has(self, collection: str) -> bool:
        """Whether the collection's table is there; tables are never dropped. Not inside a writing transaction, which may be rolled back."""
        if collection not in self._collections and exists(self.connection, "table", collection):
            self._collections.add(collection)
        return collection in self._collections

    def take(self, number: int) -> int:
        """The first of so many new change numbers (one at least); inside a transaction only."""
        sql = "UPDATE _meta SET sequence = sequence + ? RETURNING sequence"
        ((last,),) = self.connection.execute(sql, [number]).fetchall()
        first = int(last) - number + 1
        if self._pending is None or first <= self._pending:  # numbers that go back: another program put a copy back under this one
            self._begin_era(first)
        self._pending = int(last)
        return first

    def _begin_era(self, first: int) -> None:
        if not exists(self.connection, "table", "_eras"):
            self.connection.execute(ERAS)
            self.connection.execute(SET_FORMAT)
        self.connection.execute("INSERT OR REPLACE INTO _eras (sequence, token) VALUES (?, ?)", [first, new_token()])

    def check(self, place: Place | None) -> tuple[int, int]:
        """Number of the change that a cursor stands after, and of the last one; `StaleCursor` where it belongs to another history."""
        epoch, last, era = self._at(place.sequence if place else 0)
        if self._highest is not None:
            self._highest = last if last >= self._highest else None
        return check(place, epoch=epoch, last=last, era=era), last

    def place(self, sequence: int) -> Place:
        """The place after a change."""
        epoch, _, era = self._at(sequence)
        return Place(epoch=epoch, sequence=sequence, era=era)

    def _at(self, sequence: int) -> tuple[str, int, str | None]:
        """Epoch, the last change number, and the era that a number lies in."""
        era = "(SELECT token FROM _eras WHERE sequence <= :number ORDER BY sequence DESC LIMIT 1)" if self.has("_eras") else "NULL"
        sql = f"SELECT epoch, sequence, {era} FROM _meta"
        found: tuple[str, int, str | None] = self.connection.execute(sql, {"number": sequence}).fetchone()
        return found

    def ensure_index(self, collection: str, fields: tuple[tuple[str, int], ...]) -> None:
        """Makes the index that serves a filter, once the collection is large; where it cannot be made, queries read every row."""
        if not fields or (collection, fields) in self._indexes_tried:
            return
        name = f"{collection}:{index_name(fields)}"
        some = f'SELECT count(*) FROM (SELECT 1 FROM "{collection}" LIMIT {INDEX_FROM_ROWS})'
        ((rows,),) = self.connection.execute(some).fetchall()
        if rows < INDEX_FROM_ROWS:
            return
        self._indexes_tried.add((collection, fields))
        of_collection = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND name GLOB ?"
        ((made,),) = self.connection.execute(of_collection, [collection, f"{collection}:find:*"]).fetchall()
        if made >= INDEX_LIMIT or exists(self.connection, "index", name):
            return
        try:
            with transaction(self.connection):
                self.connection.execute(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{collection}" ({ordered((*fields, ("_id", 1)))})')
        except sqlite3.Error as error:
            logger.info("[AutoGather] %s goes without the index %s: %s", self.path, name, error)


def open_file(path: Path, *, create: bool, timeout_s: float) -> StoreFile | None:
    """Opens a store file; None where there is none, or nothing in it, and none is to be made.

    Raises:
        StoreError: It is no file of this store, or cannot be opened.
        StoreUnavailable: Another process kept it locked.
    """
    with Faults(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            return None
        uri = f"{path.as_uri()}?mode={'rwc' if create else 'rw'}"
        connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)
        try:
            there = _prepare(connection, path, create, time.monotonic() + timeout_s)
        except BaseException:
            connection.close()
            raise
        if not there:
            connection.close()
            return None
        return StoreFile(path=path, connection=connection)


def _prepare(connection: sqlite3.Connection, path: Path, create: bool, deadline: float) -> bool:
    connection.execute("PRAGMA synchronous = FULL")
    if _is_blank(connection):
        if not create:
            return False
        _use_wal(connection, deadline)
        with transaction(connection):
            if _is_blank(connection):  # still: another process may have been quicker
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute("INSERT INTO _meta (epoch, sequence) VALUES (?, 0)", [new_token()])
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a SQLite database of another program, expected a file that this store made")
    if not FIRST_FORMAT <= version <= FORMAT:
        raise StoreError(f"{path} has format {version}, expected {FIRST_FORMAT} to {FORMAT}: another release of this package wrote it")
    return True


def _use_wal(connection: sqlite3.Connection, deadline: float) -> None:
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:  # two processes that make one file: SQLite does not wait here
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def _is_blank(connection: sqlite3.Connection) -> bool:
    return _pragma(connection, "application_id") == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    ((value,),) = connection.execute(f"PRAGMA {name}").fetchall()
    return int(value)


def exists(connection: sqlite3.Connection, kind: str, name: str) -> bool:
    """Whether the schema has a table or index of that name."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE type = ? AND name = ?", [kind, name]).fetchone() is not None
