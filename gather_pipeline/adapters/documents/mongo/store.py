"""The document store on MongoDB, through pymongo, without transactions.

Documents lie as they are, with ``_version`` and the change number ``_seq``; ids of deleted ones lie in ``_deleted``. The few features used
(single-document updates, unique indexes, plain filters) mean the same on every server; `mongo_changes` keeps the change log exact.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from gather_pipeline.adapters.documents import cursors, filters
from gather_pipeline.adapters.documents.mongo import filters as mongo_filters
from gather_pipeline.adapters.documents.mongo.changes import COUNTER, COUNTERS, DELETED, ChangeNumbers, Log
from gather_pipeline.adapters.documents.mongo.connection import MongoConnection
from gather_pipeline.domain import documents as docs
from gather_pipeline.errors import DuplicateKey, StoreUnavailable, UnknownEntity, VersionConflict, shorten
from gather_pipeline.ports import Changes, Document

if TYPE_CHECKING:
    from pymongo.collection import Collection

logger = logging.getLogger(__name__)

INDEX_FROM_ROWS = 200  # below, reading every document is as quick
INDEX_LOOK_EVERY = 250  # queries of one form between two looks at the collection's size
LARGE_BYTES = 600_000  # from here on, changes are looked at together with the document they would make too large
ATTEMPTS = 3  # to change a document that others change meanwhile, before the server is asked to take turns
UPSERT_ATTEMPTS = 20
DELETE_BATCH = 5000  # ids in one command, far below MongoDB's 16 MB


class MongoStore:
    """Documents in the databases of a MongoDB server (4.4 or later), for any number of threads, processes and machines.

    Args:
        uri: ``mongodb://[user:password@]host[:port]/[?options]``; user and password appear in no message.
        timeout_s: Seconds to wait for a server before `StoreUnavailable`.
        patience_s: Seconds after which a writer that has not finished counts as dead, see `mongo_changes`.
    """

    def __init__(self, uri: str, *, timeout_s: float = 5.0, patience_s: float = 60.0) -> None:
        self._server = MongoConnection(uri, timeout_s)
        self._changes = ChangeNumbers(self._server, patience_s)
        self._uses: dict[tuple[str, str, tuple[tuple[str, int], ...]], int] = {}

    def __repr__(self) -> str:
        return f"MongoStore({self._server.host!r})"

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents; where one is refused those before it are taken back, but a killed process may leave a part."""
        target = self._target(database, collection)
        rows = [_row(id, fields) | {"_version": 1} for id, fields in docs.take_all_apart(collection, documents).items()]
        if not rows:
            return
        with self._changes.taken(target, len(rows)) as first:
            for number, row in enumerate(rows, first):
                row["_seq"] = number
            try:
                self._server.run(lambda: target.insert_many(rows), f"a document for {collection}")
            except BaseException:
                own = {"_id": {"$in": [row["_id"] for row in rows]}, "_seq": {"$gte": first, "$lt": first + len(rows)}}
                self._server.run(lambda: target.delete_many(own), collection, again=True)
                raise

    def get(self, database: str, collection: str, id: str) -> Document | None:
        """The document with that ``_id``, None where there is none."""
        target = self._target(database, collection)
        one = {"_id": docs.escape(docs.check_id(collection, id))}
        row = self._server.run(lambda: target.find_one(one), collection, again=True)
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
        """Matching documents in order; such queries on a large collection make the index that serves them."""
        target = self._target(database, collection)
        conditions, order = filters.parse(where), filters.check_sort(sort)
        docs.check_limit(limit)
        if limit == 0:  # to MongoDB that is no limit
            return []
        self._ensure_index(target, filters.index_fields(conditions, order if limit is not None else ()))

        def ask(query: Mapping[str, Any]) -> list[Document]:
            rows = self._server.run(lambda: list(target.find(query).sort(list(order)).limit(limit or 0)), collection, again=True)
            return [_document(row) for row in rows]

        plain = mongo_filters.plain(conditions)
        if plain is None:
            return ask(mongo_filters.query(conditions))
        asked = ask(plain)
        found = [document for document in asked if filters.matches(document, conditions)]
        return found if limit is None or len(found) == len(asked) else ask(mongo_filters.query(conditions))

    def update(
        self, database: str, collection: str, id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Document:
        """Sets top-level fields of a document and returns it."""
        target = self._target(database, collection)
        size = docs.check_fields(collection, docs.check_id(collection, id), changes)
        one, fields, what = {"_id": docs.escape(id)}, docs.encode(changes), f"{collection} {shorten(id)}"
        attempt = 0
        while True:
            attempt += 1
            held = self._server.run(lambda: target.find_one(one), collection, again=True)
            if held is None:
                raise UnknownEntity(f"{collection} {id!r} is not in database {database}")
            if expected_version is not None and held["_version"] != expected_version:
                raise VersionConflict(f"{collection} {id!r} has version {held['_version']}, expected {expected_version}")
            if size > LARGE_BYTES:
                docs.take_apart(collection, _document(held) | dict(changes))  # refused as on every body; servers say it in their own words
            with self._changes.taken(target, 1) as number:
                change = {"$set": fields | {"_seq": number}, "$inc": {"_version": 1}}
                if expected_version is not None or attempt <= ATTEMPTS:
                    same = one | {"_version": held["_version"], "_seq": held.get("_seq")}
                    if self._server.run(partial(target.update_one, same, change), what).matched_count:
                        return _document(held | fields | {"_version": held["_version"] + 1})
                else:  # others change it all the time: let the server take turns
                    row: Any = self._server.run(partial(target.find_one_and_update, one, change, return_document=True), what)
                    if row is not None:
                        return _document(row)

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        """Inserts the document, or replaces the one with its ``_id``; returns what is stored."""
        target = self._target(database, collection)
        id, fields = docs.take_apart(collection, document)
        new, what = _row(id, fields), f"{collection} {shorten(id)}"
        one = {"_id": new["_id"]}
        for attempt in range(UPSERT_ATTEMPTS):
            held = self._server.run(lambda: target.find_one(one, {"_version": 1}), collection, again=True)
            with self._changes.taken(target, 1) as number:
                row: Any = new | {"_version": held["_version"] + 1 if held else 1, "_seq": number}
                if held is None:
                    try:
                        self._server.run(partial(target.insert_one, row), what)
                    except DuplicateKey:  # of its _id, if another writer inserted it meanwhile, else of another key
                        if not self._server.run(lambda: target.find_one(one, {"_id": 1}), collection, again=True):
                            raise
                        continue
                elif attempt < ATTEMPTS:
                    if not self._server.run(partial(target.replace_one, held, row), what).matched_count:
                        continue
                else:  # others change it all the time: let the server take turns
                    added = {"_version": {"$add": ["$_version", 1]}, "_seq": number}
                    change = [{"$replaceWith": {"$mergeObjects": [{"$literal": new}, added]}}]
                    row = self._server.run(partial(target.find_one_and_update, one, change, return_document=True), what)
                    if row is None:
                        continue
                return _document(row)
        raise StoreUnavailable(f"{what} at {self._server.host} comes and goes too quickly to be replaced")

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        """Deletes matching documents and returns how many; each leaves its id with a change number."""
        target = self._target(database, collection)
        query = mongo_filters.query(filters.parse(where))
        ids = self._server.run(lambda: _ids(target, query), collection, again=True)
        if not ids:
            return 0
        with self._changes.taken(target, len(ids), deletes=True) as first:
            starts = range(0, len(ids), DELETE_BATCH)
            return sum(self._delete(target, query, ids[start : start + DELETE_BATCH], first + start) for start in starts)

    def _delete(self, target: Collection[Any], query: dict[str, Any], ids: Sequence[str], first: int) -> int:
        """Marks before it deletes: a mark of a living document is passed over, a deletion without a mark would never be seen."""
        from pymongo import ReplaceOne

        marks = target.database[DELETED]
        rows = [{"_id": f"{target.name}/{id}", "collection": target.name, "id": id, "_seq": number} for number, id in enumerate(ids, first)]
        changes = [ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows]
        self._server.run(lambda: marks.bulk_write(changes, ordered=False), target.name, again=True, race=True)
        chosen = {"$and": [{"_id": {"$in": ids}}, query]}
        return self._server.run(lambda: target.delete_many(chosen), target.name).deleted_count

    def count(self, database: str, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """How many documents match."""
        target = self._target(database, collection)
        conditions = filters.parse(where)
        self._ensure_index(target, filters.index_fields(conditions))
        return self._server.run(lambda: target.count_documents(mongo_filters.query(conditions)), collection, again=True)

    def ensure_unique(self, database: str, collection: str, fields: Sequence[str]) -> None:
        """Makes the fields together a unique key, None and missing counting as one value; `DuplicateKey` where documents repeat it."""
        target = self._target(database, collection)
        keys = [(field, 1) for field in filters.check_key(fields)]
        name = f"unique:{'+'.join(fields)}"
        self._server.run(lambda: target.create_index(keys, unique=True, name=name), collection, again=True)

    def changed_since(self, database: str, collection: str, cursor: str = "", *, limit: int = 1000) -> Changes:
        """Changes after the cursor, up to the oldest write that is still under way."""
        docs.check_limit(limit, 1)
        target = self._target(database, collection)
        place = cursors.parse(cursor)
        log = self._changes.log(target.database)
        era = self._changes.era(target.database, log, place.sequence) if place else None
        after = cursors.check(place, epoch=log.epoch, last=log.last, era=era)
        while after < log.settled:
            rows = self._server.run(partial(_log_rows, target, after, log, limit), collection, again=True)
            if not rows:
                break
            after = rows[-1]["_seq"]
            cursor = str(cursors.Place(epoch=str(log.epoch), sequence=after, era=self._changes.era(target.database, log, after)))
            gone = [row["id"] for row in rows if "_version" not in row]
            back = {"_id": {"$in": gone}, "_seq": {"$lte": log.settled}}
            living = self._server.run(partial(_ids, target, back), collection, again=True) if gone else []
            told = [_document(row) if "_version" in row else _gone(row) for row in rows if "_version" in row or row["id"] not in living]
            if told:  # else all were deleted and have come back: they are told of further on
                return Changes(documents=told, cursor=cursor)
        return Changes(documents=[], cursor=cursor)

    def position(self, database: str) -> str:
        """The cursor below the oldest write that is still under way, empty where nothing was written."""
        target = self._server.database(docs.check_database(database))
        log = self._changes.log(target)
        if not log.settled:
            return ""
        return str(cursors.Place(epoch=str(log.epoch), sequence=log.settled, era=self._changes.era(target, log, log.settled)))

    def databases(self) -> list[str]:
        """Names of this store's databases that hold a document, in order."""
        names = self._server.run(lambda: self._server.client.list_database_names(), again=True)
        return [name for name in sorted(names) if docs.is_database(name) and self._holds_documents(name)]

    def close(self) -> None:
        """Closes the connections; later calls are refused with `StoreError`."""
        self._server.close()

    def _holds_documents(self, name: str) -> bool:
        database = self._server.database(name)

        def look() -> bool:
            if database[COUNTERS].find_one({"_id": COUNTER}) is None:
                return False
            kept = filter(docs.COLLECTION.fullmatch, database.list_collection_names())
            return any(database[collection].find_one({}, {"_id": 1}) for collection in kept)

        return self._server.run(look, again=True)

    def _target(self, database: str, collection: str) -> Collection[Any]:
        return self._server.database(docs.check_database(database))[docs.check_collection(collection)]

    def _ensure_index(self, target: Collection[Any], fields: tuple[tuple[str, int], ...]) -> None:
        """Makes the index that serves a filter, once the collection is large; where it cannot be made, queries read every document."""
        from pymongo.errors import PyMongoError

        use = (target.database.name, target.name, fields)
        uses = self._uses.get(use, 0)
        self._uses[use] = uses + 1
        if not fields or uses < 0 or uses % INDEX_LOOK_EVERY:
            return
        if self._server.run(target.estimated_document_count, target.name, again=True) < INDEX_FROM_ROWS:
            return
        self._uses[use] = -(10**12)  # done: never looked at again
        try:
            target.create_index([*fields, ("_id", 1)], name=filters.index_name(fields))
        except PyMongoError as error:
            logger.info("[AutoGather] %s goes without an index over %s: %s", self, filters.index_name(fields), error)


def _ids(target: Collection[Any], query: Mapping[str, Any]) -> list[str]:
    return [row["_id"] for row in target.find(query, {"_id": 1})]


def _log_rows(target: Collection[Any], after: int, log: Log, limit: int) -> list[dict[str, Any]]:
    """Documents and marks of deleted ones in the order of their change numbers; a mark has no version."""
    within = {"_seq": {"$gt": after, "$lte": log.settled}}
    rows = list(target.find(within).sort("_seq").limit(limit))
    if log.deleted is not None and log.deleted <= after:
        return rows
    marks = list(target.database[DELETED].find(within | {"collection": target.name}).sort("_seq").limit(limit))
    return sorted(rows + marks, key=lambda row: row["_seq"])[:limit]


def _gone(mark: Mapping[str, Any]) -> Document:
    return {"_id": docs.unescape(mark["id"]), "_deleted": True}


def _row(id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"_id": docs.escape(id), **docs.encode(fields)}


def _document(row: Mapping[str, Any]) -> Document:
    fields = {name: value for name, value in row.items() if name not in ("_id", "_version", "_seq")}
    return {"_id": docs.unescape(row["_id"]), **docs.decode(fields), "_version": int(row["_version"])}
