"""kill -9 at random moments of whole runs, from the first file that Dagster makes to the last measurement taken in.

Each killed run is followed by another one on the same home, and every fifth by one that is let through. Then nothing may be lost, stored
twice or made again, and the metrics, the events and Dagster have to tell what the store does. `make storm` runs this.
"""

import os
import random
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gather_pipeline.defs.launch import open_instance, run_in_process
from gather_pipeline.defs.settling import SAME
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.projects import project_database
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings
from gather_pipeline_tests.comparing import check_events, check_metrics
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import PROJECT, make_settings
from gather_pipeline_tests.mongo_server import drop
from gather_pipeline_tests.surveys import Place, check_the_end, survey

pytestmark = [pytest.mark.storm, pytest.mark.timeout(7200)]
IN_A_ROW = 5  # kills of one home until a run is let through
GIVEN = os.environ.get("STORM_KILLS")
SEEDS = range(11, 16)


def settings_of(place: Place) -> Settings:
    return make_settings(place.home, script_latency_s=0.02, **place.settings)


def run(settings: Settings) -> str:
    return run_in_process(settings, AutomationRequest(project_id=PROJECT)).status


def kill_after(seconds: float, settings: Settings) -> float | None:
    """Kills a run after a while; None, or what it took where it had ended before."""
    process, began = FORKS.Process(target=run, args=(settings,)), time.monotonic()
    process.start()
    process.join(seconds)
    took = time.monotonic() - began
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), "it met an error of its own"
    return None if process.exitcode else took


def check_dagster(services: Services) -> None:
    """Dagster's runs have ended as the store's; one that the store never knew was killed before it began."""
    noted = {run.task_id: SAME[run.status] for run in services.runs.of_project(PROJECT)}
    with open_instance(services.settings) as instance:
        shown = {run.run_id: run.status for run in instance.get_runs()}
    assert noted.items() <= shown.items()
    assert {shown[id] for id in shown.keys() - noted.keys()} <= {dg.DagsterRunStatus.FAILURE}
    assert services.open_runs.all() == []


def storm(places: Any, kills: int, seed: int) -> None:
    chance, killed, longest = random.Random(seed), 0, 0.0
    while killed < kills:
        place = next(places)
        settings = settings_of(place)
        place.open().close()
        if not longest:
            kill_after(300, settings)  # its process imports what those of the others have from the start
            place = next(places)
            place.open().close()
            longest = kill_after(300, settings_of(place)) or 300
            continue
        kept: dict[str, str] = {}
        for _ in range(IN_A_ROW):
            took = kill_after(chance.uniform(0, longest), settings)
            if took is None:
                killed += 1
            else:
                longest = min(longest, 2 * took)  # the machine is less busy; and a run that finds all done takes a good half
            with closing(place.open()) as studio:
                survey(studio)
                assert kept.items() <= studio.state().items()
                kept = studio.state()
        assert run(settings) == "completed"
        with closing(place.open()) as studio:
            assert kept.items() <= studio.state().items()
            check_the_end(studio)
            check_metrics(studio)
            check_events(studio)
            check_dagster(studio.services)
        print(f"{killed} of {kills} kills", flush=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_killed_at_random_leave_store_metrics_events_and_dagster_alike(seed: int, tmp_path: Path) -> None:
    storm((Place(tmp_path / str(number)) for number in range(10_000)), -(-int(GIVEN or 100) // len(SEEDS)), seed)


def test_the_same_holds_on_mongodb(tmp_path: Path, mongo_uri: str) -> None:
    database = f"main-{random.randrange(10**9)}"

    def fresh() -> Any:
        for number in range(10_000):
            drop(mongo_uri, project_database(PROJECT), database)
            yield Place(tmp_path / str(number), mongo_uri, database)

    try:
        storm(fresh(), int(GIVEN or 20), 16)
    finally:
        drop(mongo_uri, project_database(PROJECT), database)
