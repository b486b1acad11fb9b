"""A MongoDB server that goes away under a run: the run waits, says so in one line, and goes on where it was; whoever ends it is heard."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline.domain.events import Event, Progress
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline_tests.gather.test_crash import check_the_end
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.mongo_server import MongoServer, drop

AWAY_S = 1.5
ENDS_WITHIN_S = 30.0  # of the 600 that a run may take; a busy machine takes its time


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    server = MongoServer(tmp_path_factory.mktemp("outage"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def studio(server: MongoServer, tmp_path: Path) -> Iterator[Studio]:
    server.start_again()
    drop(server.uri, project_database(PROJECT), "main")
    studio = Studio.open(tmp_path, mongodb_uri=server.uri, mongodb_db="main", script_latency_s=0.02, lease_s=1.0)
    yield studio
    studio.close()


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if "does not answer" in record.message]


def at_the_first_commit(do: Callable[[], None]) -> Progress:
    """Does it once the first iteration is committed: killed while it makes a collection, the server of the tests never starts again."""
    todo = [do]

    def watch(event: Event) -> None:
        if event.type == "iteration_complete" and todo:
            todo.pop()()

    return watch


def test_a_run_waits_for_its_store_and_goes_on(studio: Studio, server: MongoServer, caplog: pytest.LogCaptureFixture) -> None:
    back = threading.Timer(AWAY_S, server.start_again)

    def go_away() -> None:
        server.kill()
        back.start()

    with caplog.at_level(logging.INFO, "gather_pipeline"):
        result = studio.run(progress=at_the_first_commit(go_away))
    back.join()
    assert (result.status, result.items_created) == ("completed", len(studio.view.items))
    check_the_end(studio)
    (line,) = lines_of(caplog)
    assert f"MongoDB at 127.0.0.1:{server.port} does not answer, waiting for it for up to" in line
    assert sum("answers again" in record.message for record in caplog.records) == 1


def answers(studio: Studio) -> bool:
    try:
        studio.services.leases.holder(PROJECT)
    except StoreUnavailable:
        return False
    return True


def interrupt(studio: Studio) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def cancel(studio: Studio) -> None:
    with suppress(StoreUnavailable):
        studio.services.runs.request_cancel("task-1")


@pytest.mark.parametrize(("end", "told"), [pytest.param(interrupt, KeyboardInterrupt, marks=pytest.mark.storm), (cancel, StoreUnavailable)])
def test_whoever_ends_a_run_whose_store_is_away_is_heard(
    end: Callable[[Studio], None], told: type[BaseException], studio: Studio, server: MongoServer
) -> None:
    def go_away() -> None:
        server.kill()
        threading.Timer(AWAY_S, end, (studio,)).start()

    began = time.monotonic()
    with pytest.raises(told):
        studio.run(progress=at_the_first_commit(go_away))
    assert time.monotonic() - began < ENDS_WITHIN_S
    server.start_again()
    deadline = time.monotonic() + 60
    while not answers(studio):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert studio.run("task-2").status == "completed"
    check_the_end(studio)


def test_a_run_ends_at_its_deadline_where_its_store_does_not_come_back(studio: Studio, server: MongoServer) -> None:
    studio.services = replace(studio.services, settings=studio.services.settings.model_copy(update={"timeout_s": 6.0}))
    studio.model.at[2] = server.kill
    with pytest.raises(StoreUnavailable, match=r"MongoDB at \S+ does not answer \(waited "):
        studio.run()
