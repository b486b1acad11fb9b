"""kill -9 at any point: the next run goes on from what is stored, redoes no finished department, stores nothing twice (S001-ERR-06).

Which notes a prompt knows depends on which answers had come when it was made, so two runs need not end with the same texts, and are not
compared. What was committed before a kill stays as it is, and each department ends with all of its iterations, each stored once and whole.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.projects import project_database
from gather_pipeline.records.project import DECISIONS, EMBEDDINGS, ITEMS
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.kill_points import KillPoint, run_until
from gather_pipeline_tests.mongo_server import drop

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
RANDOM_POINTS = 20
RUN = """
import sys
from pathlib import Path
from gather_pipeline_tests.harness import Studio
studio = Studio.open(Path(sys.argv[1]), script_latency_s=0.02, mongodb_uri=sys.argv[3] or None, mongodb_db=sys.argv[4])
result = studio.run(sys.argv[2], progress=lambda event: print(event.type, flush=True))
print(result.status, flush=True)
"""


@dataclass(frozen=True)
class Place:
    """Where the documents of a project are kept: a folder, or databases of a server."""

    home: Path
    uri: str = ""
    database: str = "gather_pipeline"

    @property
    def settings(self) -> dict[str, Any]:
        return {"mongodb_uri": self.uri or None, "mongodb_db": self.database}

    def open(self) -> Studio:
        return Studio.open(self.home, **self.settings)


@pytest.fixture
def on_a_server(tmp_path: Path, mongo_uri: str) -> Iterator[Place]:
    database = f"main-{random.randrange(10**9)}"
    drop(mongo_uri, project_database(PROJECT))
    yield Place(tmp_path, mongo_uri, database)
    drop(mongo_uri, project_database(PROJECT), database)


def survey(studio: Studio) -> None:
    """What must hold of a store at any time: whole iterations, nothing twice, nothing without its vector and decision."""
    view = studio.view
    assert not [key for key, times in Counter((one.department, one.number) for one in view.iterations).items() if times > 1]
    assert len(view.items) == sum(len(one.item_ids) for one in view.iterations)
    assert {item.id for item in view.items} <= {one.item_id for one in view.embeddings}
    events = studio.records.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def check_the_end(studio: Studio) -> None:
    """What must hold once a run got through: every iteration, no row that is of none, and no run still open."""
    survey(studio)
    iterations = studio.view.iterations
    assert Counter(one.department for one in iterations) == {"story": 2, "visual": 2, "music": 2}
    for collection in (ITEMS, EMBEDDINGS):
        assert len(studio.documents(collection)) == len(studio.state()) > 0
    assert len(studio.documents(DECISIONS)) == sum(one.generated for one in iterations)
    runs = studio.services.runs.of_project(studio.project_id)
    assert {run.status for run in runs} <= {"failed", "completed"}


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


# At random


def start(place: Place, task_id: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", RUN, str(place.home), task_id, place.uri, place.database]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kill_at_random(place: Place, seed: int) -> None:
    """Kills runs at random points, and then lets one get through."""
    chance = random.Random(seed)
    killed = midway = 0
    studio = place.open()
    for attempt in range(RANDOM_POINTS):
        process = start(place, f"task-{attempt}")
        assert process.stdout is not None
        for _ in range(chance.randint(1, 14)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.03))
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        survey(studio)
        midway += 0 < len(studio.view.iterations) < 6
    out, _ = start(place, "task-last").communicate(timeout=120)
    assert out.split()[-1] == "completed"
    check_the_end(studio)
    studio.close()
    assert (killed, midway > 0) == (RANDOM_POINTS, True)


@pytest.mark.storm
def test_a_run_killed_at_random_points_is_completed_by_the_last(tmp_path: Path) -> None:
    kill_at_random(Place(tmp_path), 11)


@pytest.mark.storm
def test_a_run_killed_at_random_points_on_mongodb_is_too(on_a_server: Place) -> None:
    kill_at_random(on_a_server, 12)
