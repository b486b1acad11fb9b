"""One SQLite file of the document store: opening it, transactions, change numbers and cursors.

A file is checked before it is touched, so that neither another program's database nor a text file is taken for a store.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from gather_pipeline.adapters.documents.rules import INDEXED, is_id, stale
from gather_pipeline.errors import GatherError, InvalidInput, StoreError, StoreFull, StoreGone, StoreUnavailable

APPLICATION_ID = 0x47415448  # "GATH": tells a store file from any other SQLite file
FORMAT, FIRST_FORMAT = 4, 1  # older ones are read as they are, and become the newest with their next write
RETRY_S = 0.02
COMMITS = "_commits"  # the last change number of each commit, and a random token that no other history has there
SCHEMA = (
    f"CREATE TABLE IF NOT EXISTS {COMMITS} (sequence INTEGER PRIMARY KEY, token TEXT NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT}",
)
# Lies in the order of changes. Bytes of a document stand apart from its JSON, from format 4 on.
COLUMNS = "seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, version INTEGER NOT NULL, doc TEXT NOT NULL, bytes BLOB NOT NULL DEFAULT x''"

REFUSALS = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database, expected a file that this store made",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk may be full or failing",
    sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only, or the disk is full",
    sqlite3.SQLITE_PERM: "cannot be opened: access is denied",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is read-only or missing, or it is not a file",
}

FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)  # also what SQLite says of a quota
AS_IT_LIES = "immutable=1"
UNWRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def value_of(field: str) -> str:
    """The SQL expression of a field's value: NULL where it is missing or none, below numbers, and those below texts by code point."""
    return "id" if field == "_id" else f"json_extract(doc, '$.\"{field}\"')"


@dataclass(kw_only=True)
class StoreFile:
    """An open database: one connection, which the threads of a process use in turn.

    Attributes:
        identity: Device and number of the file that was opened.
        as_it_lies: Nothing can be written beside it, so that what others change later is not seen: to be opened anew the next time.
    """

    path: Path
    connection: sqlite3.Connection
    identity: tuple[int, int] | None
    as_it_lies: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Keeps other threads out, and puts errors of the engine into words."""
        with self.lock, _faults(self.path):
            yield self.connection

    @contextmanager
    def writing(self, collection: str | None = None) -> Iterator[sqlite3.Connection]:
        """A transaction that commits at the end of the block, or leaves no trace; makes the collection where it is missing.

        Raises:
            StoreGone: The path leads to the opened file no more: what is written into a deleted file is gone.
        """
        with self.reading(), _transaction(self.connection):
            if pragma(self.connection, "user_version") < FORMAT:
                self._renew()
            if collection:
                self.connection.execute(f'CREATE TABLE IF NOT EXISTS "{collection}" ({COLUMNS})')
                for name in INDEXED:
                    self.connection.execute(f'CREATE INDEX IF NOT EXISTS "{collection}:{name}" ON "{collection}" ({value_of(name)})')
            yield self.connection
            now = _identity(self.path)
            if now != self.identity:
                raise StoreGone(f"{self.path} was {'replaced' if now else 'deleted'} while it was in use: nothing more is written")

    def _renew(self) -> None:
        """Brings an older file to the newest format: bytes apart, no deletion marks, eras, and indexes that queries made for themselves."""
        made = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB '*:find:*'").fetchall()
        added = COLUMNS.rpartition(", ")[2]
        statements = [f'ALTER TABLE "{name}" ADD COLUMN {added}' for name in self.collections()]
        for statement in (*SCHEMA, *statements, *(f'DROP INDEX "{name}"' for (name,) in made)):
            self.connection.execute(statement)
        if self.has("_meta"):  # of a format before 3
            sql = f"INSERT INTO {COMMITS} (sequence, token) SELECT sequence, ? FROM _meta WHERE sequence > 0"
            self.connection.execute(sql, [token_hex(8)])
        for table in ("_meta", "_deleted", "_eras"):
            self.connection.execute(f"DROP TABLE IF EXISTS {table}")

    def collections(self) -> list[str]:
        """Names of the collections, in order."""
        names = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        return [name for (name,) in names if not name.startswith(("_", "sqlite_"))]

    def has(self, table: str) -> bool:
        """Whether a collection, or a table of the store's own, is there."""
        found = self.connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", [table]).fetchone()
        return found is not None

    def take(self, number: int = 1) -> int:
        """The first of so many new change numbers; inside a transaction only, so that their order is the order of commits."""
        ((last,),) = self.connection.execute(f"SELECT ifnull(max(sequence), 0) FROM {COMMITS}").fetchall()
        self.connection.execute(f"INSERT INTO {COMMITS} (sequence, token) VALUES (?, ?)", [last + number, token_hex(8)])
        return int(last) + 1

    def newest(self) -> str:
        """The cursor after the last change, empty where there is none."""
        if not self.has(COMMITS):
            with self.writing():
                pass  # renews the file
        row = self.connection.execute(f"SELECT sequence, token FROM {COMMITS} ORDER BY sequence DESC LIMIT 1").fetchone()
        return f"{row[0]}.{row[1]}" if row else ""

    def place(self, cursor: str) -> int:
        """Number of the change that a cursor stands after, 0 for the empty one; raises `StaleCursor` where it is not of this history."""
        if cursor == "":
            return 0
        if is_id(cursor) and self.has(COMMITS):
            sequence, _, token = cursor.partition(".")
            sql = f"SELECT sequence FROM {COMMITS} WHERE sequence = ? AND token = ?"
            if row := self.connection.execute(sql, [sequence, token]).fetchone():
                return int(row[0])
        raise stale(cursor)


def open_file(path: Path, *, create: bool, timeout_s: float) -> StoreFile | None:
    """Opens a store file; None where there is none, or nothing in it, and none is to be made.

    Raises:
        StoreError: It is no file of this store, or cannot be opened.
        StoreUnavailable: Another process kept it locked.
    """
    with _faults(path):
        if create:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            return None
        try:
            return _opened(path, f"mode={'rwc' if create else 'rw'}", create, timeout_s)
        except sqlite3.Error as error:
            # Where nothing can be written beside a file, it can still be read as it lies, unless changes to it wait in another one.
            waiting = path.with_name(f"{path.name}-wal")
            read_only = _code(error) in UNWRITABLE
            if create or not read_only or (waiting.exists() and waiting.stat().st_size):
                raise
            return _opened(path, AS_IT_LIES, create, timeout_s)


def _opened(path: Path, options: str, create: bool, timeout_s: float) -> StoreFile | None:
    uri = f"{path.as_uri()}?{options}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout_s, isolation_level=None, check_same_thread=False)
    there = False
    try:
        there = _prepare(connection, path, create, timeout_s)
    finally:
        if not there:
            connection.close()
    return StoreFile(path=path, connection=connection, identity=_identity(path), as_it_lies=options == AS_IT_LIES) if there else None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def _prepare(connection: sqlite3.Connection, path: Path, create: bool, timeout_s: float) -> bool:
    connection.execute("PRAGMA synchronous = FULL")
    if _is_blank(connection):
        if not create:
            return False
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

        # Two processes that make one file: SQLite does not wait here.
        again = Retrying(retry=retry_if_exception(_is_busy), stop=stop_after_delay(timeout_s), wait=wait_fixed(RETRY_S), reraise=True)
        again(connection.execute, "PRAGMA journal_mode = WAL")
        with _transaction(connection):
            if _is_blank(connection):  # still: another process may have been quicker
                for statement in SCHEMA:
                    connection.execute(statement)
    application, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is a SQLite database of another program, expected a file that this store made")
    if not FIRST_FORMAT <= version <= FORMAT:
        raise StoreError(f"{path} has format {version}, expected {FIRST_FORMAT} to {FORMAT}: another release of this package wrote it")
    return True


def _is_blank(connection: sqlite3.Connection) -> bool:
    return pragma(connection, "application_id") == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


def pragma(connection: sqlite3.Connection, name: str) -> int:
    """A whole number of the file's head."""
    ((value,),) = connection.execute(f"PRAGMA {name}").fetchall()
    return int(value)


def _is_busy(error: BaseException) -> bool:
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _code(error: BaseException) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits at the end of the block, or leaves no trace."""
    try:
        if connection.in_transaction:  # left by an interruption in the middle of undoing
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # there may be none any more
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """Turns the errors of a block on a store file into one sentence that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(path, error) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error


def _fault(path: Path, error: sqlite3.Error) -> GatherError:
    if _is_busy(error):
        return StoreUnavailable(f"{path} is locked: another process has been writing to it for too long")
    code = _code(error)
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return InvalidInput(f"a document for {path} is larger than SQLite takes")
    kind = StoreFull if getattr(error, "sqlite_errorcode", None) in FULL else StoreError
    return kind(f"{path} {REFUSALS.get(code) or f'cannot be used: {error}'}")
