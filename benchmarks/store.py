"""The document store against the same work by hand, on both bodies, in a small and in a large collection.

    python -m benchmarks.store [--body sqlite|mongo] [--items 100000]

Each operation is a call as the loop and the sensors make it: one item by its id, the items of one iteration, the newest 100 changes, a look
where nothing is new, a batch of 8 new items, one edit of a known version. All contenders do it in turn in every round, so what is told
are ratios; the aim of the last column of an operation is that a large collection costs little more than a small one.
MongoDB is the server of MONGODB_URI, else SecantusDB as the tests start it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from store_by_hand import Document, MongoByHand, SqliteByHand
from timing import Row, paired, print_rows, ratio

from gather_pipeline.ports import DocumentStore

AIM_OF_SIZE = 1.5
SMALL = 1000
BATCH, PAGE, FILL = 8, 100, 1000  # items of an insert, changes of a page, items of a write while a collection is filled
DEPARTMENTS = 7
ITEMS = "gather"
OPERATIONS = ("get", "find", "changed_since", "nothing new", "insert", "update")
SENTENCE = "The keeper of the lighthouse writes every evening what the sea has brought, and nobody but the gulls reads it – yet. "


def item(number: int) -> Document:
    """A gather item of the usual size, about 900 bytes of JSON."""
    return {
        "_id": f"item-{number:07}",
        "content": SENTENCE * 3 + str(number),
        "summary": SENTENCE,
        "context": "from the brief",
        "department": f"department-{number // BATCH % DEPARTMENTS}",
        "iteration": number // (BATCH * DEPARTMENTS),
        "task_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "quality": 71.5,
        "provenance": {
            "model": "local",
            "prompt_version": 3,
            "sources": [f"item-{number - place:07}" for place in range(3)],
            "person": None,
        },
    }


class Ours:
    """The store under the signatures of the baseline."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._place = store, (database, ITEMS)

    def insert_many(self, documents: list[Document]) -> None:
        self._store.insert_many(*self._place, documents)

    def get(self, id: str) -> Document | None:
        return self._store.get(*self._place, id)

    def find(self, department: str, iteration: int) -> list[Document]:
        return self._store.find(*self._place, {"department": department, "iteration": iteration})

    def update(self, id: str, changes: Document, expected_version: int) -> Document:
        return self._store.update(*self._place, id, changes, expected_version=expected_version)

    def changed_since(self, after: str, limit: int) -> tuple[list[Document], str]:
        page = self._store.changed_since(*self._place, after)
        return page.documents, page.cursor

    def index(self) -> None:
        """The store makes its indexes itself, at the first write."""

    def here(self) -> str:
        """A cursor after all that is stored."""
        return self._store.position(self._place[0])


class Contender:
    """One body's one collection, and the next call of each operation."""

    def __init__(self, target: Any, size: int, turns: int) -> None:
        self.target, self.size, self.turns = target, size, turns
        self._fresh = count(10**6)
        self._turn = count()
        self._versions: dict[int, int] = {}
        self._before: Any = None
        self._end: Any = None

    def fill(self) -> None:
        for first in range(0, self.size - PAGE, FILL):
            self.target.insert_many([item(number) for number in range(first, min(first + FILL, self.size - PAGE))])
            if first == 0:  # SecantusDB takes far longer over an index that comes late
                self.target.index()
        self._before = self.target.here()
        self.target.insert_many([item(number) for number in range(self.size - PAGE, self.size)])
        self._end = self.target.here()

    def run(self, operation: str) -> None:
        call: Callable[[], None] = getattr(self, operation.replace(" ", "_"))
        for _ in range(self.turns):
            call()

    def _number(self) -> int:
        return next(self._turn) * 7919 % self.size

    def insert(self) -> None:
        self.target.insert_many([item(next(self._fresh)) for _ in range(BATCH)])

    def get(self) -> None:
        assert self.target.get(f"item-{self._number():07}")

    def find(self) -> None:
        number = self._number()
        found = self.target.find(f"department-{number // BATCH % DEPARTMENTS}", number // (BATCH * DEPARTMENTS))
        assert 0 < len(found) <= BATCH

    def update(self) -> None:
        number = self._number()
        version = self._versions.get(number, 1)
        changed = self.target.update(f"item-{number:07}", {"content": SENTENCE * 3 + f"turn {version}", "quality": 80.5}, version)
        self._versions[number] = version + 1
        assert changed["_version"] == version + 1

    def changed_since(self) -> None:
        assert len(self.target.changed_since(self._before, PAGE)[0]) >= PAGE

    def nothing_new(self) -> None:
        assert self.target.changed_since(self._end, PAGE)[1] == self._end


@contextmanager
def mongo_uri(folder: Path) -> Iterator[str]:
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from gather_pipeline_tests.mongo_server import MongoServer

    server = MongoServer(folder / "server")
    server.start()
    try:
        yield server.uri
    finally:
        server.kill()


def drop(uri: str, database: str) -> None:
    from pymongo import MongoClient

    with MongoClient[Document](uri) as client:
        client.drop_database(database)


@contextmanager
def sqlite_contenders(size: int, turns: int) -> Iterator[dict[str, Contender]]:
    from gather_pipeline.adapters.documents.sqlite.store import SqliteStore

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(closing(SqliteStore(folder / "ours")))
        hand = stack.enter_context(closing(SqliteByHand(folder / "hand.sqlite3")))
        contenders = {"ours": Contender(Ours(ours, "benchmark"), size, turns), "by hand": Contender(hand, size, turns)}
        for contender in contenders.values():
            contender.fill()
        yield contenders


@contextmanager
def mongo_contenders(uri: str, size: int, turns: int) -> Iterator[dict[str, Contender]]:
    from gather_pipeline.adapters.documents.mongo.store import MongoStore

    with ExitStack() as stack:
        names = [f"benchmark-{token_hex(6)}" for _ in range(2)]
        if os.environ.get("MONGODB_URI"):  # else it goes with its server
            for name in names:
                stack.callback(drop, uri, name)
        ours = stack.enter_context(closing(MongoStore(uri, timeout_s=60)))
        hand = stack.enter_context(closing(MongoByHand(uri, names[1])))
        contenders = {"ours": Contender(Ours(ours, names[0]), size, turns), "by hand": Contender(hand, size, turns)}
        began = time.monotonic()
        with ThreadPoolExecutor() as pool:  # SecantusDB takes its time over a large collection
            list(pool.map(Contender.fill, contenders.values()))
        print(f"filled two collections with {size:,} items in {time.monotonic() - began:.0f} s", file=sys.stderr)
        yield contenders


def compare(small: dict[str, Contender], large: dict[str, Contender], baseline: str, items: int, rounds: int) -> list[Row]:
    rows = []
    for operation in OPERATIONS:
        all_of_them = {("small", name): contender for name, contender in small.items()}
        all_of_them |= {("large", name): contender for name, contender in large.items()}
        seconds = paired({" ".join(key): partial(one.run, operation) for key, one in all_of_them.items()}, rounds)
        for which, size in (("small", SMALL), ("large", items)):
            ours, hand = seconds[f"{which} ours"], seconds[f"{which} by hand"]
            one = sorted(ours)[len(ours) // 2] / small["ours"].turns
            rows.append(Row(what=f"{operation}, {size:,} items", baseline=baseline, ratio=ratio(ours, hand), note=f"({one * 1e6:,.0f} us)"))
        growth = ratio(seconds["large ours"], seconds["small ours"])
        rows.append(Row(what=f"{operation}, {items:,} items", baseline=f"the same at {SMALL:,}", ratio=growth, aim=AIM_OF_SIZE))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--body", choices=["sqlite", "mongo"], help="measure one body only")
    parser.add_argument("--items", type=int, default=100_000, help="items of the large collection (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=25, help="rounds that are counted (default %(default)s, of MongoDB half as many)")
    args = parser.parse_args()
    if args.items < SMALL or args.rounds < 1:
        parser.error(f"--items takes {SMALL} or more, --rounds 1 or more")
    began = time.monotonic()
    if args.body != "mongo":
        with sqlite_contenders(SMALL, 20) as small, sqlite_contenders(args.items, 20) as large:
            print_rows("Document store on SQLite", compare(small, large, "sqlite3 by hand", args.items, args.rounds))
    if args.body != "sqlite":
        with (
            tempfile.TemporaryDirectory() as folder,
            mongo_uri(Path(folder)) as uri,
            mongo_contenders(uri, SMALL, 4) as small,
            mongo_contenders(uri, args.items, 4) as large,
        ):
            print_rows("Document store on MongoDB", compare(small, large, "pymongo by hand", args.items, -(-args.rounds // 2)))
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
