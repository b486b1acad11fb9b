"""The document store on MongoDB, through pymongo, without transactions.

Documents lie as they are, with ``_version`` and two fields of the store's own: ``_batch``, by which an insert that fails takes its
documents back and a repeated change knows itself, and ``_changed``, the server's time by which followers read. A change is one request and
takes ``_changed`` away; the next follower has the server set it anew. So no writer's clock or pause can hide a change: what has no time yet
is told next. Two followers at once may set and read in any order, therefore each also reads what was set up to `OVERLAP` before its cursor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from itertools import count
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.documents import rules
from gather_pipeline.adapters.documents.mongo.connection import MongoConnection
from gather_pipeline.errors import StoreError, StoreUnavailable, UnknownEntity, VersionConflict, shorten
from gather_pipeline.ports import Changes, Document, StoreState

if TYPE_CHECKING:
    from pymongo.collection import Collection

logger = logging.getLogger(__name__)

BATCH, CHANGED = "_batch", "_changed"
BOOKMARKS = "_bookmarks"  # the cursors that were given out, so that a copy made before does not know them
USED = "used"  # when somebody last looked from a bookmark
KEPT_S = 30 * 24 * 3600  # after which nobody does so any more: whoever comes later reads from the start
IN_USE = {"$currentDate": {USED: True}}
OVERLAP = timedelta(seconds=60)  # far longer than a server takes for one update, or than the clocks of a replica set differ
SHARED = ("project_id", "timestamp")  # what grows in databases that projects share is asked for by these as well
STAMP = {"$currentDate": {CHANGED: True}}  # the server's clock decides
INCREASED = {"$add": [{"$ifNull": ["$_version", 0]}, 1]}


class MongoStore:
    """The body of `MaintainedStore` on a MongoDB server (4.4 or later), for any number of threads, processes and machines.

    Args:
        uri: ``mongodb://[user:password@]host[:port]/[?options]``; user and password appear in no message.
        timeout_s: Seconds to wait for a server before `StoreUnavailable`, outside of `waiting`.
    """

    def __init__(self, uri: str, *, timeout_s: float = 10.0) -> None:
        self._server = MongoConnection(uri, timeout_s)
        self._indexed: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"MongoStore({self._server.host!r})"

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents; where one is refused those before it are taken back, but a killed process may leave a part."""
        target = self._target(database, collection)
        batch = token_hex(8)
        found = (rules.split(collection, document) for document in documents)
        rows: list[dict[str, Any]] = [{"_id": id, **fields, "_version": 1, BATCH: batch} for id, fields in found]
        if not rows:
            return
        self._index(target)
        tries = count()

        def take_back() -> None:
            target.delete_many({"_id": {"$in": [row["_id"] for row in rows]}, BATCH: batch})

        def insert() -> None:
            if next(tries):  # the server went away while it was asked: it may have stored some, or all
                take_back()
            target.insert_many(rows)

        try:
            self._server.run(insert, f"a document for {collection}")
        except BaseException as reason:
            try:
                self._server.run(take_back, collection, waits=isinstance(reason, Exception))  # whoever interrupts waits for nothing
            except (StoreError, StoreUnavailable) as error:
                logger.info("[AutoGather] %s: an insert that failed may have left some of %d documents", error, len(rows))
            raise

    def get(self, database: str, collection: str, id: str) -> Document | None:
        target = self._target(database, collection)
        row = self._server.run(lambda: target.find_one({"_id": id}), collection) if rules.is_id(id) else None
        return None if row is None else _document(row)

    def find(
        self,
        database: str,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> list[Document]:
        target = self._target(database, collection)
        query, order = rules.conditions_of(where), rules.order_of(sort)
        if limit == 0:  # to MongoDB that is no limit
            return []
        rows = self._server.run(lambda: list(target.find(query, allow_disk_use=True).sort(order).limit(limit or 0)), collection)
        return [_document(row) for row in rows]

    def update(
        self,
        database: str,
        collection: str,
        id: str,
        changes: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Document:
        target = self._target(database, collection)
        rules.check_fields(collection, rules.check_id(collection, id), changes)
        wanted = {"_id": id, **rules.conditions_of(where)} | ({} if expected_version is None else {"_version": expected_version})
        token = token_hex(8)
        change = {"$set": {**changes, BATCH: token}, "$inc": {"_version": 1}, "$unset": {CHANGED: ""}}
        what = f"{collection} {shorten(id)}"
        tries = count()

        def set_fields() -> Any:
            done = target.find_one({"_id": id, BATCH: token}) if next(tries) else None
            return done or target.find_one_and_update(wanted, change, return_document=True)

        row = self._server.run(set_fields, what)
        if row is not None:
            return _document(row)
        held = self.get(database, collection, id)
        if held is None:
            raise UnknownEntity(f"{what} is not in database {database}")
        if expected_version not in (None, held["_version"]):
            raise VersionConflict(f"{what} has version {held['_version']}, expected {expected_version}")
        raise VersionConflict(f"{what} was changed: expected {shorten(where)}")

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        target = self._target(database, collection)
        id, fields = rules.split(collection, document)
        new = {"$literal": {"_id": id, **fields}}
        change = [{"$replaceWith": {"$mergeObjects": [new, {"_version": INCREASED}]}}]
        self._index(target)
        what = f"{collection} {shorten(id)}"
        row: Any = None
        while row is None:  # a server may answer nothing to one of two who make a document at once
            row = self._server.run(lambda: target.find_one_and_update({"_id": id}, change, upsert=True, return_document=True), what)
        return _document(row)

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        target, query = self._target(database, collection), rules.conditions_of(where)
        return self._server.run(lambda: target.delete_many(query), collection).deleted_count

    def changed_since(self, database: str, collection: str, cursor: str = "") -> Changes:
        """Documents changed after the cursor or up to a minute before it, in the order of their last change, each once."""
        target = self._target(database, collection)
        after = self._find_bookmark(database, cursor)
        self._server.run(lambda: target.update_many({CHANGED: None}, STAMP), collection)
        later = {} if after is None else {CHANGED: {"$gt": after - OVERLAP}}
        rows = self._server.run(lambda: list(target.find(later).sort(CHANGED)), collection)
        rows = [row for row in rows if CHANGED in row]  # one without was changed since the line above: the next look tells it
        if rows and (after is None or rows[-1][CHANGED] > after):
            cursor = self._bookmark(database, {"$set": {"at": rows[-1][CHANGED]}, **IN_USE})
        return Changes(documents=[_document(row) for row in rows], cursor=cursor)

    def position(self, database: str) -> str:
        return self._bookmark(rules.check_database(database), {"$currentDate": {"at": True, USED: True}})

    @property
    def place(self) -> str:
        return self._server.host

    def check(self, database: str) -> StoreState:
        """The server, asked by a small write that is taken back."""
        opened = self._server.database(rules.check_database(database))
        said = self._server.run(lambda: opened.command("hello"), database)
        began = time.monotonic()
        self._server.run(lambda: opened.command("ping"), database)
        latency_s = time.monotonic() - began
        probe = opened[f"_probe_{token_hex(4)}"]
        try:
            self._server.run(lambda: probe.replace_one({"_id": "probe"}, {}, upsert=True), database)
        finally:
            self._server.run(probe.drop, database)
        version = self._server.run(lambda: opened.client.server_info()["version"], database)
        alone = "sharded cluster" if said.get("msg") == "isdbgrid" else "no replica set"
        kind = f"replica set {said['setName']}" if said.get("setName") else alone
        return StoreState(engine=f"MongoDB {version}", kind=kind, latency_s=latency_s)

    def collections(self, database: str) -> list[str]:
        opened = self._server.database(rules.check_database(database))
        names = self._server.run(opened.list_collection_names, database)
        return sorted(name for name in names if not name.startswith(("_", "system.")))

    def restore(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores documents with their versions; the next follower has them dated."""
        from pymongo import InsertOne, ReplaceOne

        target = self._target(database, collection)
        rows: list[dict[str, Any]] = []
        for document in documents:
            id, fields = rules.split(collection, document)
            rows.append({"_id": id, **fields, "_version": document["_version"]})
        if not rows:
            return
        self._index(target)

        def write() -> None:
            held = {row["_id"] for row in target.find({"_id": {"$in": [row["_id"] for row in rows]}}, {"_id": 1})}
            new = [InsertOne(row) for row in rows if row["_id"] not in held]  # several times as fast as replacing what is not there
            target.bulk_write([*new, *(ReplaceOne({"_id": row["_id"]}, row) for row in rows if row["_id"] in held)], ordered=False)

        self._server.run(write, f"a document for {collection}")

    def waiting(self, left: Callable[[], float]) -> AbstractContextManager[None]:
        return self._server.waiting(left)

    def close(self) -> None:
        """Closes the connections; later calls are refused with `StoreError`."""
        self._server.close()

    def _find_bookmark(self, database: str, cursor: str) -> datetime | None:
        """The time that a cursor stands for, None for the empty one; raises `StaleCursor` where it is unknown."""
        if cursor == "":
            return None
        bookmarks = self._server.database(database)[BOOKMARKS]
        row = self._server.run(lambda: bookmarks.find_one_and_update({"_id": cursor}, IN_USE), BOOKMARKS) if rules.is_id(cursor) else None
        if row is None:
            raise rules.stale(cursor)
        at: datetime = row["at"]
        return at

    def _bookmark(self, database: str, change: dict[str, Any]) -> str:
        from pymongo import IndexModel

        token = token_hex(8)
        bookmarks = self._server.database(database)[BOOKMARKS]
        if (database, BOOKMARKS) not in self._indexed:
            self._server.run(lambda: bookmarks.update_many({USED: None}, IN_USE), BOOKMARKS)  # those of earlier releases
            self._server.run(lambda: bookmarks.create_indexes([IndexModel([(USED, 1)], expireAfterSeconds=KEPT_S)]), BOOKMARKS)
            self._indexed.add((database, BOOKMARKS))
        self._server.run(lambda: bookmarks.update_one({"_id": token}, change, upsert=True), BOOKMARKS)
        return token

    def _target(self, database: str, collection: str) -> Collection[Any]:
        return self._server.database(rules.check_database(database))[collection]

    def _index(self, target: Collection[Any]) -> None:
        """Makes a collection's indexes, once a process."""
        from pymongo import IndexModel

        name = (target.database.name, target.name)
        if name not in self._indexed:
            wanted = [IndexModel([(field, 1)], name=f"by:{field}") for field in (CHANGED, *rules.INDEXED, *SHARED)]
            self._server.run(lambda: target.create_indexes(wanted), target.name)
            self._indexed.add(name)


def _document(row: Mapping[str, Any]) -> Document:
    fields = {name: value for name, value in row.items() if not name.startswith("_")}
    return {"_id": row["_id"], **fields, "_version": int(row["_version"])}
