"""A folder of measurements with its database, for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.metrics.log import JsonlMetricsLog
from gather_pipeline.adapters.metrics.store import IngestReport, ingest, query

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
from gather_pipeline.adapters.metrics.store import ingest
print("ready", flush=True)
print(ingest(Path(sys.argv[1]), Path(sys.argv[2]), patience_s=60).rows, flush=True)
"""
KILLED_AT_A_MOVE = f"""
import os, signal, sys
moved = sys.argv.pop()
def kill(event, args):
    if event == "os.rename" and os.path.basename(args[1]).startswith(moved):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(kill)
{INGEST}"""
HOLD = """
import sys, duckdb, time
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.close()
"""
