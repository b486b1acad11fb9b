"""Records are written behind the loop's back, together, in order, and never later than a flush."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.errors import DuplicateKey, StoreError, StoreUnavailable
from gather_pipeline.gather.scribe import Scribe
from gather_pipeline.records.project import EVENTS, EXECUTIONS, GatherRepository, event_record

NEVER = 3600.0  # seconds to linger, where only a flush may write


class Watched(SqliteStore):
    """A real store that notes its writes and can be made to fail."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.writes: list[tuple[str, int]] = []
        self.failures: list[Exception] = []

    def insert_many(self, database: str, collection: str, documents: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        super().insert_many(database, collection, documents)
        self.writes.append((collection, len(documents)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Watched]:
    store = Watched(tmp_path)
    yield store
    store.close()


def event(sequence: int) -> dict[str, Any]:
    return event_record({"type": "deduplicating", "sequence": sequence})


def execution(number: int) -> dict[str, Any]:
    return {"_id": f"{number:032x}", "task_id": "gather_item"}


def test_records_that_wait_together_are_written_together_and_in_order(store: Watched) -> None:
    repository = GatherRepository(store, "p1")
    scribe = Scribe(repository, linger_s=NEVER)
    for number in range(1, 4):
        scribe.put(EVENTS, event(number))
        scribe.put(EXECUTIONS, execution(number))
    assert not repository.events()
    scribe.flush()
    assert [row["sequence"] for row in repository.events()] == [1, 2, 3]
    assert store.writes == [(EVENTS, 3), (EXECUTIONS, 3)]
    scribe.flush()
    assert len(store.writes) == 2
    scribe.close()


def test_a_record_waits_no_longer_than_told(store: Watched) -> None:
    scribe = Scribe(GatherRepository(store, "p1"), linger_s=0.01)
    stored = threading.Event()
    scribe.put(EVENTS, event(1), stored.set)
    assert stored.wait(10)
    assert store.writes == [(EVENTS, 1)]
    scribe.close()


def test_what_follows_a_record_happens_once_it_is_stored(store: Watched) -> None:
    repository = GatherRepository(store, "p1")
    scribe = Scribe(repository, linger_s=NEVER)
    seen: list[int] = []
    scribe.put(EVENTS, event(1), lambda: seen.append(len(repository.events())))
    scribe.put(EVENTS, event(2), lambda: seen.append(len(repository.events())))
    scribe.close()
    assert seen == [2, 2]


def test_a_job_begins_at_once_after_the_records_before_it(store: Watched) -> None:
    repository = GatherRepository(store, "p1")
    scribe = Scribe(repository, linger_s=NEVER)
    done = threading.Event()

    def job() -> None:
        assert len(repository.events()) == 1
        done.set()

    scribe.put(EVENTS, event(1))
    scribe.start(job)
    scribe.put(EVENTS, event(2))
    assert done.wait(10)
    scribe.close()
    assert len(repository.events()) == 2


def test_an_error_is_told_at_the_flush_and_nothing_is_lost(store: Watched) -> None:
    repository = GatherRepository(store, "p1")
    scribe = Scribe(repository, linger_s=0.0)
    store.failures = [StoreUnavailable("locked"), StoreUnavailable("still locked")]
    scribe.put(EVENTS, event(1))
    time.sleep(0.1)
    scribe.put(EVENTS, event(2))
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="locked"):
            scribe.flush()
    scribe.flush()
    assert [row["sequence"] for row in repository.events()] == [1, 2]
    scribe.close()


def test_a_job_that_fails_is_told_once_and_not_done_again(store: Watched) -> None:
    scribe = Scribe(GatherRepository(store, "p1"), linger_s=NEVER)
    tries: list[int] = []

    def job() -> None:
        tries.append(1)
        raise StoreError("the disk is full")

    scribe.start(job)
    with pytest.raises(StoreError, match="the disk is full"):
        scribe.flush()
    scribe.flush()
    scribe.close()
    assert tries == [1]


def test_a_number_that_is_taken_is_told(store: Watched) -> None:
    repository = GatherRepository(store, "p1")
    repository.save_event({"type": "deduplicating", "sequence": 1})
    scribe = Scribe(repository, linger_s=NEVER)
    scribe.put(EVENTS, event(1))
    with pytest.raises(DuplicateKey):
        scribe.flush()
    with pytest.raises(DuplicateKey):
        scribe.close()


def test_a_record_that_no_store_could_take_does_not_hold_up_the_others(store: Watched, caplog: pytest.LogCaptureFixture) -> None:
    repository = GatherRepository(store, "p1")
    scribe = Scribe(repository, linger_s=NEVER)
    delivered: list[int] = []
    scribe.put(EXECUTIONS, execution(1), lambda: delivered.append(1))
    scribe.put(EXECUTIONS, execution(2) | {"output": float("inf")}, lambda: delivered.append(2))
    scribe.put(EXECUTIONS, execution(3), lambda: delivered.append(3))
    scribe.close()
    assert [row["_id"] for row in repository.rows(EXECUTIONS)] == [execution(1)["_id"], execution(3)["_id"]]
    assert delivered == [1, 3]
    assert "A record of executions cannot be stored and is lost: output of executions" in caplog.text


def test_nothing_is_written_once_another_run_holds_the_project(store: Watched) -> None:
    allowed = [True]
    scribe = Scribe(GatherRepository(store, "p1"), lambda: allowed[0], linger_s=NEVER)
    scribe.put(EVENTS, event(1))
    scribe.flush()
    allowed[0] = False
    scribe.put(EVENTS, event(2))
    scribe.start(lambda: pytest.fail("the project belongs to somebody else"))
    scribe.close()
    assert store.writes == [(EVENTS, 1)]


def test_closing_ends_the_thread_and_later_records_are_refused(store: Watched) -> None:
    before = threading.active_count()
    scribe = Scribe(GatherRepository(store, "p1"))
    assert threading.active_count() == before
    scribe.put(EVENTS, event(1))
    scribe.close()
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="closed"):
        scribe.put(EVENTS, event(2))
