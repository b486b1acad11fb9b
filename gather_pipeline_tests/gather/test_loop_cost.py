"""What makes the loop cheap changes nothing that it stores: scores are a fresh scorer's, and records stand before their iteration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.departments import department_of
from gather_pipeline.quality.scorer import measure
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline_tests.harness import BRIEF, Studio, department_row


def test_every_iteration_stored_the_score_that_a_fresh_scorer_gives_for_its_items(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=5), department_row("music", 2, most=4)])
    studio.run(max_iterations=9)
    studio.run("task-2", max_iterations=9)
    for slug in ("story", "music"):
        department, items = department_of(studio.services.departments.departments(), slug), studio.view.items_of(slug)
        iterations = studio.view.history(slug)
        assert len(iterations) >= 4
        for iteration in iterations:
            then = [item for item in items if item.iteration <= iteration.number]
            expected = measure(department, then, HashingEmbedder(), brief=BRIEF)
            assert iteration.quality == expected
    studio.close()


def test_a_committed_iteration_never_lacks_the_record_of_one_of_its_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio.open(tmp_path)
    commit, seen = ProjectRecords.commit, list[int]()

    def looked(records: ProjectRecords, iteration: Any, lease: Any) -> None:
        tags = [row["tags"] for row in studio.documents("executions")]
        own = [tag for tag in tags if (tag["department"], tag["iteration"]) == (iteration.department, iteration.number)]
        own_events = [event for event in records.events() if event.fields.get("department") == iteration.department]
        events = [(event.type, event.fields.get("iteration")) for event in own_events]
        assert ("deduplicating", iteration.number) in events
        assert ("iteration_complete", iteration.number) not in events
        seen.append(len(own))
        commit(records, iteration, lease)

    monkeypatch.setattr(ProjectRecords, "commit", looked)
    assert studio.run().status == "completed"
    assert seen == [5] * 6
    studio.close()


def test_events_and_executions_of_a_slow_iteration_are_stored_while_it_still_runs(tmp_path: Path) -> None:
    """A killed process must not take the record of calls with it that were answered long before."""
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)], script_latency_s=0.02, concurrency=1)
    found: list[int] = []

    def look() -> None:
        time.sleep(0.5)  # in the middle of the last call: longer than any record waits
        found.append(len(studio.documents("executions")))

    studio.model.at[5] = look
    studio.run(max_tokens=10**9)  # with a brake no more calls are under way than `concurrency` says
    assert found == [4]
    studio.close()
