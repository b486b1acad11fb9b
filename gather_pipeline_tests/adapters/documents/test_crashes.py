"""Real processes that write, at once and until they are killed, under both bodies."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body
from gather_pipeline_tests.adapters.documents.store_writer import ITEMS, State, applied, step

TURNS = [3, *(pytest.param(None, marks=pytest.mark.storm, id=f"at random {turn}") for turn in range(6))]


def start(body: Body, database: str, task: str, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gather_pipeline_tests.adapters.documents.store_writer", body.kind, database, task, str(number)]
    writer = subprocess.Popen(command, env={**os.environ, "STORE_PLACE": body.place}, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


class Follower:
    """A reader that keeps a copy by following the change log, as an index or a sensor does; deletions it is not told of."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store = store
        self._database = database
        self._cursor = ""
        self.copy: State = {}

    def follow(self) -> bool:
        """Whether anything was new."""
        before = self._cursor
        changes = self._store.changed_since(self._database, ITEMS, before)
        self._cursor = changes.cursor
        self.copy |= {document["_id"]: document for document in changes.documents}
        return self._cursor != before

    def check(self, state: State) -> None:
        """Follows to the end of the log, and finds there all that is stored, as it is."""
        self.follow()
        assert {id: self.copy.get(id) for id in state} == state


def stored(store: DocumentStore, database: str) -> State:
    return {document["_id"]: document for document in store.find(database, ITEMS)}


def lies_between(found: State, before: State, after: State) -> bool:
    """Without transactions a killed insert or delete may be done in part, each document wholly or not at all."""
    return all(found.get(id) in (before.get(id), after.get(id)) for id in {*found, *before, *after})


@pytest.mark.parametrize("seed", TURNS)
def test_a_killed_writer_loses_nothing_that_was_acknowledged(body: Body, database: str, seed: int | None) -> None:
    seed = random.randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    store = body.open()
    follower = Follower(store, database)
    writer = start(body, database, "script", seed)
    assert writer.stdout is not None
    try:
        acknowledged = 0
        for _ in range(chance.randrange(1, 25)):
            assert writer.stdout.readline() == "done\n"
            acknowledged += 1
            if chance.random() < 0.5:
                follower.follow()
        time.sleep(chance.random() * 0.03)
    finally:
        writer.kill()
    acknowledged += writer.stdout.read().count("done\n")
    writer.stdout.close()
    writer.wait()
    before: State = {}
    for number in range(acknowledged):
        before = applied(before, step(before, number, seed))
    after = applied(before, step(before, acknowledged, seed))
    if body.kind == "mongo":
        time.sleep(0.5)  # the server may still be at work on the last thing it was asked
    found = stored(store, database)
    if body.kind == "sqlite":
        assert found in (before, after), f"seed {seed}"
        with closing(sqlite3.connect(Path(body.place) / f"{database}.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    else:
        assert lies_between(found, before, after), f"seed {seed}"
    follower.check(found)
    store.upsert(database, ITEMS, {"_id": "later"})
    later = found | {"later": {"_id": "later", "_version": 1}}
    follower.check(later)
    anew = Follower(store, database)
    anew.check(later)
    assert anew.copy == later
    store.close()


def test_processes_write_at_once_and_a_follower_misses_nothing(body: Body, database: str) -> None:
    store = body.open()
    store.insert_many(database, ITEMS, [{"_id": "counter", "n": 0}])
    follower = Follower(store, database)
    writers = [start(body, database, "beside", name) for name in range(2)]
    done = threading.Event()

    def wait() -> None:
        for writer in writers:
            writer.communicate()
        done.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    pages = 0
    while not done.is_set():
        pages += follower.follow()
    waiting.join()
    assert [writer.returncode for writer in writers] == [0, 0]
    assert pages > 5
    expected: dict[str, Any] = {"counter": {"_id": "counter", "n": 30, "_version": 31}}
    for name in range(2):
        for id in (f"{name}-{turn:03}-{place}" for turn in range(15) for place in range(2)):
            expected[id] = {"_id": id, "by": name, "_version": 1}
    assert stored(store, database) == expected
    follower.check(expected)
    store.close()
