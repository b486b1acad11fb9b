"""Holds what is told of a studio's runs against what its store knows of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gather_pipeline.upkeep.events import ENDS
from gather_pipeline_tests.harness import Studio


def rows(studio: Studio, sql: str) -> Counter[tuple[Any, ...]]:
    """What the metrics answer, brought up to date."""
    studio.services.metrics.ingest()
    frame = studio.services.metrics.query(sql)
    return Counter(tuple(row) for row in frame.astype(object).where(frame.notna(), None).to_numpy().tolist())


def check_metrics(studio: Studio) -> None:
    """The metrics hold what the store does, each thing once."""
    runs, view = studio.services.runs.of_project(studio.project_id), studio.view
    assert rows(studio, "SELECT task_id, status, reason FROM run") == Counter((run.task_id, run.status, run.reason) for run in runs)
    iterations = Counter(
        (one.task_id, one.department, one.number, one.score, one.threshold, len(one.item_ids), one.tokens, one.ended_by)
        for one in view.iterations
    )
    columns = "task_id, department, iteration, quality, threshold, items_created, tokens, ended_by"
    assert rows(studio, f"SELECT {columns} FROM iteration") == iterations
    calls = Counter((one["_id"], one["tags"]["department"], one["reasks"]) for one in studio.documents("executions"))
    assert rows(studio, "SELECT execution_id, department, reasks FROM call") == calls
    events = Counter((event.sequence, event.task_id, event.type) for event in studio.records.events())
    assert rows(studio, "SELECT sequence, task_id, type FROM event") == events


def check_events(studio: Studio) -> None:
    """Every run that has ended, every iteration, department's end and evaluation is told of once, in an order without gaps."""
    events, view = studio.records.events(), studio.view
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))

    def told(*types: str) -> Counter[tuple[Any, ...]]:
        found = [event for event in events if event.type in types]
        return Counter((one.task_id, one.type, one.fields.get("department"), one.fields.get("iteration")) for one in found)

    assert told("iteration_complete") == Counter((one.task_id, "iteration_complete", one.department, one.number) for one in view.iterations)
    ends = {(one.task_id, "department_complete", one.department, None) for one in view.iterations if one.ended_by is not None}
    assert ends <= told("department_complete").keys() and set(told("department_complete").values()) <= {1}
    scores = {(one.task_id, "evaluation_triggered", one.department, None) for one in view.scores.values()}
    assert scores <= told("evaluation_triggered").keys() and set(told("evaluation_triggered").values()) <= {1}
    runs = studio.services.runs.of_project(studio.project_id)
    assert told(*ENDS.values()) == Counter((run.task_id, ENDS[run.status], None, None) for run in runs)
