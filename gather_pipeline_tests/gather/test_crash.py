"""kill -9 at any point: the next run goes on from what is stored, redoes no finished department, stores nothing twice (S001-ERR-06).

Which notes a prompt knows depends on which answers had come when it was made, so two runs need not end with the same texts, and are not
compared. What was committed before a kill stays as it is, and each department ends with all of its iterations, each stored once and whole.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.domain.projects import project_database
from gather_pipeline_tests.harness import PROJECT
from gather_pipeline_tests.kill_points import KillPoint, run_until
from gather_pipeline_tests.mongo_server import drop
from gather_pipeline_tests.surveys import Place, check_the_end, survey

# The order of writes: the run is noted; each iteration opens its row, stores notes, vectors and decisions, and commits all by that row;
# after a department's last iteration its score and its draft; at last the run's end.
POINTS = {
    "the run is noted and nothing made": KillPoint("after", "runs"),
    "opened and nothing stored": KillPoint("after", "iterations"),
    "notes without vectors": KillPoint("after", "gather"),
    "vectors without decisions": KillPoint("after", "embeddings"),
    "everything but the commit": KillPoint("before", "iterations", 2),
    "committed and not told": KillPoint("after", "iterations", 2),
    "notes of the second iteration": KillPoint("after", "gather", 2),
    "a department at its end without score": KillPoint("before", "quality_scores"),
    "scored without draft": KillPoint("before", "drafts"),
    "the first of three departments done": KillPoint("after", "drafts"),
    "the second department's commit": KillPoint("before", "iterations", 6),
    "everything but the run's end": KillPoint("before", "runs", 2),
    "ended with its lease still held": KillPoint("after", "runs", 2),
}
ON_A_SERVER = ("notes without vectors", "everything but the commit", "committed and not told", "everything but the run's end")


@pytest.fixture
def on_a_server(tmp_path: Path, mongo_uri: str) -> Iterator[Place]:
    database = f"main-{random.randrange(10**9)}"
    drop(mongo_uri, project_database(PROJECT))
    yield Place(tmp_path, mongo_uri, database)
    drop(mongo_uri, project_database(PROJECT), database)


def kill_and_go_on(point: KillPoint, place: Place) -> None:
    studio = place.open()
    assert run_until(point, place.home, "task-killed", place.settings) == -signal.SIGKILL
    survey(studio)
    kept = studio.state()
    assert studio.run("task-last").status == "completed"
    assert kept.items() <= studio.state().items()
    check_the_end(studio)
    studio.close()


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS.keys())
def test_a_run_killed_at_a_write_is_completed_by_the_next(point: KillPoint, tmp_path: Path) -> None:
    kill_and_go_on(point, Place(tmp_path))


@pytest.mark.parametrize("name", ON_A_SERVER)
def test_the_same_holds_on_mongodb(name: str, on_a_server: Place) -> None:
    kill_and_go_on(POINTS[name], on_a_server)


def test_answers_that_came_before_a_kill_are_not_asked_for_again_and_their_cost_is_told(tmp_path: Path) -> None:
    point = KillPoint("before", "executions")  # the first iteration's answers are there, and no record of them
    studio = Place(tmp_path).open()
    assert run_until(point, tmp_path, "task-killed", {}) == -signal.SIGKILL
    assert studio.documents("executions") == []
    studio.run("task-last")
    first = [row for row in studio.documents("executions") if (row["tags"]["department"], row["tags"]["iteration"]) == ("story", 1)]
    paid = [row for row in first if not row["cached"] and row["performance"]["tokens_used"]]
    assert studio.model.calls < len(studio.documents("executions")) and len(paid) == len(first) > 0
    studio.close()
