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


def written(folder: Path) -> Path:
    """The one file that a log has made."""
    (path,) = (folder / "incoming").iterdir()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_row_is_on_disk_as_one_line_before_append_returns(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.append("call", {"model": "embedded", "cost": None})
    log.append("timing", {"what": "store.find"})
    stem = written(tmp_path).stem
    assert lines(written(tmp_path)) == [
        {"row_id": f"{stem}:1", "kind": "call", "at": FixedClock().now(), "fields": {"model": "embedded", "cost": None}},
        {"row_id": f"{stem}:2", "kind": "timing", "at": FixedClock().now(), "fields": {"what": "store.find"}},
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
    with pytest.raises(ValueError, match="run-1.* is closed"):
        log.append("call", {})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float64(0.5), 0.5),
        (float("nan"), None),
        (float("-inf"), None),
        ((1, {2}), [1, [2]]),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (Path("a/b"), "a/b"),
        ({1: "x"}, {"1": "x"}),
        ("two\nlines \u2028 and \x00", "two\nlines \u2028 and \x00"),
    ],
    ids=str,
)
def test_every_value_becomes_strict_json_on_one_line(tmp_path: Path, value: object, kept: object) -> None:
    log = make_log(tmp_path)
    log.append("call", {"value": value})
    log.close()
    data = written(tmp_path).read_bytes()
    assert data.count(b"\n") == 1
    assert json.loads(data)["fields"] == {"value": kept}


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
    rows = lines(written(tmp_path))
    assert [row["row_id"].split(":")[1] for row in rows] == [str(n) for n in range(1, 401)]
    assert sorted(row["fields"]["thread"] for row in rows) == sorted(list(range(8)) * 50)


def test_a_second_log_of_one_run_has_a_file_and_row_ids_of_its_own(tmp_path: Path) -> None:
    """Two steps of one Dagster run are two processes with one run id."""
    first, second = make_log(tmp_path), make_log(tmp_path)
    first.append("call", {})
    second.append("call", {})
    first.close()
    second.close()
    ids = [lines(path)[0]["row_id"] for path in (tmp_path / "incoming").iterdir()]
    assert len(set(ids)) == 2
    assert all(id.startswith("run-1.") for id in ids)


def test_the_file_is_locked_until_close(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.append("call", {})
    with written(tmp_path).open("rb") as file:
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
    path = written(tmp_path)
    assert [row["fields"]["count"] for row in lines(path)] == list(range(100))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "incoming").write_text("not a folder")
    with pytest.raises(StoreError, match=r"metrics file .*run-1.*\.jsonl cannot be written"):
        make_log(tmp_path).append("call", {})


def test_a_full_disk_is_named_and_leaves_no_half_row(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: the system takes the first part of a row and refuses the rest."""
    log = make_log(tmp_path)
    log.append("call", {"text": "short"})
    path = written(tmp_path)
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
    assert [row["row_id"] for row in lines(path)] == [f"{path.stem}:1", f"{path.stem}:2"]
