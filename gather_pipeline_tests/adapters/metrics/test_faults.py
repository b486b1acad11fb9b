"""The metrics database under several processes, kills, damage and queries that may not be."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from gather_pipeline.adapters.metrics.store import query
from gather_pipeline.errors import InvalidInput, StoreError, StoreUnavailable, UnknownEntity
from gather_pipeline_tests.adapters.metrics.metrics_folder import HOLD, INGEST, KILLED_AT_A_MOVE, PROJECT, Metrics, python


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


@pytest.mark.parametrize("moved", ["metrics.duckdb", "run-1."], ids=["made and not in its place", "taken and not in the archive"])
def test_an_ingestion_killed_before_it_moves_a_file_loses_and_doubles_nothing(metrics: Metrics, moved: str) -> None:
    log = metrics.log()
    for n in range(400):
        log.append("timing", {"count": n})
    log.close()
    process = python(KILLED_AT_A_MOVE, metrics.database, metrics.incoming, moved)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    metrics.ingest()
    assert metrics.rows("SELECT count(*) AS n, count(DISTINCT row_id) AS ids FROM timing") == [{"n": 400, "ids": 400}]
    assert not list(metrics.incoming.iterdir())


@pytest.mark.storm
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
    assert [path.name.split(".")[0] for path in metrics.incoming.iterdir()] == ["run-2"]
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
    assert [path.name.split(".")[0] for path in metrics.incoming.iterdir()] == ["run-2"]


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
        ("SELECT list(range) FROM range(200000000)", "takes more than 150 MB"),
        ("FROM range(100000000)", "its answer has more than 50000 rows"),
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
