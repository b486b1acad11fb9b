"""Change numbers on MongoDB: a log that leaves out no committed change, without transactions.

Numbers are given before writes arrive, so a reader could pass over a write that is still under way. Therefore a writer takes its numbers
and registers them as open in one atomic update of the database's counter, writes, and closes them; readers stop below the lowest open
number. A writer that dies leaves its numbers open: readers see nothing newer until, after `patience_s`, one strikes them out and goes on.
A writer that was only slow finds its numbers struck out when it closes them, and moves its documents to new ones. What remains: a writer
that sleeps for longer than `patience_s` just before its write arrives, and dies before it closes. That write is stored, but it was never
acknowledged, and readers that have passed its number do not see it.

The counter names the newest era (see `domain.cursors`), and `_eras` holds all of them, each under its first number. A writer puts its own
there before it closes that number, so that no reader can have a cursor in an era that is not there yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.documents.cursors import new_token
from gather_pipeline.adapters.documents.mongo.connection import MongoConnection
from gather_pipeline.errors import DuplicateKey, PermanentError, StoreUnavailable

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

logger = logging.getLogger(__name__)

COUNTERS, COUNTER, DELETED, ERAS = "_counters", "changes", "_deleted", "_eras"


@dataclass(frozen=True, kw_only=True)
class Log:
    """A database's change log as one look at the counter shows it.

    Attributes:
        epoch: Random name that the database got when it was made, None where there is none.
        last: The last change number.
        settled: The last number below all writes under way.
        era_from: First number of the newest era.
        era: Its token, None where no era has begun yet.
        deleted: A number that no deletion is beyond; None where that is not known, in databases that are older than it.
    """

    epoch: str | None = None
    last: int = 0
    settled: int = 0
    era_from: int = 0
    era: str | None = None
    deleted: int | None = None


class ChangeNumbers:
    """Gives change numbers to writers and tells readers how far the log is settled."""

    def __init__(self, server: MongoConnection, patience_s: float) -> None:
        self._server = server
        self._patience_s = patience_s
        self._prepared: set[tuple[str, str]] = set()
        self._highest: dict[str, int] = {}  # number seen by database, since this writer's own era in it began

    @contextmanager
    def taken(self, target: Collection[Any], count: int, *, deletes: bool = False) -> Iterator[int]:
        """Takes change numbers for the writes of the block, marks of deleted documents among them or not, and yields the first.

        After a fault that leaves the fate of the writes unknown the numbers stay open, because a write may yet arrive.
        """
        self._prepare(target)
        token = f"t{token_hex(8)}"
        first = self._open(target.database, token, count, deletes)
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

    def _open(self, database: Database[Any], token: str, count: int, deletes: bool) -> int:
        counters = _unhurried(database, COUNTERS)
        opened = {"from": {"$add": ["$value", 1]}, "at": "$$NOW"}
        taken = {"value": {"$add": ["$value", count]}, f"open.{token}": opened}
        if deletes:
            taken["deleted"] = taken["value"]
        highest = self._highest.get(database.name)
        era = new_token() if highest is None else None
        if era:
            taken["era"] = {"from": {"$add": ["$value", 1]}, "token": era}
        change = [{"$set": taken}]
        while True:
            row: Any = self._server.run(lambda: counters.find_one_and_update({"_id": COUNTER}, change, return_document=True), again=True)
            if row is not None:
                break
            self._make(counters)
        first, last = int(row["open"][token]["from"]), int(row["value"])
        if highest is not None and first <= highest:  # the database was put back from a copy while this writer was at work
            self._highest.pop(database.name, None)
            self._server.run(lambda: counters.update_one({"_id": COUNTER}, {"$unset": {f"open.{token}": ""}}), again=True)
            return self._open(database, token, count, deletes)
        if era:
            eras = _unhurried(database, ERAS)
            self._server.run(lambda: eras.replace_one({"_id": first}, {"token": era}, upsert=True), again=True, race=True)
        self._highest[database.name] = last
        return first

    def _make(self, counters: Collection[Any]) -> None:
        new = {"_id": COUNTER, "epoch": token_hex(8), "value": 0, "deleted": 0, "open": {}}
        try:
            self._server.run(lambda: counters.insert_one(new))
        except DuplicateKey:
            logger.debug("[AutoGather] another writer made the counter of %s", counters.database.name)

    def _close(self, target: Collection[Any], token: str, first: int, count: int) -> None:
        counters = _unhurried(target.database, COUNTERS)
        opened, change = {"_id": COUNTER, f"open.{token}": {"$exists": True}}, {"$unset": {f"open.{token}": ""}}
        if not self._server.run(lambda: counters.update_one(opened, change), again=True).matched_count:
            with self.taken(target, count, deletes=True) as fresh:
                own, moved = {"_seq": {"$gte": first, "$lt": first + count}}, {"$inc": {"_seq": fresh - first}}
                for collection in (target, target.database[DELETED]):
                    self._server.run(partial(collection.update_many, own, moved), target.name)

    def log(self, database: Database[Any]) -> Log:
        """Looks at the counter, and strikes out what writers that died have left open."""
        counters = database[COUNTERS]
        highest = self._highest.get(database.name)  # before asking, because other threads raise it
        row = self._server.run(lambda: counters.find_one({"_id": COUNTER}), again=True)
        if row is None:
            return Log()
        opened = row["open"]
        if opened:
            now = self._server.server_time()
            dead = {token: entry for token, entry in opened.items() if (now - entry["at"]).total_seconds() > self._patience_s}
            for token, entry in dead.items():
                struck = {"_id": COUNTER, f"open.{token}.at": entry["at"]}
                self._server.run(partial(counters.update_one, struck, {"$unset": {f"open.{token}": ""}}))
                logger.warning("[AutoGather] MongoDB at %s: a write in %s never ended", self._server.host, database.name)
            if dead:
                return self.log(database)
        last, era = int(row["value"]), row.get("era", {})
        if highest is not None and last >= highest:
            self._highest[database.name] = last
        elif highest is not None:  # put back from a copy: the next write begins an era
            self._highest.pop(database.name, None)
        settled = min((int(entry["from"]) - 1 for entry in opened.values()), default=last)
        known = {"epoch": row["epoch"], "last": last, "settled": settled, "deleted": row.get("deleted")}
        return Log(**known, era_from=int(era.get("from", 0)), era=era.get("token"))

    def era(self, database: Database[Any], log: Log, sequence: int) -> str | None:
        """Token of the era that a change number lies in."""
        if log.era is None or sequence >= log.era_from:
            return log.era
        newest_first = {"filter": {"_id": {"$lte": sequence}}, "sort": [("_id", -1)]}
        row = self._server.run(lambda: database[ERAS].find_one(**newest_first), again=True)
        return None if row is None else str(row["token"])

    def _prepare(self, target: Collection[Any]) -> None:
        """Makes the indexes of the change log, once a process and collection."""
        name = (target.database.name, target.name)
        if name not in self._prepared:
            self._server.run(lambda: target.create_index("_seq", name="changes"), target.name, again=True)
            marks = target.database[DELETED]
            self._server.run(lambda: marks.create_index([("collection", 1), ("_seq", 1)], name="changes"), DELETED, again=True)
            self._prepared.add(name)


def _unhurried(database: Database[Any], name: str) -> Collection[Any]:
    """A collection for writes that need not wait for the disk: the document's write that follows waits, and for them too."""
    from pymongo import WriteConcern

    return database.get_collection(name, write_concern=WriteConcern(w=1))
