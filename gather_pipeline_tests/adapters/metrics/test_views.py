"""The views' arithmetic, on rows whose sums a reader can do by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gather_pipeline.adapters.metrics.store import query
from gather_pipeline_tests.adapters.metrics.metrics_folder import database_with

METRICS = {
    "task_execution_time": "S001-MET-07",
    "success_rate": "S001-MET-08",
    "retry_attempts": "S001-MET-09",
    "queue_wait_time": "S001-MET-10",
    "iterations_per_department": "S001-MET-11",
    "items_per_iteration": "S001-MET-12",
    "quality_progression": "S001-MET-13",
    "duplicate_rate": "S001-MET-14",
    "time_to_threshold": "S001-MET-15",
    "store_query_time": "S001-MET-16",
    "brain_response_time": "S001-MET-17",
    "llm_generation_time": "S001-MET-18",
    "deduplication_time": "S001-MET-19",
}


class Measured:
    """A database made from rows, all of project p and task t1 unless they say otherwise."""

    def __init__(self, folder: Path) -> None:
        self.database, self.rows = folder / "metrics.duckdb", list[tuple[str, dict[str, Any]]]()

    def add(self, kind: str, **fields: Any) -> None:
        number = len(self.rows) + 1
        keys = {"run": {"task_id": f"t{number}"}, "call": {"execution_id": str(number)}}
        row = {"project_id": "p", "task_id": "t1", "logged_at": f"2026-03-01 12:00:{number:02}", **keys.get(kind, {})}
        self.rows.append((kind, row | fields))

    def iteration(self, department: str, iteration: int, quality: float, **fields: Any) -> None:
        counts = {"items_generated": 8, "items_created": 6, "duplicates_dropped": 1, "filtered_dropped": 1}
        times = {"generate_s": 4.0, "deduplicate_s": 0.5, "save_s": 0.25, "score_s": 1.0, "context_s": 0.25, "duration_s": 10.0}
        row = {"department": department, "iteration": iteration, "quality": quality, "threshold": 70.0}
        self.add("iteration", **(row | counts | times | {"brain_s": 0.125} | fields))

    def view(self, name: str) -> list[dict[str, Any]]:
        if not self.database.exists():
            database_with(self.database, *self.rows)
        frame = query(self.database, f"FROM {name}")
        return frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.fixture
def measured(tmp_path: Path) -> Measured:
    return Measured(tmp_path)


def picked(row: Mapping[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def test_every_view_of_the_requirements_exists_and_says_which_it_is(measured: Measured) -> None:
    measured.add("run", status="completed")
    assert len(measured.view("run")) == 1
    with duckdb.connect(measured.database, read_only=True) as connection:
        comments = dict(connection.execute("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
    assert {name: comments[name].split(":")[0] for name in METRICS} == METRICS
    assert all(comments.values())
    for name in comments:
        query(measured.database, f"FROM {name}")


def test_execution_time_is_in_seconds_a_task(measured: Measured) -> None:
    measured.add("run", status="completed", processing_time_ms=1500, started_at="2026-03-01")
    measured.add("run", status="failed", started_at="2026-03-02")
    assert [picked(row, "task_id", "seconds") for row in measured.view("task_execution_time")] == [("t1", 1.5), ("t2", None)]


def test_a_cancelled_task_is_neither_success_nor_failure_and_one_under_way_is_not_counted(measured: Measured) -> None:
    for status in ("completed", "completed", "failed", "cancelled", "running"):
        measured.add("run", status=status)
    (row,) = measured.view("success_rate")
    names = ("runs", "completed", "cancelled", "failed", "running", "success_rate", "failure_rate")
    assert picked(row, *names) == (5, 2, 1, 1, 1, 0.5, 0.25)


def test_retries_are_the_requests_beyond_the_first(measured: Measured) -> None:
    for attempts, reasks, status in ((1, 0, "ok"), (3, 2, "ok"), (4, 0, "failed"), (0, 0, "cancelled")):
        measured.add("call", department="story", definition="gather", model="m", attempts=attempts, reasks=reasks, status=status)
    (row,) = measured.view("retry_attempts")
    assert picked(row, "calls", "attempts", "retries", "reasks", "failed") == (4, 8, 5, 2, 1)


def test_an_unknown_queue_wait_is_counted_apart(measured: Measured) -> None:
    for wait in (None, 2.0, 4.0):
        measured.add("run", queue_wait_s=wait)
    (row,) = measured.view("queue_wait_time")
    assert picked(row, "runs", "known", "unknown", "average_s", "shortest_s", "longest_s") == (3, 2, 1, 3.0, 2.0, 4.0)


def test_iterations_are_counted_by_department_and_run_and_once_over_all(measured: Measured) -> None:
    for department, iteration, task in (("story", 1, "t1"), ("story", 2, "t1"), ("story", 3, "t1"), ("story", 4, "t2"), ("art", 1, "t1")):
        measured.iteration(department, iteration, 50, task_id=task)
    rows = [
        picked(row, "project_id", "department", "runs", "average", "fewest", "most") for row in measured.view("iterations_per_department")
    ]
    assert rows == [
        (None, None, 3, pytest.approx(5 / 3), 1, 3),
        ("p", None, 3, pytest.approx(5 / 3), 1, 3),
        ("p", "art", 1, 1.0, 1, 1),
        ("p", "story", 2, 2.0, 1, 3),
    ]


def test_items_are_averaged_over_the_iterations_of_a_department(measured: Measured) -> None:
    measured.iteration("story", 1, 50, items_created=9)
    measured.iteration("story", 2, 60, items_created=4)
    (row,) = measured.view("items_per_iteration")
    assert picked(row, "iterations", "items_generated", "items_created", "average", "fewest", "most") == (2, 16, 13, 6.5, 4, 9)


def test_quality_progression_gives_the_gain_over_the_iteration_before(measured: Measured) -> None:
    for iteration, quality in ((1, 50.0), (2, 72.5), (3, 70.0)):
        measured.iteration("story", iteration, quality)
    rows = [picked(row, "iteration", "gain", "reached") for row in measured.view("quality_progression")]
    assert rows == [(1, None, False), (2, 22.5, True), (3, -2.5, True)]


def test_the_duplicate_rate_of_nothing_is_unknown(measured: Measured) -> None:
    measured.iteration("story", 1, 50)
    measured.iteration("story", 2, 50, duplicates_dropped=3)
    measured.iteration("art", 1, 0, items_generated=0, items_created=0, duplicates_dropped=0, filtered_dropped=0)
    rows = [
        picked(row, "department", "generated", "kept", "duplicates", "filtered", "duplicate_rate")
        for row in measured.view("duplicate_rate")
    ]
    assert rows == [("art", 0, 0, 0, 0, None), ("story", 16, 12, 4, 2, 0.25)]


def test_time_to_threshold_ends_with_the_first_iteration_that_reaches_it(measured: Measured) -> None:
    for iteration, quality in ((1, 50.0), (2, 71.0), (3, 65.0)):
        measured.iteration("story", iteration, quality)
    measured.iteration("art", 1, 20)
    rows = [picked(row, "department", "reached", "iterations", "seconds", "seconds_worked") for row in measured.view("time_to_threshold")]
    assert rows == [("art", False, None, None, 10.0), ("story", True, 2, 20.0, 30.0)]


def test_store_and_brain_times_are_those_of_the_iterations(measured: Measured) -> None:
    measured.iteration("story", 1, 50)
    measured.iteration("story", 2, 50, save_s=0.75, brain_s=None)
    (store,) = measured.view("store_query_time")
    assert picked(store, "what", "calls", "seconds", "average_ms", "slowest_ms") == ("store.save_iteration", 2, 1.0, 500.0, 750.0)
    (brain,) = measured.view("brain_response_time")
    assert picked(brain, "what", "calls", "average_ms") == ("brain.answers", 1, 125.0)


def test_generation_time_leaves_out_calls_without_an_answer(measured: Measured) -> None:
    for latency in (1.0, 2.0, 9.0, None):
        measured.add("call", department="story", definition="gather", model="m", latency_s=latency)
    (row,) = measured.view("llm_generation_time")
    assert picked(row, "calls", "seconds", "average_s", "median_s", "slowest_s") == (3, 12.0, 4.0, 2.0, 9.0)
    assert 8 < row["p95_s"] < 9


def test_deduplication_time_is_also_given_by_item(measured: Measured) -> None:
    measured.iteration("story", 1, 50)
    measured.iteration("story", 2, 50, deduplicate_s=1.5)
    (row,) = measured.view("deduplication_time")
    assert picked(row, "iterations", "seconds", "average_s", "slowest_s", "average_ms_per_item") == (2, 2.0, 1.0, 1.5, 125.0)


def test_unknown_tokens_and_cost_are_counted_apart_and_never_as_zero(measured: Measured) -> None:
    measured.add("call", department="story", model="m", prompt_tokens=10, completion_tokens=5, cost=0.5)
    measured.add("call", department="story", model="m", prompt_tokens=7, completion_tokens=None, cost=None)
    measured.add("call", department="story", model="n", prompt_tokens=None, completion_tokens=None, cost=None)
    names = ("model", "calls", "tokens", "calls_with_unknown_tokens", "cost", "calls_with_unknown_cost")
    rows = [picked(row, *names) for row in measured.view("tokens_and_cost")]
    assert rows == [("m", 2, 22, 1, 0.5, 1), ("n", 1, None, 1, None, 1)]


def test_the_departments_of_a_report_stand_in_the_order_in_which_they_ran(measured: Measured) -> None:
    measured.iteration("story", 1, 50)
    measured.iteration("art", 1, 65)
    measured.iteration("story", 2, 75, ended_by="threshold")
    measured.add("call", department="story", model="m", prompt_tokens=10, completion_tokens=5, cost=0.5)
    measured.add("call", department="story", model="n", prompt_tokens=1, completion_tokens=1, cost=None)
    names = ("department", "quality", "reached", "iterations", "kept", "duplicates", "filtered", "tokens", "cost", "minutes", "ended_by")
    rows = [picked(row, *names) for row in measured.view("report_departments")]
    assert rows == [
        ("story", 75.0, True, 2, 12, 2, 2, 17, 0.5, pytest.approx(1 / 3), "threshold"),
        ("art", 65.0, False, 1, 6, 1, 1, None, None, pytest.approx(1 / 6), None),
    ]


def test_a_department_that_goes_on_has_not_ended(measured: Measured) -> None:
    """A budget ended it in one run, the next run went on."""
    measured.iteration("story", 1, 50, ended_by="budget")
    measured.iteration("story", 2, 55)
    assert measured.view("report_departments")[0]["ended_by"] is None


def test_spending_holds_the_parts_of_the_time_and_calls_of_no_department(measured: Measured) -> None:
    measured.iteration("story", 1, 50)
    measured.add("call", department="story", model="m", prompt_tokens=10, completion_tokens=5, cost=0.5)
    measured.add("call", department=None, model="m", prompt_tokens=1, completion_tokens=2, cost=None)
    names = ("department", "calls", "prompt_tokens", "completion_tokens", "calls_with_unknown_cost", "generate_s", "other_s", "duration_s")
    rows = [picked(row, *names) for row in measured.view("report_spending")]
    assert rows == [("story", 1, 10, 5, 0, 4.0, 4.0, 10.0), (None, 1, 1, 2, 1, None, None, None)]
