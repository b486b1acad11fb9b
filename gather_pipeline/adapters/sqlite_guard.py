"""Around every call on a SQLite file: one thread at a time, one transaction at a time, and errors that a person understands.

Plain classes, not generators: every call of the store passes here, and two generators cost as much as reading a document.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from gather_pipeline.errors import GatherError, StoreError, StoreUnavailable

REFUSALS = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database, expected a file that this store made",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk may be full or failing",
    sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
    sqlite3.SQLITE_PERM: "cannot be opened: access is denied",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is read-only or missing, or it is not a file",
}


class Transaction:
    """Commits at the end of the block, or leaves no trace. No generator, because every call of the store passes here."""

    __slots__ = ("_begin", "_connection")

    def __init__(self, connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> None:
        self._connection = connection
        self._begin = begin

    def __enter__(self) -> None:
        try:
            self._connection.execute(self._begin)
        except BaseException:
            self._undo()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._undo()
            return
        try:
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        with suppress(sqlite3.Error):  # there may be none any more
            self._connection.execute("ROLLBACK")


class Guard:
    """Keeps other threads out of the block, and turns its errors on a store file into `StoreError` and `StoreUnavailable`."""

    __slots__ = ("_lock", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._lock.release()
        if isinstance(error, sqlite3.Error):
            raise _fault(self._path, error) from error
        if isinstance(error, OSError):
            raise StoreError(f"{self._path} cannot be opened: {error.strerror}") from error


def _fault(path: Path, error: sqlite3.Error) -> GatherError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailable(f"{path} is locked: another process has been writing to it for too long")
    if code in REFUSALS:
        return StoreError(f"{path} {REFUSALS[code]}")
    return StoreError(f"{path} cannot be used: {error}")
