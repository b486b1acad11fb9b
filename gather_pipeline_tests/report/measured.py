"""A small measured project: two departments, three iterations, one run, one call without tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.metrics.store import query
from gather_pipeline.report.tables import ReportTables, report_tables
from gather_pipeline_tests.adapters.metrics.metrics_folder import database_with

ITERATION = {
    "threshold": 62.0,
    "coverage": 60.0,
    "depth": 50.0,
    "coherence": 70.0,
    "actionability": 40.0,
    "items_generated": 8,
    "items_created": 6,
    "duplicates_dropped": 1,
    "filtered_dropped": 1,
    "generate_s": 12.0,
    "deduplicate_s": 0.5,
    "save_s": 0.25,
    "score_s": 1.0,
    "context_s": 0.25,
    "duration_s": 15.0,
}


def measure(folder: Path, *rows: tuple[str, dict[str, Any]]) -> None:
    """Makes or fills a metrics database with rows of project `skerra`, task `t1`."""
    keys = {"project_id": "skerra", "task_id": "t1"}
    full = [(kind, {**keys, "execution_id": uuid4().hex, "logged_at": SystemClock().now(), **row}) for kind, row in rows]
    database_with(folder / "metrics.duckdb", *full)


def measure_sample(folder: Path) -> None:
    """Department story ran first and reached its threshold; art did not, and one of its calls does not say its tokens."""
    measure(
        folder,
        ("iteration", {**ITERATION, "department": "story", "iteration": 1, "quality": 55.5}),
        ("iteration", {**ITERATION, "department": "story", "iteration": 2, "quality": 64.0, "ended_by": "threshold"}),
        ("iteration", {**ITERATION, "department": "art", "iteration": 1, "quality": 40.0, "ended_by": "maxIterations"}),
        ("call", {"department": "story", "model": "m", "prompt_tokens": 1000, "completion_tokens": 234, "cost": 0.0}),
        ("call", {"department": "art", "model": "m", "prompt_tokens": 500, "completion_tokens": 50, "cost": None}),
        ("call", {"department": "art", "model": "m", "prompt_tokens": None, "completion_tokens": None, "cost": None}),
        ("run", {"status": "completed", "started_at": "2026-03-01T10:00:00", "processing_time_ms": 45_000, "tokens": None}),
    )


def read(folder: Path, project_id: str = "skerra") -> ReportTables:
    def answer(sql: str) -> pd.DataFrame:
        return query(folder / "metrics.duckdb", sql)

    return report_tables(answer, project_id)
