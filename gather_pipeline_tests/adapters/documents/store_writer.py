"""Writers for tests of crashes and of processes at once: a script that both the writer and the test can follow step by step."""

from __future__ import annotations

import os
import random
import sys
from typing import Any

from gather_pipeline.errors import VersionConflict
from gather_pipeline.ports import DocumentStore
from gather_pipeline_tests.adapters.documents.store_bodies import Body

ITEMS = "gather"
State = dict[str, dict[str, Any]]


def step(state: State, number: int, seed: int) -> tuple[str, Any]:
    """The next operation of a script, decided by the seed and by what is stored alone."""
    chance = random.Random(seed * 100_003 + number)
    ids = sorted(state)
    kind = chance.choice(["insert", "insert", "update", "upsert", "delete"]) if ids else "insert"
    if kind == "insert":
        size = chance.choice([1, 3, 8])
        return kind, [{"_id": f"{number:05}-{place}", "n": number, "text": "x" * chance.randrange(3000)} for place in range(size)]
    if kind == "update":
        return kind, (chance.choice(ids), {"n": number})
    if kind == "upsert":
        return kind, {"_id": chance.choice([*ids, f"{number:05}-new"]), "n": number}
    return kind, chance.sample(ids, min(len(ids), chance.choice([1, 4])))


def applied(state: State, operation: tuple[str, Any]) -> State:
    """The state after an operation, versions included."""
    kind, value = operation
    after = dict(state)
    if kind == "insert":
        after |= {document["_id"]: document | {"_version": 1} for document in value}
    elif kind == "update":
        id, changes = value
        after[id] = after[id] | changes | {"_version": after[id]["_version"] + 1}
    elif kind == "upsert":
        after[value["_id"]] = value | {"_version": after.get(value["_id"], {"_version": 0})["_version"] + 1}
    else:
        for id in value:
            del after[id]
    return after


def run(store: DocumentStore, database: str, operation: tuple[str, Any]) -> None:
    kind, value = operation
    if kind == "insert":
        store.insert_many(database, ITEMS, value)
    elif kind == "update":
        store.update(database, ITEMS, value[0], value[1])
    elif kind == "upsert":
        store.upsert(database, ITEMS, value)
    else:
        store.delete(database, ITEMS, {"_id": {"$in": value}})


def write_script(store: DocumentStore, database: str, seed: int) -> None:
    """Follows the script for ever, saying "done" after each step that the store acknowledged."""
    state: State = {}
    for number in range(100_000):
        operation = step(state, number, seed)
        run(store, database, operation)
        state = applied(state, operation)
        print("done", flush=True)


def write_beside_others(store: DocumentStore, database: str, name: int, turns: int = 15) -> None:
    """Inserts, counts up a shared document, and deletes every third of its own."""
    for turn in range(turns):
        store.insert_many(database, ITEMS, [{"_id": f"{name}-{turn:03}-{place}", "by": name} for place in range(3)])
        while True:
            counter = store.get(database, ITEMS, "counter")
            assert counter is not None
            try:
                store.update(database, ITEMS, "counter", {"n": counter["n"] + 1}, expected_version=counter["_version"])
            except VersionConflict:
                continue
            break
        assert store.delete(database, ITEMS, {"_id": f"{name}-{turn:03}-2"}) == 1


def main() -> None:
    """Arguments: kind of store, database, task, number; the place is in STORE_PLACE, because a URI may carry a password."""
    kind, database, task, number = sys.argv[1:]
    store = Body(kind, os.environ["STORE_PLACE"]).open()
    print("ready", flush=True)
    {"script": write_script, "beside": write_beside_others}[task](store, database, int(number))
    store.close()


if __name__ == "__main__":
    main()
