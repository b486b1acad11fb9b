"""kill -9 at any point: the next run goes on from what is stored, redoes no finished department, stores nothing twice (S001-ERR-06).

The scripted model answers by the content of a request, so a run that was killed and went on must end where an undisturbed
one ends: with the same items under the same ids.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pymongo
import pytest

from gather_pipeline.domain.projects import project_database
from gather_pipeline.records.project import DECISIONS, EMBEDDINGS, ITEMS
from gather_pipeline_tests.harness import PROJECT, Studio

POINTS = 20
RUN = """
import sys
from pathlib import Path
from gather_pipeline_tests.harness import Studio
studio = Studio.open(Path(sys.argv[1]), script_latency_s=0.02, mongodb_uri=sys.argv[3] or None, mongodb_db=sys.argv[4])
result = studio.run(sys.argv[2], progress=lambda event: print(event.type, flush=True))
print(result.status, flush=True)
"""


def start(home: Path, task_id: str, uri: str, database: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(home), task_id, uri, database], stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate(timeout=120)
    return out.split()


def survey(studio: Studio) -> None:
    """What must hold of a store at any time: whole iterations, nothing twice, nothing without its vector and decision."""
    repository = studio.records
    iterations = repository.iterations()
    assert not [key for key, times in Counter((one.department, one.number) for one in iterations).items() if times > 1]
    items = repository.items()
    assert len(items) == sum(len(one.item_ids) for one in iterations)
    assert repository.embedding_count(items, studio.services.embedder.name) == len(items)
    events = repository.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def storm(home: Path, seed: int, uri: str = "", database: str = "gather_pipeline") -> tuple[dict[str, str], dict[str, object]]:
    """Kills runs at random points until one gets through; returns the final items and what was seen."""
    chance = random.Random(seed)
    killed, midway, finished_calls = 0, 0, Counter[str]()
    studio = Studio.open(home, mongodb_uri=uri or None, mongodb_db=database)
    for attempt in range(POINTS):
        process = start(home, f"task-{attempt}", uri, database)
        assert process.stdout is not None
        for _ in range(chance.randint(1, 14)):
            process.stdout.readline()
        time.sleep(chance.uniform(0, 0.03))
        killed += process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        survey(studio)
        midway += 0 < len(studio.view.iterations) < 6
    assert finish(start(home, "task-last", uri, database))[-1] == "completed"
    survey(studio)
    for collection in (ITEMS, EMBEDDINGS):
        assert studio.services.store.count(studio.records.database, collection) == len(studio.state())
    generated = sum(one.generated for one in studio.view.iterations)
    assert studio.services.store.count(studio.records.database, DECISIONS) == generated
    runs = studio.services.runs.of_project(studio.project_id)
    assert {run["status"] for run in runs} <= {"failed", "completed"}
    finished_calls.update(one.department for one in studio.view.iterations)
    state = studio.state()
    studio.close()
    return state, {"killed": killed, "midway": midway, "iterations": dict(finished_calls)}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    studio = Studio.open(tmp_path_factory.mktemp("undisturbed"))
    assert studio.run().status == "completed"
    state = studio.state()
    studio.close()
    return state


def test_kills_at_random_points_end_where_an_undisturbed_run_ends(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    state, seen = storm(tmp_path, seed=11)
    print(json.dumps(seen))
    assert state == undisturbed
    assert seen["iterations"] == {"story": 2, "visual": 2, "music": 2}
    assert seen["killed"] == POINTS
    assert seen["midway"]


def test_the_same_holds_on_mongodb(tmp_path: Path, undisturbed: dict[str, str], mongo_uri: str) -> None:
    database = f"main-{random.randrange(10**9)}"
    with pymongo.MongoClient(mongo_uri) as client:
        client.drop_database(project_database(PROJECT))
        state, seen = storm(tmp_path, seed=12, uri=mongo_uri, database=database)
        client.drop_database(project_database(PROJECT))
        client.drop_database(database)
    print(json.dumps(seen))
    assert state == undisturbed
    assert seen["iterations"] == {"story": 2, "visual": 2, "music": 2}
