"""The metrics database: what the document store knows of runs, as tables and views to ask with SQL (D2).

It is made from the store and from nothing else. An ingestion follows what has changed there by cursors that it keeps beside the rows, in
one transaction, and each row has the key that the store knows it by: whatever is killed, nothing is missing for good and nothing is there
twice. Where the database is gone, where another release made it, or where the store is another one, it is made anew.

DuckDB lets one process write a database, and a writer keeps readers out: both open the file for a moment and wait for each other.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic_core import to_json
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import InvalidInput, StaleCursor, StoreError, StoreFull, StoreUnavailable, UnknownEntity, shorten
from gather_pipeline.ports import IngestReport, ReadChanges

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

logger = logging.getLogger(__name__)

PATIENCE_S = 10.0  # an ingestion takes about a second, so whoever still waits after ten meets something unusual
RETRY_S = 0.05
BATCH = 500  # documents that are handed over as one text: an execution comes to 10 kB
CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}  # nothing is ever downloaded
MOST_ROWS, MOST_MEMORY_MB, MOST_SECONDS = 50_000, 150, 20.0  # of one answer
READ_ONLY = CLOSED | {  # a query can neither read nor write any file but the database, nor lift these limits
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": f"{MOST_MEMORY_MB}MB",
    "lock_configuration": "true",
}
SCHEMA = ("tables", "metric_views", "report_views")
SCRIPTS = (*SCHEMA, "take/runs", "take/iterations", "take/executions", "take/model_rankings", "take/events", "take/complete")
FULL = "No space left|quota|too large"
DISK = f"{FULL}|Permission denied|Read-only"
WHAT_TO_DO = "where it is damaged, move it away: the next command that reads it makes it anew from the store"


def ingest(database: Path, read: ReadChanges, *, patience_s: float = PATIENCE_S) -> IngestReport:
    """Takes what is new or changed in the store into the database.

    Args:
        database: The DuckDB file; made where it is missing and the store has something to tell.
        read: Reads the store from the database's cursors on.
        patience_s: Seconds to wait for another process to let go of the database.

    Raises:
        StoreUnavailable: Another process held the database all the time, or the store does not answer; the next call takes the rows.
        StoreError: The database is damaged or cannot be written, or the store refuses; says what to do.
    """
    import duckdb

    if database.exists() and not os.access(database.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        logger.warning("[AutoGather] %s is read-only: what happened since it was last written is not in the answer", database.parent)
        return IngestReport(rows=0)
    lock = database.with_name(database.name + ".lock")
    try:
        if not database.exists() and not any(changes.documents for _, _, changes in read({})):
            return IngestReport(rows=0)
        reason = "it was not there" if lock.exists() else None  # else this is the home's first run
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock, timeout=patience_s):  # let go by the system however the process ends
            if database.exists():
                with _connect(database, patience_s, read_only=False) as connection:
                    if _is_made_by(connection, _digest()):
                        try:
                            return _take(connection, read)
                        except StaleCursor:
                            reason = "the store is another one, or was put back from a copy"
                    else:
                        reason = "another release made it"
            report = _make(database, read)
    except Timeout:
        raise StoreUnavailable(f"metrics database {database} is being written by another process") from None
    except duckdb.Error as error:
        raise _kind(error)(f"metrics database {database} cannot be written {_refusal(error)}") from error
    except OSError as error:
        raise _kind(error)(f"metrics database {database} cannot be written: {error.filename}: {error.strerror or error}") from error
    except RuntimeError as error:
        if "Query interrupted" in str(error):  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    if reason is not None:
        logger.warning("[AutoGather] Metrics database %s is made anew from the store, %d rows: %s", database, report.rows, reason)
    return report


def query(database: Path, sql: str, *, patience_s: float = PATIENCE_S) -> pd.DataFrame:
    """Answers one reading statement; the database is opened read-only and no other file can be reached.

    Raises:
        InvalidInput: Not one statement that reads, or DuckDB refuses it; gives DuckDB's reason in a sentence.
        UnknownEntity: There is no database yet.
        StoreUnavailable: A writer held the database all the time.
        StoreError: The file is no DuckDB database.
    """
    import duckdb

    if not database.exists():
        raise UnknownEntity(f"no run has been measured yet: there is no metrics database {database}")
    with _connect(database, patience_s, read_only=True) as connection:
        try:
            statements = connection.extract_statements(clean(sql))
            if len(statements) != 1:
                raise InvalidInput.field("sql", sql, f"one statement, got {len(statements)}")
            if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
                raise InvalidInput.field("sql", sql, "a statement that only reads, such as SELECT, DESCRIBE or SHOW TABLES")
            with ThreadPoolExecutor(1) as thread:  # for in this one no signal would be looked at until the answer is there
                asked = thread.submit(lambda: connection.sql(statements[0]).limit(MOST_ROWS + 1).df())
                try:
                    answer: pd.DataFrame = asked.result(MOST_SECONDS)
                except (KeyboardInterrupt, TimeoutError):
                    connection.interrupt()
                    raise
            if len(answer) > MOST_ROWS:
                raise InvalidInput(
                    f"sql is {shorten(sql)}, and its answer has more than {MOST_ROWS} rows, expected at most that: add a LIMIT"
                )
            return answer
        except (duckdb.OutOfMemoryException, MemoryError):
            raise InvalidInput(f"sql is {shorten(sql)}, and takes more than {MOST_MEMORY_MB} MB, expected at most that") from None
        except TimeoutError:
            raise InvalidInput(f"sql is {shorten(sql)}, and takes more than {MOST_SECONDS:g} s, expected at most that") from None
        except duckdb.Error as error:
            if type(error) is duckdb.Error or isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException):
                raise StoreError(f"metrics database {database} cannot be read {_refusal(error)}") from error
            raise InvalidInput(f"sql is {shorten(sql)}, and DuckDB says: {_reason(error)}{_known_names(connection, error)}") from None


def _connect(database: Path, patience_s: float, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Opens the database, waiting while another process (or another kind of connection of this one) has it open."""
    import duckdb

    _check_head(database)
    again = Retrying(retry=retry_if_exception(_is_held), stop=stop_after_delay(patience_s), wait=wait_fixed(RETRY_S), reraise=True)
    try:
        return again(duckdb.connect, database, read_only=read_only, config=dict(READ_ONLY if read_only else CLOSED))
    except duckdb.Error as error:
        if not _is_held(error):
            raise _kind(error)(f"metrics database {database} cannot be opened {_refusal(error)}") from error
        holder = re.search(r"PID \d+", str(error))
        raise StoreUnavailable(f"metrics database {database} is held by another process{f' ({holder[0]})' if holder else ''}") from error


def _is_held(error: BaseException) -> bool:
    return re.search("Could not set lock|different configuration", str(error)) is not None


def _check_head(database: Path) -> None:
    """Refuses another kind of file; DuckDB itself would look for an extension that reads it."""
    try:
        with database.open("rb") as file:
            head = file.read(12)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"metrics database {database} cannot be read: {error.strerror}") from error
    if head[8:] != b"DUCK":
        raise StoreError(f"metrics database {database} is not a DuckDB database; {WHAT_TO_DO}")


def _make(database: Path, read: ReadChanges) -> IngestReport:
    """Makes the database under another name and puts it in its place once it is whole."""
    fresh = database.with_name(database.name + ".new")
    for leftover in (fresh, _log_of(fresh)):
        leftover.unlink(missing_ok=True)
    with _connect(fresh, 0, read_only=False) as connection:
        for script in SCHEMA:
            connection.execute(_script(script))
        connection.execute("INSERT INTO made_by VALUES (?)", [_digest()])
        report = _take(connection, read)
    for former in (database, _log_of(database)):  # DuckDB would play the former one's log into this one
        former.unlink(missing_ok=True)
    fresh.rename(database)
    return report


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + ".wal")


def _take(connection: duckdb.DuckDBPyConnection, read: ReadChanges) -> IngestReport:
    """Takes in what has changed in the store, all or nothing."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.begin()
    seen = {(name, collection): position for name, collection, position in connection.execute("FROM cursor").fetchall()}
    rows = 0
    for name, collection, changes in read(seen):
        for start in range(0, len(changes.documents), BATCH):
            text = to_json(changes.documents[start : start + BATCH]).decode()
            for statement in connection.extract_statements(_script(f"take/{collection}")):
                connection.execute(statement, [text])
            rows += _first(connection)
        if changes.documents:
            connection.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", [name, collection, changes.cursor])
    connection.execute(_script("take/complete"))
    connection.commit()
    return IngestReport(rows=rows)


def _is_made_by(connection: duckdb.DuckDBPyConnection, scripts: str) -> bool:
    tables = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'made_by'")
    return _first(tables) > 0 and connection.execute("FROM made_by").fetchall() == [(scripts,)]


def _first(answer: duckdb.DuckDBPyConnection) -> int:
    return int(answer.fetchall()[0][0])


def _script(name: str) -> str:
    return (resources.files("gather_pipeline.adapters.metrics") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _digest() -> str:
    """Tells databases apart whose tables or rows were made by different scripts."""
    return hashlib.sha256("".join(map(_script, SCRIPTS)).encode()).hexdigest()


def _kind(error: Exception) -> type[StoreError]:
    return StoreFull if re.search(FULL, str(error)) else StoreError


def _refusal(error: Exception) -> str:
    """Why a database cannot be used, and what to do where it is not the disk that refuses."""
    reason = _reason(error)
    return f"({reason})" if re.search(DISK, reason) else f"({reason}); {WHAT_TO_DO}"


def _reason(error: Exception) -> str:
    """DuckDB's message as one sentence: without the kind in front, the query drawn below, and guesses at other names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = lines[:1] + [line for line in lines[1:] if line.startswith("Candidate")]
    return re.sub(r"^[A-Z][A-Za-z ]+ Error: ", "", " ".join(kept)).rstrip(".")


def _known_names(connection: duckdb.DuckDBPyConnection, error: Exception) -> str:
    if "Table with name" not in str(error):
        return ""
    rows = connection.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'main' ORDER BY table_name").fetchall()
    return f" (there are {', '.join(name for (name,) in rows)})"
