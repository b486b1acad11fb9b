"""Change numbers on MongoDB: a log that leaves out no committed change, without transactions.

Numbers are given before writes arrive, so a reader could pass over a write that is still under way. Therefore a writer takes its numbers
and registers them as open in one atomic update of the database's counter, writes, and closes them; readers stop below the lowest open
number. A writer that dies leaves its numbers open: readers see nothing newer until, after `patience_s`, one strikes them out and goes on.
A writer that was only slow finds its numbers struck out when it closes them, and moves its documents to new ones. What remains: a writer
that sleeps for longer than `patience_s` just before its write arrives, and dies before it closes. That write is stored, but it was never
acknowledged, and readers that have passed its number do not see it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.mongo_connection import MongoConnection
from gather_pipeline.errors import DuplicateKey, PermanentError, StoreUnavailable

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

logger = logging.getLogger(__name__)

COUNTERS, COUNTER, DELETED = "_counters", "changes", "_deleted"


class ChangeNumbers:
    """Gives change numbers to writers and tells readers how far the log is settled."""

    def __init__(self, server: MongoConnection, patience_s: float) -> None:
        self._server = server
        self._patience_s = patience_s
        self._prepared: set[tuple[str, str]] = set()

    @contextmanager
    def taken(self, target: Collection[Any], count: int) -> Iterator[int]:
        """Takes change numbers for the writes of the block and yields the first.

        After a fault that leaves the fate of the writes unknown the numbers stay open, because a write may yet arrive.
        """
        self._prepare(target)
        token = f"t{token_hex(8)}"
        first = self._open(target.database, token, count)
        try:
            yield first
        except PermanentError:
            self._end(target, token, first, count)
            raise
        self._end(target, token, first, count)

    def _end(self, target: Collection[Any], token: str, first: int, count: int) -> None:
        try:
            self._close(target, token, first, count)
        except StoreUnavailable as error:  # what the block did stands; readers will wait for `patience_s`
            logger.warning("[AutoGather] %s: the numbers of a write in %s stay open", error, target.database.name)

    def _open(self, database: Database[Any], token: str, count: int) -> int:
        counters = _counters(database)
        opened = {"from": {"$add": ["$value", 1]}, "at": "$$NOW"}
        change = [{"$set": {"value": {"$add": ["$value", count]}, f"open.{token}": opened}}]
        while True:
            row: Any = self._server.run(lambda: counters.find_one_and_update({"_id": COUNTER}, change, return_document=True), again=True)
            if row is not None:
                return int(row["open"][token]["from"])
            self._make(counters)

    def _make(self, counters: Collection[Any]) -> None:
        new = {"_id": COUNTER, "epoch": token_hex(8), "value": 0, "open": {}}
        try:
            self._server.run(lambda: counters.insert_one(new))
        except DuplicateKey:
            logger.debug("[AutoGather] another writer made the counter of %s", counters.database.name)

    def _close(self, target: Collection[Any], token: str, first: int, count: int) -> None:
        counters = _counters(target.database)
        change = {"$unset": {f"open.{token}": ""}}
        before = self._server.run(lambda: counters.find_one_and_update({"_id": COUNTER}, change), again=True)
        if before is None or token not in before["open"]:
            with self.taken(target, count) as fresh:
                own, moved = {"_seq": {"$gte": first, "$lt": first + count}}, {"$inc": {"_seq": fresh - first}}
                for collection in (target, target.database[DELETED]):
                    self._server.run(partial(collection.update_many, own, moved), target.name)

    def settled(self, database: Database[Any]) -> tuple[str | None, int, int]:
        """Epoch of the database, its last change number, and the last below all writes under way."""
        counters = database[COUNTERS]
        row = self._server.run(lambda: counters.find_one({"_id": COUNTER}), again=True)
        if row is None:
            return None, 0, 0
        opened = row["open"]
        if opened:
            now = self._server.server_time()
            dead = {token: entry for token, entry in opened.items() if (now - entry["at"]).total_seconds() > self._patience_s}
            for token, entry in dead.items():
                struck = {"_id": COUNTER, f"open.{token}.at": entry["at"]}
                self._server.run(partial(counters.update_one, struck, {"$unset": {f"open.{token}": ""}}))
                logger.warning("[AutoGather] MongoDB at %s: a write in %s never ended", self._server.host, database.name)
            if dead:
                return self.settled(database)
        return row["epoch"], row["value"], min((entry["from"] - 1 for entry in opened.values()), default=row["value"])

    def _prepare(self, target: Collection[Any]) -> None:
        """Makes the indexes of the change log, once a process and collection."""
        name = (target.database.name, target.name)
        if name not in self._prepared:
            self._server.run(lambda: target.create_index("_seq", name="changes"), target.name, again=True)
            marks = target.database[DELETED]
            self._server.run(lambda: marks.create_index([("collection", 1), ("_seq", 1)], name="changes"), DELETED, again=True)
            self._prepared.add(name)


def _counters(database: Database[Any]) -> Collection[Any]:
    """The counter, for writes that need not wait for the disk: the document's write that follows waits, and for them too."""
    from pymongo import WriteConcern

    return database.get_collection(COUNTERS, write_concern=WriteConcern(w=1))
