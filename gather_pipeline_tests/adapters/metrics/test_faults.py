"""The metrics database under several processes, kills, damage and queries that may not be."""

from __future__ import annotations

import random
import re
import resource
import signal
import threading
import time
from pathlib import Path
from typing import Never

import pandas as pd
import pytest

from gather_pipeline.adapters.metrics import store
from gather_pipeline.adapters.metrics.store import query
from gather_pipeline.errors import InvalidInput, StoreError, StoreFull, StoreUnavailable, UnknownEntity
from gather_pipeline_tests.adapters.metrics.metrics_folder import HOLD, INGEST, KILLED_AT_THE_MOVE, Metrics, python


def test_several_processes_at_once_take_every_row_once(metrics: Metrics) -> None:
    metrics.happened(*range(1, 1201))
    metrics.ran("t1", "running")
    processes = [python(INGEST, metrics.folder.parent) for _ in range(4)]
    taken = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], taken
    assert sum(int(out.split()[-1]) for out, _ in taken) == 1201
    assert metrics.sequences() == list(range(1, 1201))


def test_threads_of_one_process_may_ingest_and_query_at_once(metrics: Metrics) -> None:
    metrics.ran("t1", "running")
    metrics.ingest()
    faults: list[Exception] = []

    def work(number: int) -> None:
        try:
            metrics.happened(number)
            metrics.ingest()
            query(metrics.database, "SELECT count(*) FROM event", patience_s=20)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert metrics.sequences() == [1, 2, 3, 4, 5, 6]


def test_an_ingestion_killed_before_it_moves_its_database_in_place_loses_and_doubles_nothing(metrics: Metrics) -> None:
    metrics.ran("t1", "running")
    metrics.happened(*range(1, 401))
    process = python(KILLED_AT_THE_MOVE, metrics.folder.parent)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert not metrics.database.exists()
    metrics.ingest()
    assert metrics.sequences() == list(range(1, 401))


@pytest.mark.storm
def test_a_kill_at_any_point_of_an_ingestion_loses_and_doubles_nothing(metrics: Metrics) -> None:
    """Includes the making of the database."""
    random.seed(7)
    metrics.ran("t1", "running")
    for attempt in range(8):
        metrics.happened(*range(attempt * 1200 + 1, attempt * 1200 + 1201))
        process = python(INGEST, metrics.folder.parent)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(random.uniform(0.0, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    metrics.ingest()
    assert metrics.sequences() == list(range(1, 9601))


def test_ctrl_c_while_duckdb_is_at_work_is_ctrl_c(tmp_path: Path) -> None:
    def interrupted(seen: object) -> Never:
        raise RuntimeError("Query interrupted")  # as DuckDB has it

    with pytest.raises(KeyboardInterrupt):
        store.ingest(tmp_path / "metrics.duckdb", interrupted)


def test_ingestion_waits_for_a_holder_and_then_takes_the_rows(metrics: Metrics) -> None:
    metrics.ran("t1", "running")
    metrics.ingest()
    holder = python(HOLD, metrics.database, 1.0)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    metrics.happened(1)
    assert metrics.ingest().rows == 1
    holder.communicate()


def test_a_holder_that_stays_is_reported_and_the_rows_wait(metrics: Metrics) -> None:
    metrics.ran("t1", "running")
    metrics.ingest()
    metrics.happened(1)
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
    assert metrics.ingest().rows == 1


def test_a_second_writer_gives_up_in_time(metrics: Metrics) -> None:
    """The writer's lock is a file lock, so a thread of this process stands for another process."""
    import fcntl

    metrics.ran("t1", "running")
    metrics.ingest()
    with metrics.database.with_name("metrics.duckdb.lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="being written by another process"):
            metrics.ingest(patience_s=0.1)


WHAT_TO_DO = "move it away: the next command that reads it makes it anew from the store"


@pytest.mark.parametrize("content", [b"", b"hello, I am a shopping list\n" * 400, b"SQLite format 3\x00" + bytes(4096), b"x"])
def test_a_database_that_is_none_is_named_with_what_to_do(metrics: Metrics, content: bytes) -> None:
    metrics.ran("t1", "completed")
    metrics.folder.mkdir()
    metrics.database.write_bytes(content)
    for action in (metrics.ingest, lambda: query(metrics.database, "SELECT 1")):
        with pytest.raises(StoreError, match=rf"^metrics database .*metrics\.duckdb is not a DuckDB database; .*{WHAT_TO_DO}$"):
            action()
    assert metrics.database.read_bytes() == content
    metrics.database.unlink()
    assert metrics.ingest().rows == 1


def test_a_damaged_database_is_named_with_what_to_do(metrics: Metrics) -> None:
    """Wherever it is damaged: one sentence, when it is opened or once a query meets the place."""
    metrics.ran("t1", "completed")
    metrics.happened(*range(1, 301))
    metrics.ingest()
    whole, refusals = metrics.database.read_bytes(), []
    for place in (12, 4096, *range(16_384, len(whole), 262_144)):
        metrics.database.write_bytes(whole[:place] + b"\xff" * 99 + whole[place + 99 :])
        try:
            query(metrics.database, "SELECT sum(length(payload::VARCHAR)), max(type) FROM event")
        except StoreError as error:
            refusals.append(str(error))
    assert {refusal.partition(" (")[0].split()[-1] for refusal in refusals} == {"opened", "read"}
    assert all(re.fullmatch(rf"metrics database .*metrics\.duckdb cannot be .*{WHAT_TO_DO}", refusal) for refusal in refusals)


def test_a_database_that_is_a_folder_is_named(metrics: Metrics) -> None:
    metrics.database.mkdir(parents=True)
    with pytest.raises(StoreError, match=r"metrics\.duckdb cannot be read: Is a directory"):
        query(metrics.database, "SELECT 1")


def test_a_file_in_place_of_the_metrics_folder_is_named(metrics: Metrics) -> None:
    metrics.ran("t1", "completed")
    metrics.folder.write_text("in the way")
    with pytest.raises(StoreError, match=r"metrics database .*metrics\.duckdb cannot be .*metrics.*(File exists|Not a directory)"):
        metrics.ingest()


def test_a_disk_that_takes_no_more_is_told_in_a_sentence_and_the_next_ingestion_goes_on(metrics: Metrics) -> None:
    """A limit on the size of files stands for the full disk."""
    metrics.ran("t1", "completed")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(StoreFull, match=r"^metrics database .*metrics\.duckdb.* cannot be .*File too large") as caught:
            metrics.ingest()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert metrics.ingest().rows == 1


def test_a_query_before_the_first_run_says_so(metrics: Metrics) -> None:
    with pytest.raises(UnknownEntity, match="no run has been measured yet"):
        query(metrics.database, "SELECT 1")
    assert not metrics.folder.exists()


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
        ("INSERT INTO run (task_id) VALUES ('x')", "only reads"),
        ("DROP TABLE run", "only reads"),
        ("CREATE TEMP TABLE t AS SELECT 1", "only reads"),
        ("COPY run TO 'stolen.csv'", "only reads"),
        ("EXPORT DATABASE 'stolen'", "only reads"),
        ("ATTACH 'other.duckdb'", "only reads"),
        ("SET enable_external_access = true", "only reads"),
        ("PRAGMA enable_profiling", "only reads"),
        ("INSTALL httpfs", "only reads"),
        ("LOAD httpfs", "only reads"),
        ("EXPLAIN ANALYZE INSERT INTO run (task_id) VALUES ('x')", "read-only"),
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
    metrics.ran("t1", "completed")
    metrics.ingest()
    monkeypatch.chdir(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(InvalidInput, match=reason) as caught:
        query(metrics.database, sql)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("sql is ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == before
    assert len(metrics.rows("FROM run")) == len(secret_frame)


def test_a_query_that_takes_too_long_is_ended_and_the_next_one_answered(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.ran("t1", "completed")
    metrics.ingest()
    with monkeypatch.context() as patch, pytest.raises(InvalidInput, match=r"takes more than 0\.2 s"):
        patch.setattr(store, "MOST_SECONDS", 0.2)
        query(metrics.database, "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b")
    assert len(metrics.rows("FROM run")) == 1


@pytest.mark.parametrize(
    "sql", ["FROM run", "DESCRIBE run", "SHOW TABLES", "WITH a AS (SELECT 1) FROM a;", "EXPLAIN SELECT 1", "SELECT '\udce9'"]
)
def test_statements_that_read_are_answered(metrics: Metrics, sql: str) -> None:
    metrics.ran("t1", "completed")
    metrics.ingest()
    assert len(query(metrics.database, sql)) >= 1
