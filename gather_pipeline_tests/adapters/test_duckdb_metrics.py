"""The metrics database: every row exactly once, whatever is killed, and a reading door that only reads."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from gather_pipeline.adapters.duckdb_metrics import ingest, query
from gather_pipeline.adapters.metrics_log import JsonlMetricsLog
from gather_pipeline.domain.measurements import IngestReport
from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable, UnknownEntity

PROJECT = {"project_id": "harbour", "task_id": "t1"}


class TickingClock:
    """A second later at every look."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> str:
        self.seconds += 1
        return f"2026-03-01T{self.seconds // 3600:02}:{self.seconds // 60 % 60:02}:{self.seconds % 60:02}.000000+00:00"

    def monotonic(self) -> float:
        return float(self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += int(seconds)


class Metrics:
    """A metrics folder with its database."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database, self.incoming = folder, folder / "metrics.duckdb", folder / "incoming"

    def log(self, run_id: str = "run-1") -> JsonlMetricsLog:
        return JsonlMetricsLog(self.folder, run_id, TickingClock())

    def take(self, *rows: tuple[str, Mapping[str, Any]], run_id: str = "run-1") -> IngestReport:
        log = self.log(run_id)
        for kind, row in rows:
            log.append(kind, row)
        log.close()
        return self.ingest()

    def ingest(self, patience_s: float = 20.0) -> IngestReport:
        return ingest(self.database, self.incoming, patience_s=patience_s)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        frame = query(self.database, sql)
        return frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


INGEST = """
import sys
from pathlib import Path
import duckdb, pandas  # the slow part, so that a kill after "ready" falls into the ingestion
from gather_pipeline.adapters.duckdb_metrics import ingest
print("ready", flush=True)
print(ingest(Path(sys.argv[1]), Path(sys.argv[2]), patience_s=60).rows, flush=True)
"""
HOLD = """
import sys, duckdb, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.close()
"""


def test_rows_of_every_kind_reach_their_table_once(metrics: Metrics) -> None:
    report = metrics.take(
        ("run", {**PROJECT, "status": "completed", "started_at": "2026-03-01T12:00:00+02:00", "tokens": 7}),
        ("iteration", {**PROJECT, "department": "story", "iteration": 1, "quality": 61, "rung": 2}),
        ("call", {**PROJECT, "definition": "gather", "version": "1.0", "attempts": 2}),
        ("timing", {**PROJECT, "what": "embed", "seconds": 0.5, "count": 3}),
        ("event", {**PROJECT, "sequence": 4, "type": "deduplicating", "payload": {"department": "story"}}),
        ("surprise", {"a": [1, {"b": None}]}),
    )
    assert report == IngestReport(rows=6, files=1)
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert metrics.rows("SELECT row_id, status, tokens, started_at::VARCHAR AS started FROM run") == [
        {"row_id": "run-1:1", "status": "completed", "tokens": 7, "started": "2026-03-01 10:00:00"}
    ]
    assert metrics.rows("SELECT quality, rung, ended_by FROM iteration") == [{"quality": 61.0, "rung": "2", "ended_by": None}]
    assert metrics.rows("SELECT version, attempts FROM call") == [{"version": "1.0", "attempts": 2}]
    assert metrics.rows("SELECT payload->>'department' AS d FROM event") == [{"d": "story"}]
    assert metrics.rows("SELECT kind, fields::VARCHAR AS fields FROM generic") == [{"kind": "surprise", "fields": '{"a":[1,{"b":null}]}'}]


def test_fields_without_a_column_and_values_that_do_not_fit_are_kept_in_extra(metrics: Metrics) -> None:
    metrics.take(
        ("run", {"tokens": "many", "iterations": 2.5, "cost": 10**400, "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}),
        ("run", {"tokens": 3.0, "items_created": True, "status": None}),
    )
    first, second = metrics.rows("SELECT tokens, iterations, cost, started_at, row_id, extra FROM run ORDER BY row_id")
    assert (first["tokens"], first["iterations"], first["cost"], first["started_at"]) == (None, None, None, None)
    assert first["row_id"] == "run-1:1"
    extra = json.loads(first["extra"])
    assert extra.pop("cost") > 10**300
    assert extra == {"tokens": "many", "iterations": 2.5, "started_at": "yesterday", "new": {"x": 1}, "row_id": "forged"}
    assert (second["tokens"], json.loads(second["extra"])) == (3, {"items_created": True})


def test_a_live_file_is_read_as_far_as_it_goes_and_an_ended_one_is_archived(metrics: Metrics) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    assert metrics.ingest().rows == 1
    assert (metrics.incoming / "run-1.jsonl").exists()
    log.append("timing", {"count": 2})
    log.close()
    assert metrics.ingest().rows == 1
    assert not list(metrics.incoming.iterdir())
    assert (metrics.folder / "archive" / "run-1.jsonl").exists()
    assert metrics.rows("SELECT list(count ORDER BY count) AS counts FROM timing")[0]["counts"].tolist() == [1, 2]


def test_a_half_last_line_is_never_taken_and_hides_no_other_row(metrics: Metrics) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.append("timing", {"count": 2})
    log.close()
    path = metrics.incoming / "run-1.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert metrics.ingest() == IngestReport(rows=1, files=1)
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert metrics.rows("SELECT count FROM timing") == [{"count": 1}]


def test_a_file_with_nothing_but_a_half_line_gives_nothing(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    (metrics.incoming / "cut.jsonl").write_bytes(b'{"row_id": "cut:1", "ki')
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert (metrics.folder / "archive" / "cut.jsonl").read_bytes() == b'{"row_id": "cut:1", "ki'


@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[1]",
        b"{}",
        b"",
        b"\xff\xfe\x00",
        b'{"row_id": 1, "kind": "run", "at": "2026-03-01", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "soon", "fields": {}}',
        b'{"row_id": "a:1", "kind": "run", "at": "0001-01-01T00:00:00+14:00", "fields": {}}',
        b"[" * 100_000,
        b'{"row_id": "a:1", "kind": "run", "at": "2026-03-01", "fields": {"n": 1' + b"0" * 5000 + b"}}",
    ],
    ids=["prose", "list", "empty object", "blank", "bytes", "row_id", "time", "year 0", "deep", "digits"],
)
def test_a_whole_line_that_is_no_measurement_is_kept_as_text_and_stops_nothing(metrics: Metrics, line: bytes) -> None:
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.close()
    with (metrics.incoming / "run-1.jsonl").open("ab") as file:
        file.write(line + b"\n" + b'{"row_id": "b:1", "kind": "timing", "at": "2026-03-01", "fields": {"count": 2}}\n')
    assert metrics.ingest() == IngestReport(rows=3, files=1, malformed=1)
    assert metrics.rows("SELECT kind, fields->>'line' AS line FROM generic") == [
        {"kind": "malformed", "line": line.decode("utf-8", "replace")}
    ]
    assert len(metrics.rows("FROM timing")) == 2


def test_numbers_and_letters_that_json_lacks_do_not_stop_ingestion(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    fields = b'{"seconds": NaN, "count": 1, "a": 1e999, "b": "\\ud83d", "c": "\\u0000", "d": 1' + b"0" * 60 + b"}"
    line = b'{"row_id": "x:1", "kind": "timing", "at": "2026-03-01", "fields": ' + fields + b"}\n"
    (metrics.incoming / "x.jsonl").write_bytes(line)
    assert metrics.ingest() == IngestReport(rows=1, files=1)
    assert metrics.rows("SELECT seconds, count, extra->>'b' AS b FROM timing") == [{"seconds": None, "count": 1, "b": "?"}]


def test_many_rows_are_taken_in_several_inserts(metrics: Metrics) -> None:
    metrics.incoming.mkdir()
    with (metrics.incoming / "big.jsonl").open("w") as file:
        for n in range(12_001):
            row = {"row_id": f"big:{n}", "kind": "timing", "at": "2026-03-01", "fields": {"count": n}}
            file.write(json.dumps(row) + "\n")
    assert metrics.ingest().rows == 12_001
    assert metrics.rows("SELECT count(*) AS n, sum(count)::BIGINT AS total FROM timing") == [{"n": 12_001, "total": 72_006_000}]


def test_an_archived_file_put_back_adds_nothing_and_overwrites_nothing(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    archived = metrics.folder / "archive" / "run-1.jsonl"
    (metrics.incoming / "run-1.jsonl").write_bytes(archived.read_bytes())
    (metrics.incoming / "copy.jsonl").write_bytes(archived.read_bytes())
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert len(metrics.rows("FROM timing")) == 1
    assert sorted(path.name for path in archived.parent.iterdir()) == ["copy.jsonl", "run-1.2.jsonl", "run-1.jsonl"]


def test_a_lost_database_is_made_again_from_the_archive(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}), ("timing", {"count": 2}))
    metrics.database.unlink()
    (metrics.folder / "archive" / "run-1.jsonl").rename(metrics.incoming / "run-1.jsonl")
    assert metrics.ingest() == IngestReport(rows=2, files=1)


def test_ingesting_nothing_makes_no_database(metrics: Metrics) -> None:
    assert metrics.ingest() == IngestReport(rows=0, files=0)
    assert list(metrics.folder.iterdir()) == []


def test_migrations_are_applied_once_and_an_older_database_gets_the_newer_ones(metrics: Metrics) -> None:
    metrics.take(("run", PROJECT))
    names = ["0001_tables.sql", "0002_metric_views.sql", "0003_report_views.sql"]
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    with duckdb.connect(metrics.database) as connection:
        connection.execute("DROP VIEW report_departments; DROP VIEW report_spending")
        connection.execute("DELETE FROM migrations WHERE name = '0003_report_views.sql'")
    metrics.ingest()
    assert [row["name"] for row in metrics.rows("SELECT name FROM migrations ORDER BY name")] == names
    assert metrics.rows("FROM report_departments") == []


def test_several_processes_at_once_take_every_row_once(metrics: Metrics) -> None:
    for run in range(6):
        log = metrics.log(f"run-{run}")
        for n in range(300):
            log.append("timing", {"count": n})
        log.close()
    processes = [python(INGEST, metrics.database, metrics.incoming) for _ in range(4)]
    taken = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], taken
    assert sum(int(out.split()[-1]) for out, _ in taken) == 1800
    assert metrics.rows("SELECT count(*) AS n, count(DISTINCT row_id) AS ids FROM timing") == [{"n": 1800, "ids": 1800}]


def test_threads_of_one_process_may_ingest_and_query_at_once(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 0}), run_id="first")
    faults: list[Exception] = []

    def work(number: int) -> None:
        try:
            metrics.take(("timing", {"count": number}), run_id=f"thread-{number}")
            query(metrics.database, "SELECT count(*) FROM timing", patience_s=20)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert metrics.rows("SELECT count(*) AS n FROM timing") == [{"n": 7}]


def test_a_kill_at_any_point_of_an_ingestion_loses_and_doubles_nothing(metrics: Metrics) -> None:
    """Includes the making of the database, its migrations and the moves to the archive."""
    random.seed(7)
    expected = 0
    for attempt in range(8):
        for run in range(3):
            log = metrics.log(f"run-{attempt}-{run}")
            for n in range(400):
                log.append("timing", {"count": n, "what": "store.find"})
            log.close()
            expected += 400
        process = python(INGEST, metrics.database, metrics.incoming)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    metrics.ingest()
    assert metrics.rows("SELECT count(*) AS n, count(DISTINCT row_id) AS ids FROM timing") == [{"n": expected, "ids": expected}]
    assert not list(metrics.incoming.iterdir())


def test_ingestion_waits_for_a_holder_and_then_takes_the_rows(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    holder = python(HOLD, metrics.database, 1.0)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    assert metrics.take(("timing", {"count": 2}), run_id="run-2").rows == 1
    holder.communicate()


def test_a_holder_that_stays_is_reported_and_the_rows_wait(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    log = metrics.log("run-2")
    log.append("timing", {"count": 2})
    log.close()
    holder = python(HOLD, metrics.database, 60)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(StoreUnavailable, match=rf"held by another process \(PID {holder.pid}\)"):
            metrics.ingest(patience_s=0.2)
        with pytest.raises(StoreUnavailable, match=r"metrics\.duckdb is held by another process"):
            query(metrics.database, "SELECT 1", patience_s=0.2)
    finally:
        holder.kill()
        holder.communicate()
    assert (metrics.incoming / "run-2.jsonl").exists()
    assert metrics.ingest().rows == 1


def test_a_second_writer_gives_up_in_time(metrics: Metrics) -> None:
    """The writer's lock is a file lock, so a thread of this process stands for another process."""
    import fcntl

    metrics.take(("timing", {"count": 1}))
    with metrics.database.with_name("metrics.duckdb.lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="being written by another process"):
            metrics.ingest(patience_s=0.1)


@pytest.mark.parametrize("content", [b"", b"hello, I am a shopping list\n" * 400, b"SQLite format 3\x00" + bytes(4096), b"x"])
def test_a_database_that_is_none_is_named_and_the_rows_wait(metrics: Metrics, content: bytes) -> None:
    metrics.database.write_bytes(content)
    log = metrics.log()
    log.append("timing", {"count": 1})
    log.close()
    for action in (metrics.ingest, lambda: query(metrics.database, "SELECT 1")):
        with pytest.raises(StoreError, match=r"metrics database .*metrics\.duckdb is not a DuckDB database"):
            action()
    assert metrics.database.read_bytes() == content
    metrics.database.unlink()
    assert metrics.ingest().rows == 1


def test_a_damaged_database_is_named_and_the_rows_wait(metrics: Metrics) -> None:
    metrics.take(("timing", {"count": 1}))
    metrics.database.write_bytes(metrics.database.read_bytes()[:12] + b"\xff" * 9000)
    log = metrics.log("run-2")
    log.append("timing", {"count": 2})
    log.close()
    for action in (metrics.ingest, lambda: query(metrics.database, "SELECT 1")):
        with pytest.raises(StoreError, match=r"metrics database .*metrics\.duckdb cannot be opened: "):
            action()
    assert (metrics.incoming / "run-2.jsonl").exists()


def test_a_database_that_is_a_folder_is_named(metrics: Metrics) -> None:
    metrics.database.mkdir()
    with pytest.raises(StoreError, match=r"metrics\.duckdb cannot be read: Is a directory"):
        query(metrics.database, "SELECT 1")


def test_an_incoming_file_that_cannot_be_read_is_named(metrics: Metrics) -> None:
    (metrics.incoming / "folder.jsonl").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"metrics file .*folder\.jsonl fails: Is a directory"):
        metrics.ingest()


def test_a_query_before_the_first_run_says_so(metrics: Metrics) -> None:
    with pytest.raises(UnknownEntity, match="no run has been measured yet"):
        query(metrics.database, "SELECT 1")
    assert list(metrics.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "syntax error at or near"),
        ("SELECT 1 +", "syntax error at"),
        ("FROM nowhere", "Table with name nowhere does not exist! .*there are .*tokens_and_cost"),
        ("SELECT wrong FROM run", "Referenced column .wrong. not found"),
        ("SELECT ?", "Values were not provided"),
        ("SELECT CAST('a' AS INTEGER)", "Could not convert string 'a'"),
        ("", "expected one statement, got 0"),
        ("SELECT 1; SELECT 2", "expected one statement, got 2"),
        ("INSERT INTO run (row_id) VALUES ('x')", "only reads"),
        ("DROP TABLE run", "only reads"),
        ("CREATE TEMP TABLE t AS SELECT 1", "only reads"),
        ("COPY run TO 'stolen.csv'", "only reads"),
        ("EXPORT DATABASE 'stolen'", "only reads"),
        ("ATTACH 'other.duckdb'", "only reads"),
        ("SET enable_external_access = true", "only reads"),
        ("PRAGMA enable_profiling", "only reads"),
        ("INSTALL httpfs", "only reads"),
        ("LOAD httpfs", "only reads"),
        ("EXPLAIN ANALYZE INSERT INTO run (row_id, logged_at) VALUES ('x', now())", "read-only"),
        ("EXPLAIN ANALYZE COPY run TO 'stolen.csv'", "file system operations are disabled"),
        ("FROM read_text('/etc/hostname')", "file system operations are disabled"),
        ("FROM read_csv('/etc/hostname')", "file system operations are disabled"),
        ("FROM '/etc/hostname'", "does not exist"),
        ("FROM glob('/*')", "file system operations are disabled"),
        ("FROM 'https://127.0.0.1:9/x.csv'", "does not exist|disabled"),
        ("FROM secret_frame", "does not exist"),
        ("SELECT list(range) FROM range(200000000)", "allocate|memory"),
    ],
)
def test_a_query_that_fails_or_would_reach_further_is_refused_in_one_sentence(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sql: str, reason: str
) -> None:
    secret_frame = pd.DataFrame({"key": ["hidden"]})  # DuckDB would find it by its Python name if it were let
    metrics.take(("run", PROJECT))
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InvalidInput, match=reason) as caught:
        query(metrics.database, sql)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("sql is ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert len(metrics.rows("FROM run")) == len(secret_frame)


@pytest.mark.parametrize("sql", ["FROM run", "DESCRIBE run", "SHOW TABLES", "WITH a AS (SELECT 1) FROM a;", "EXPLAIN SELECT 1"])
def test_statements_that_read_are_answered(metrics: Metrics, sql: str) -> None:
    metrics.take(("run", PROJECT))
    assert len(query(metrics.database, sql)) >= 1
