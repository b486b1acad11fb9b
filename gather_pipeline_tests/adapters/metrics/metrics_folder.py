"""A folder with a document store and the metrics database made from it, for tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic_core import to_json

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.adapters.metrics.store import SCHEMA, IngestReport, ingest, query
from gather_pipeline.domain.projects import project_database
from gather_pipeline.ports import Document
from gather_pipeline.records.changes import read_changes

MAIN, PROJECT = "main", "harbour"


class Metrics:
    """A store with project `harbour`, and its metrics."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder / "metrics", folder / "metrics" / "metrics.duckdb"
        self.open()
        self.store.insert_many(MAIN, "projects", [{"_id": PROJECT, "name": "Harbour", "brief": "", "created_at": "2026-03-01"}])

    def open(self) -> None:
        """Opens the store, again where its folder was changed."""
        self.store = SqliteStore(self.folder.parent / "store")

    def happened(self, *sequences: int) -> None:
        """Stores events of these numbers."""
        rows: list[Document] = [
            {
                "_id": f"{number:012d}",
                "type": "deduplicating",
                "department": "story",
                "project_id": PROJECT,
                "task_id": "t1",
                "sequence": number,
                "at": "2026-03-01T12:00:00+02:00",
            }
            for number in sequences
        ]
        self.store.insert_many(project_database(PROJECT), "events", rows)

    def ran(self, task_id: str, status: str, **fields: Any) -> None:
        """Notes a run."""
        row = {"_id": task_id, "project_id": PROJECT, "status": status, "started_at": "2026-03-01T12:00:00+02:00", **fields}
        self.store.upsert(MAIN, "runs", row)

    def ingest(self, patience_s: float = 20.0) -> IngestReport:
        return ingest(self.database, partial(read_changes, self.store, MAIN), patience_s=patience_s)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        frame = query(self.database, sql)
        return frame.astype(object).where(frame.notna(), None).to_dict("records")

    def sequences(self) -> list[int]:
        """Numbers of the events in the metrics, each as often as it is there."""
        return [row["sequence"] for row in self.rows("SELECT sequence FROM event ORDER BY sequence")]


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path)


def database_with(database: Path, *rows: tuple[str, Mapping[str, Any]]) -> None:
    """Makes or fills a metrics database with these rows of its tables, for tests of what its views make of them."""
    scripts = () if database.exists() else SCHEMA
    with duckdb.connect(database) as connection:
        for script in scripts:
            connection.execute((resources.files("gather_pipeline.adapters.metrics") / "sql" / f"{script}.sql").read_text())
        columns = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $1"
        for table, row in rows:
            shape = to_json([dict(connection.execute(columns, [table]).fetchall())]).decode()
            insert = f"INSERT INTO {table} SELECT unnest(from_json($1, '{shape}'), recursive := true)"
            connection.execute(insert, [to_json([row]).decode()])


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


INGEST = """
import sys
from functools import partial
from pathlib import Path
import duckdb, pandas  # the slow part, so that a kill after "ready" falls into the ingestion
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.adapters.metrics.store import ingest
from gather_pipeline.records.changes import read_changes
store = SqliteStore(Path(sys.argv[1]) / "store")
print("ready", flush=True)
print(ingest(Path(sys.argv[1]) / "metrics" / "metrics.duckdb", partial(read_changes, store, "main"), patience_s=60).rows, flush=True)
"""
KILLED_AT_THE_MOVE = f"""
import os, signal, sys
def kill(event, args):
    if event == "os.rename" and os.path.basename(args[1]) == "metrics.duckdb":
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
