"""The metrics database: the one writer that ingests what processes measured, and the read-only door for everybody else (D2).

Reading and writing exclude each other across processes (DuckDB's rule), so both open the file for a moment and wait for each
other. Whatever is killed, a row is taken exactly once, for its `row_id` is a key: a file that is read again adds nothing. Tables and
views come from the numbered files in ``sql``, applied by name.
"""

from __future__ import annotations

import fcntl
import glob
import logging
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable, UnknownEntity, shorten
from gather_pipeline.ports import IngestReport

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

logger = logging.getLogger(__name__)

KINDS = ("run", "iteration", "call", "timing", "event")  # kinds with a table of their own; all others go to table generic
PATIENCE_S = 10.0  # an ingestion takes about a second, so whoever still waits after ten meets something unusual
RETRY_S = 0.05
COMMON = ("row_id", "logged_at", "extra")  # columns of every table, not open to a row's own fields
CLOSED = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}  # nothing is ever downloaded
MOST_ROWS, MOST_MEMORY_MB = 50_000, 150  # of one answer
READ_ONLY = CLOSED | {  # a query can neither read nor write any file but the database, nor lift these limits
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": f"{MOST_MEMORY_MB}MB",
    "lock_configuration": "true",
}


READ_LINES = """
CREATE OR REPLACE TEMP TABLE line AS
SELECT
    row_id, kind, TRY_CAST("at" AS TIMESTAMPTZ)::TIMESTAMP AS logged_at, fields, parse_filename(filename) AS file,
    row_id IS NULL OR kind IS NULL OR logged_at IS NULL OR fields IS NULL AS malformed
FROM read_json(
    $1, format = 'newline_delimited', ignore_errors = true, filename = true,
    columns = {row_id: 'VARCHAR', kind: 'VARCHAR', 'at': 'VARCHAR', fields: 'MAP(VARCHAR, JSON)'}
)"""
INSERT_OTHERS = f"""
INSERT INTO generic BY NAME
SELECT row_id, logged_at, kind, to_json(fields) AS fields FROM line WHERE kind NOT IN {KINDS} AND NOT malformed
ON CONFLICT DO NOTHING"""


def ingest(database: Path, incoming: Path, *, patience_s: float = PATIENCE_S) -> IngestReport:
    """Takes every line of the incoming files into the database, each exactly once.

    Files of live processes are read as far as they go, and again the next time; files of ended ones are moved to the folder ``archive``
    beside `incoming` afterwards.

    Args:
        database: The DuckDB file; made where it is missing and there is something to ingest.
        incoming: Folder that `JsonlMetricsLog` writes to.
        patience_s: Seconds to wait for another process to let go of the database.

    Raises:
        StoreUnavailable: Another process held the database all the time; nothing is lost, the next call takes the rows.
        StoreError: The database is no DuckDB file, or a file cannot be read or written; names it. Nothing is lost.
    """
    import duckdb

    waiting = any(incoming.glob("*.jsonl"))
    if not database.exists() and not waiting:
        return IngestReport(rows=0, files=0)
    if database.exists() and not os.access(
        database.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids
    ):  # a state folder that may only be read
        if waiting:
            logger.warning("[AutoGather] %s is read-only: its newest measurements are not in the answer", database.parent)
        return IngestReport(rows=0, files=0)
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(database.with_name(database.name + ".lock"), timeout=patience_s):  # let go by the system however the process ends
            _create_if_missing(database)
            paths = [path for path in sorted(incoming.glob("*.jsonl")) if path.stat().st_size]
            finished = [path for path in paths if _is_finished(path)]  # asked before reading, so that nothing can follow what is read
            with _connect(database, patience_s, read_only=False) as connection:
                _migrate(connection)
                report = _take_lines(connection, paths) if paths else IngestReport(rows=0, files=0)
            for path in finished:
                _move_to(incoming.parent / "archive", path)
    except Timeout:
        raise StoreUnavailable(f"metrics database {database} is being written by another process") from None
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
    with _connect(database, patience_s, read_only=True) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise InvalidInput.field("sql", sql, f"one statement, got {len(statements)}")
            if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
                raise InvalidInput.field("sql", sql, "a statement that only reads, such as SELECT, DESCRIBE or SHOW TABLES")
            with ThreadPoolExecutor(1) as thread:  # for in this one no signal would be looked at until the answer is there
                asked = thread.submit(lambda: connection.sql(statements[0]).limit(MOST_ROWS + 1).df())
                try:
                    answer: pd.DataFrame = asked.result()
                except KeyboardInterrupt:
                    connection.interrupt()
                    raise
            if len(answer) > MOST_ROWS:
                raise InvalidInput(
                    f"sql is {shorten(sql)}, and its answer has more than {MOST_ROWS} rows, expected at most that: add a LIMIT"
                )
            return answer
        except duckdb.OutOfMemoryException:
            raise InvalidInput(f"sql is {shorten(sql)}, and takes more than {MOST_MEMORY_MB} MB, expected at most that") from None
        except (duckdb.IOException, duckdb.FatalException) as error:
            raise StoreError(f"metrics database {database} cannot be read: {_reason(error)}") from error
        except duckdb.Error as error:
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
            raise StoreError(f"metrics database {database} cannot be opened: {_reason(error)}") from error
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
        raise StoreError(f"metrics database {database} is not a DuckDB database")


def _create_if_missing(database: Path) -> None:
    """Makes the database under another name first: a kill while DuckDB writes its first bytes would leave a file it refuses."""
    if database.exists():
        return
    fresh = database.with_name(database.name + ".new")
    for leftover in (fresh, fresh.with_name(fresh.name + ".wal")):
        leftover.unlink(missing_ok=True)
    with _connect(fresh, 0, read_only=False) as connection:
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


def _take_lines(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> IngestReport:
    """Inserts the rows of all files that the database has not; a line that is no measurement stays behind in its file, which is told."""
    connection.execute("SET TimeZone = 'UTC'")  # in which a time without an offset is read
    connection.execute(READ_LINES, [[glob.escape(str(path)) for path in paths]])
    broken = connection.execute("SELECT file, count(*) FROM line WHERE malformed GROUP BY file ORDER BY file").fetchall()
    for file, count in broken:
        logger.warning("[AutoGather] Metrics file %s has %d malformed lines, which are left out", file, count)
    columns: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for table, column, type_name in connection.execute("SELECT table_name, column_name, data_type FROM duckdb_columns()").fetchall():
        if table in columns and column not in COMMON:
            columns[table][column] = type_name
    statements = [INSERT_OTHERS, *(_insert(kind, columns[kind]) for kind in KINDS)]
    connection.begin()
    rows = sum(connection.execute(statement).fetchall()[0][0] for statement in statements)
    connection.commit()
    return IngestReport(rows=rows, files=len(paths), malformed=sum(count for _, count in broken))


def _insert(kind: str, columns: Mapping[str, str]) -> str:
    """The statement that takes a kind's lines into its table; values that fit no column of theirs go to ``extra``."""
    known = ", ".join(f"{name} := {_value(name, type_name)}" for name, type_name in columns.items())
    return f"""
        INSERT INTO {kind} BY NAME
        WITH fitted AS (
            SELECT row_id, logged_at, fields, struct_pack({known}) AS known FROM line WHERE kind = '{kind}' AND NOT malformed
        )
        SELECT row_id, logged_at, unnest(known), nullif(to_json(map_from_entries(list_filter(
            map_entries(fields),
            lambda entry: entry.value IS NOT NULL AND (to_json(known)::MAP(VARCHAR, JSON))[entry.key] IS NULL
        ))), '{{}}') AS extra
        FROM fitted
        ON CONFLICT DO NOTHING"""


def _value(name: str, type_name: str) -> str:
    """A field as its column holds it, NULL where it does not fit."""
    if type_name == "JSON":
        return f"fields['{name}']"
    if type_name == "TIMESTAMP":
        return f"TRY_CAST(fields['{name}']->>'$' AS TIMESTAMPTZ)::TIMESTAMP"
    return f"TRY_CAST(fields['{name}']->>'$' AS {type_name})"


def _is_finished(path: Path) -> bool:
    """Has the file's process ended or closed it? Until then it holds a lock on it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


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
