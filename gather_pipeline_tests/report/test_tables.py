"""Frames in the order in which departments ran, and plain values for JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.report.tables import report_tables, rows
from gather_pipeline_tests.report.measured import ITERATION, measure, measure_sample, read


def test_departments_stand_in_the_order_in_which_they_ran_in_every_table(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    tables = read(tmp_path)
    assert list(tables.departments["department"]) == ["story", "art"]
    assert list(tables.iterations["department"]) == ["story", "story", "art"]
    assert list(tables.iterations["iteration"]) == [1, 2, 1]
    assert list(tables.kept["department"]) == ["story", "art"]
    assert list(tables.spending["department"]) == ["story", "art"]


def test_the_dictionary_is_json_with_null_for_unknown_and_utc_times(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    document = json.loads(json.dumps(read(tmp_path).to_dict(), allow_nan=False))
    story, art = document["departments"]
    assert story["reached"] is True
    assert (story["quality"], story["threshold"], story["iterations"], story["kept"]) == (64.0, 62.0, 2, 12)
    assert (story["duplicates"], story["filtered"], story["tokens"], story["cost"], story["minutes"]) == (2, 2, 1234, 0.0, 0.5)
    assert (art["reached"], art["tokens"], art["calls_with_unknown_tokens"], art["cost"], art["ended_by"]) == (
        False,
        550,
        1,
        None,
        "maxIterations",
    )
    assert [row["gain"] for row in document["iterations"]] == [None, 8.5, None]
    assert document["kept"][0]["duplicate_rate"] == 0.125
    (run,) = document["runs"]
    assert (run["started_at"], run["minutes"], run["tokens"], run["queue_wait_s"]) == ("2026-03-01T10:00:00+00:00", 0.75, None, None)
    assert document["project_id"] == "skerra"


def test_a_project_without_measurements_has_empty_tables_with_their_columns(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    tables, full = read(tmp_path, "nobody"), read(tmp_path)
    for field in fields(tables):
        if field.name != "project_id":
            assert len(getattr(tables, field.name)) == 0
            assert list(getattr(tables, field.name).columns) == list(getattr(full, field.name).columns)
    assert tables.to_dict() == {
        "project_id": "nobody",
        "departments": [],
        "iterations": [],
        "kept": [],
        "spending": [],
        "runs": [],
    }


def test_another_project_is_not_mixed_in(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    measure(tmp_path, ("iteration", {**ITERATION, "project_id": "other", "department": "story", "iteration": 1, "quality": 1.0}))
    assert read(tmp_path).to_dict()["departments"][0]["quality"] == 64.0
    assert len(read(tmp_path, "other").iterations) == 1


def test_a_project_id_with_a_quote_never_reaches_the_database() -> None:
    def unused(sql: str) -> pd.DataFrame:
        raise AssertionError(sql)

    with pytest.raises(InvalidInput, match="project id is"):
        report_tables(unused, "x' OR 'a'='a")


def test_what_the_reader_raises_goes_through(tmp_path: Path) -> None:
    with pytest.raises(UnknownEntity, match="no run has been measured yet"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (True, True),
        (3, 3),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (Decimal("1.25"), 1.25),
        (np.array([1.0, float("nan")]), [1.0, None]),
        ([np.array([1])], [[1]]),
        ({"a": np.int64(1), 2: None}, {"a": 1, "2": None}),
        (b"\x00\xff", "00ff"),
        (bytearray(b"x"), "78"),
        (pd.Timestamp("2026-01-02 03:04:05"), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=2), 120.0),
        (pd.Timedelta(seconds=3), 3.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("text", "text"),
    ],
    ids=repr,
)
def test_a_value_becomes_what_json_can_hold(value: Any, wanted: Any) -> None:
    (row,) = rows(pd.DataFrame({"value": pd.Series([value], dtype=object)}))
    assert row == {"value": wanted}
    json.dumps(row, allow_nan=False)


def test_a_frame_becomes_rows() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, None], "t": pd.to_datetime(["2026-01-01", None])})
    assert rows(frame) == [{"a": 1, "b": 0.5, "t": "2026-01-01T00:00:00+00:00"}, {"a": 2, "b": None, "t": None}]
