"""Around calls on a SQLite file: transactions, and errors that a person understands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gather_pipeline.errors import GatherError, InvalidInput, StoreError, StoreUnavailable

REFUSALS = {
    sqlite3.SQLITE_NOTADB: "is not a SQLite database, expected a file that this store made",
    sqlite3.SQLITE_CORRUPT: "is damaged",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk may be full or failing",
    sqlite3.SQLITE_READONLY: "cannot be written: it or its folder is read-only",
    sqlite3.SQLITE_PERM: "cannot be opened: access is denied",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder is read-only or missing, or it is not a file",
}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
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
def faults(path: Path) -> Iterator[None]:
    """Turns the errors of a block on a store file into one sentence that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(path, error) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error


def _fault(path: Path, error: sqlite3.Error) -> GatherError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnavailable(f"{path} is locked: another process has been writing to it for too long")
    if code == sqlite3.SQLITE_TOOBIG or isinstance(error, sqlite3.DataError):
        return InvalidInput(f"a document for {path} is larger than SQLite takes")
    if code in REFUSALS:
        return StoreError(f"{path} {REFUSALS[code]}")
    return StoreError(f"{path} cannot be used: {error}")
