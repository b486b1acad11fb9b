"""The metrics database: the one writer that ingests what processes measured, and the read-only door for everybody else (D2).

Reading and writing exclude each other across processes (DuckDB's rule), so both open the file for a moment and wait for each
other. What may go wrong between two commands, a kill -9 included, is settled by one transaction that holds the rows and the
position up to which each incoming file is read. Tables and views come from the numbered files in ``sql``, applied by name.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gather_pipeline.adapters.metrics.measurements import Measurement, to_json
from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable, UnknownEntity, shorten
from gather_pipeline.ports import IngestReport

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

logger = logging.getLogger(__name__)

KINDS = ("run", "iteration", "call", "timing", "event")  # kinds with a table of their own; all others go to table generic
PATIENCE_S = 10.0  # an ingestion takes about a second, so whoever still waits after ten meets something unusual
RETRY_S = 0.05
CHUNK_ROWS = 5000  # one INSERT; keeps its JSON to a few megabytes
CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}  # nothing is ever downloaded
READ_ONLY = CLOSED | {  # a query can neither read nor write any file but the database, nor lift these limits
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": "1GB",
    "lock_configuration": "true",
}


def ingest(database: Path, incoming: Path, *, patience_s: float = PATIENCE_S) -> IngestReport:
    """Takes every whole line of the incoming files into the database, each exactly once.

    Files of live processes are read as far as they go; files of ended ones are moved to the folder ``archive`` beside `incoming`
    afterwards. A half line at the end of a file is left alone.

    Args:
        database: The DuckDB file; made where it is missing and there is something to ingest.
        incoming: Folder that `JsonlMetricsLog` writes to.
        patience_s: Seconds to wait for another process to let go of the database.

    Raises:
        StoreUnavailable: Another process held the database all the time; nothing is lost, the next call takes the rows.
        StoreError: The database is no DuckDB file, or a file cannot be read or written; names it. Nothing is lost.
    """
    import duckdb

    if not database.exists() and not any(incoming.glob("*.jsonl")):
        return IngestReport(rows=0, files=0)
    deadline = time.monotonic() + patience_s
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with _only_writer(database, deadline):
            _create_if_missing(database)
            with _connect(database, deadline, read_only=False) as connection:
                _migrate(connection)
                report, finished = _take_files(connection, sorted(incoming.glob("*.jsonl")))
            for path in finished:
                _move_to(incoming.parent / "archive", path)
    except duckdb.Error as error:
        raise StoreError(f"metrics database {database} refuses: {_reason(error)}") from error
    except OSError as error:
        raise StoreError(f"metrics file {error.filename or database} fails: {error.strerror or error}") from error
    if report.rows:
        logger.info("[AutoGather] Ingested %d measurements from %d files into %s", report.rows, report.files, database)
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
    with _connect(database, time.monotonic() + patience_s, read_only=True) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise InvalidInput.field("sql", sql, f"one statement, got {len(statements)}")
            if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
                raise InvalidInput.field("sql", sql, "a statement that only reads, such as SELECT, DESCRIBE or SHOW TABLES")
            return connection.execute(statements[0]).df()
        except (duckdb.IOException, duckdb.FatalException) as error:
            raise StoreError(f"metrics database {database} cannot be read: {_reason(error)}") from error
        except duckdb.Error as error:
            raise InvalidInput(f"sql is {shorten(sql)}, and DuckDB says: {_reason(error)}{_known_names(connection, error)}") from None


@contextmanager
def _only_writer(database: Path, deadline: float) -> Iterator[None]:
    """Holds the writer's lock: a file beside the database, let go by the system when the process ends in any way."""
    file = os.open(database.with_name(database.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(f"metrics database {database} is being written by another process") from None
                time.sleep(RETRY_S)
        yield
    finally:
        os.close(file)


@contextmanager
def _connect(database: Path, deadline: float, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    """Opens the database, waiting while another process (or another kind of connection of this one) has it open."""
    import duckdb

    _check_head(database)
    while True:
        try:
            connection = duckdb.connect(database, read_only=read_only, config=dict(READ_ONLY if read_only else CLOSED))
            break
        except duckdb.Error as error:
            if not re.search("Could not set lock|different configuration", str(error)):
                raise StoreError(f"metrics database {database} cannot be opened: {_reason(error)}") from error
            if time.monotonic() >= deadline:
                holder = re.search(r"PID \d+", str(error))
                who = f"another process ({holder[0]})" if holder else "another process"
                raise StoreUnavailable(f"metrics database {database} is held by {who}") from error
            time.sleep(RETRY_S)
    try:
        yield connection
    finally:
        connection.close()


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
        raise StoreError(f"metrics database {database} is not a DuckDB database")


def _create_if_missing(database: Path) -> None:
    """Makes the database under another name first: a kill while DuckDB writes its first bytes would leave a file it refuses."""
    if database.exists():
        return
    fresh = database.with_name(database.name + ".new")
    for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with _connect(fresh, time.monotonic(), read_only=False) as connection:
        _migrate(connection)
    fresh.rename(database)


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Applies the numbered SQL files that the database has not seen, each in a transaction of its own."""
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (name VARCHAR PRIMARY KEY, applied_at TIMESTAMP NOT NULL)")
    applied = {name for (name,) in connection.execute("SELECT name FROM migrations").fetchall()}
    folder = resources.files("gather_pipeline.adapters.metrics") / "sql"
    for script in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if re.fullmatch(r"\d{4}_\w+\.sql", script.name) and script.name not in applied:
            connection.begin()
            connection.execute(script.read_text(encoding="utf-8"))
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [script.name, datetime.now(UTC).replace(tzinfo=None)])
            connection.commit()


def _take_files(connection: duckdb.DuckDBPyConnection, paths: list[Path]) -> tuple[IngestReport, list[Path]]:
    """Inserts the new lines of all files in one transaction; gives the files that will not grow any more."""
    positions = dict(connection.execute("SELECT name, position FROM ingested_file").fetchall())
    taker = _Taker(connection)
    finished, files = [], 0
    connection.begin()
    for path in paths:
        before, start = taker.rows, positions.get(path.name, 0)
        with path.open("rb") as file:
            if _is_finished(file):  # asked before reading, so that nothing can follow what is read
                finished.append(path)
            end = taker.take(file, path.stem, start)
        files += taker.rows > before
        if end != start:
            connection.execute(
                "INSERT INTO ingested_file VALUES ($1, $2, $3) "
                "ON CONFLICT DO UPDATE SET position = excluded.position, rows = rows + excluded.rows",
                [path.name, end, taker.rows - before],
            )
    connection.commit()
    return IngestReport(rows=taker.rows, files=files, malformed=taker.malformed), finished


class _Taker:
    """Inserts lines chunk by chunk and counts what is new."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._columns: dict[str, dict[str, str]] = {}
        described = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        for table, column, type_name in connection.execute(described).fetchall():
            self._columns.setdefault(table, {})[column] = type_name
        self.rows = 0
        self.malformed = 0

    def take(self, file: BinaryIO, name: str, position: int) -> int:
        """Takes the whole lines from `position` on; returns where the last of them ends."""
        file.seek(position)
        chunk: dict[str, list[dict[str, Any]]] = {}
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            table, record = self._record(line, f"{name}@{position}")
            chunk.setdefault(table, []).append(record)
            position += len(line)
            if number % CHUNK_ROWS == 0:
                self._insert(chunk)
                chunk = {}
        self._insert(chunk)
        return position

    def _record(self, line: bytes, place: str) -> tuple[str, dict[str, Any]]:
        """The table that a line belongs to and its values by column."""
        try:
            row = Measurement.from_line(line)
        except ValueError as error:
            self.malformed += 1
            logger.warning("[AutoGather] Measurement %s is malformed (%s) and kept as text: %s", place, error, shorten(line))
            fields = {"line": line.decode("utf-8", "replace").rstrip("\n"), "error": str(error)}
            return "generic", {"row_id": place, "logged_at": None, "kind": "malformed", "fields": fields}
        if row.kind not in KINDS:
            return "generic", {"row_id": row.row_id, "logged_at": row.at, "kind": row.kind, "fields": row.fields}
        return row.kind, row.to_record(self._columns[row.kind])

    def _insert(self, chunk: Mapping[str, list[dict[str, Any]]]) -> None:
        for table, records in chunk.items():
            rows = f"unnest(from_json_strict($1::JSON, '{json.dumps([self._columns[table]])}'), recursive := true)"
            statement = f"INSERT INTO {table} BY NAME SELECT {rows} ON CONFLICT DO NOTHING"
            self.rows += self._connection.execute(statement, [to_json(records).decode()]).fetchall()[0][0]


def _is_finished(file: BinaryIO) -> bool:
    """Has the file's process ended or closed it? An empty file's process may be about to lock it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(file, fcntl.LOCK_UN)
    except BlockingIOError:
        return False
    return os.fstat(file.fileno()).st_size > 0


def _move_to(archive: Path, path: Path) -> None:
    archive.mkdir(exist_ok=True)
    target, number = archive / path.name, 1
    while target.exists():
        number += 1
        target = archive / f"{path.stem}.{number}{path.suffix}"
    path.rename(target)


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
