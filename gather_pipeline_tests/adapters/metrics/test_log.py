"""The line files: whole lines, own names, and locks that tell ingestion who still writes."""

from __future__ import annotations

import fcntl
import json
import resource
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gather_pipeline.adapters.metrics.log import JsonlMetricsLog
from gather_pipeline.adapters.metrics.measurements import Measurement
from gather_pipeline.errors import InvalidInput, StoreError


class FixedClock:
    """Always the same moment."""

    def now(self) -> str:
        return "2026-03-01T10:00:00.000000+00:00"

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return None


def make_log(folder: Path, run_id: str = "run-1") -> JsonlMetricsLog:
    return JsonlMetricsLog(folder, run_id, FixedClock())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_row_is_on_disk_as_one_line_before_append_returns(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.append("call", {"model": "embedded", "cost": None})
    log.append("timing", {"what": "store.find"})
    assert lines(tmp_path / "incoming" / "run-1.jsonl") == [
        {"row_id": "run-1:1", "kind": "call", "at": FixedClock().now(), "fields": {"model": "embedded", "cost": None}},
        {"row_id": "run-1:2", "kind": "timing", "at": FixedClock().now(), "fields": {"what": "store.find"}},
    ]
    log.close()


def test_a_log_without_rows_leaves_no_file_and_closes_twice(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.close()
    log.close()
    assert list(tmp_path.iterdir()) == []


def test_a_row_after_close_is_a_fault_of_the_caller(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.close()
    with pytest.raises(ValueError, match="run-1 is closed"):
        log.append("call", {})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (float("nan"), None),
        (float("-inf"), None),
        ((1, {2}), [1, [2]]),
        (np.array([1.0, np.nan]), [1.0, None]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Path("a/b"), "a/b"),
        ({1: "x"}, {"1": "x"}),
        ("half a \ud83d", "half a ?"),
        ("two\nlines \u2028 and \x00", "two\nlines \u2028 and \x00"),
    ],
    ids=str,
)
def test_every_value_becomes_strict_json_on_one_line(tmp_path: Path, value: object, kept: object) -> None:
    log = make_log(tmp_path)
    log.append("call", {"value": value})
    log.close()
    data = (tmp_path / "incoming" / "run-1.jsonl").read_bytes()
    assert data.count(b"\n") == 1
    assert Measurement.from_line(data).fields == {"value": kept}


@pytest.mark.parametrize("run_id", ["", "../x", "a/b", "a.b", ".hidden", "x" * 129, "a\n"])
def test_a_run_id_that_is_no_file_name_is_refused(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(InvalidInput, match="run id is"):
        make_log(tmp_path, run_id)


def test_threads_share_a_log_without_mixing_lines(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    threads = [
        threading.Thread(target=lambda n=n: [log.append("timing", {"thread": n, "text": "x" * 500}) for _ in range(50)]) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    rows = lines(tmp_path / "incoming" / "run-1.jsonl")
    assert [row["row_id"] for row in rows] == [f"run-1:{n}" for n in range(1, 401)]
    assert sorted(row["fields"]["thread"] for row in rows) == sorted(list(range(8)) * 50)


def test_a_second_log_of_one_run_takes_a_name_and_row_ids_of_its_own(tmp_path: Path) -> None:
    """Two steps of one Dagster run are two processes with one run id."""
    first, second = make_log(tmp_path), make_log(tmp_path)
    first.append("call", {})
    second.append("call", {})
    first.close()
    second.close()
    assert [lines(tmp_path / "incoming" / name)[0]["row_id"] for name in ("run-1.jsonl", "run-1.2.jsonl")] == [
        "run-1:1",
        "run-1.2:1",
    ]


def test_a_name_that_the_archive_has_is_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "run-1.jsonl").write_text("old\n")
    log = make_log(tmp_path)
    log.append("call", {})
    log.close()
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == ["run-1.2.jsonl"]


def test_the_file_is_locked_until_close(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.append("call", {})
    with (tmp_path / "incoming" / "run-1.jsonl").open("rb") as file:
        with pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_killed_process_loses_no_appended_row_and_its_lock(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from gather_pipeline.adapters.metrics.log import JsonlMetricsLog
class Clock:
    def now(self): return "2026-03-01T10:00:00+00:00"
log = JsonlMetricsLog(Path({str(tmp_path)!r}), "killed", Clock())
for n in range(100):
    log.append("timing", {{"count": n}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    path = tmp_path / "incoming" / "killed.jsonl"
    assert [row["fields"]["count"] for row in lines(path)] == list(range(100))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "incoming").write_text("not a folder")
    with pytest.raises(StoreError, match=r"metrics file .*run-1\.jsonl cannot be written"):
        make_log(tmp_path).append("call", {})


def test_a_full_disk_is_named_and_leaves_no_half_row(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the system takes the first part of a row and refuses the rest."""
    log = make_log(tmp_path)
    log.append("call", {"text": "short"})
    path = tmp_path / "incoming" / "run-1.jsonl"
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
        with pytest.raises(StoreError, match="cannot be written: File too large"):
            log.append("call", {"text": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    log.append("call", {"text": "after"})
    log.close()
    assert [row["row_id"] for row in lines(path)] == ["run-1:1", "run-1:2"]
