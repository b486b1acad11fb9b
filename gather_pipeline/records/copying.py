"""Copies a database of one store into another, page by page in the order of ids, so that a copy that was killed goes on where it differs.

Leases stay behind: they hold processes off one store. So do the notes of copies themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gather_pipeline.ports import Document, DocumentStore, MaintainedStore
from gather_pipeline.records.lease import LEASES
from gather_pipeline.records.projects import PROJECTS

COPIES = "copies"
LEFT_BEHIND = (LEASES, COPIES)
PAGE = 250  # documents


@dataclass(frozen=True, kw_only=True)
class CopiedCollection:
    """What became of one collection.

    Attributes:
        documents: Of the source.
        written: Of these, those that the target lacked or had otherwise.
        deleted: Documents of the target that the source has no more.
        hash: SHA-256 of the source's documents with their versions, in the order of their ids.
        target_hash: Of the same documents in the target.
    """

    database: str
    collection: str
    documents: int
    written: int
    deleted: int
    hash: str
    target_hash: str


@dataclass(frozen=True, kw_only=True)
class DatabaseCopy:
    """The way of one database from a store to another.

    Attributes:
        projects: Whose documents of the target are deleted where the source has them no more; None where all are.
    """

    source: MaintainedStore
    target: MaintainedStore
    database: str
    projects: Collection[str] | None = None

    def collections(self) -> list[str]:
        """Names of the collections that either side has."""
        names = {*self.source.collections(self.database), *self.target.collections(self.database)}
        return sorted(names.difference(LEFT_BEHIND))

    def run(self, collection: str, *, write: bool, told: Callable[[int], None]) -> CopiedCollection:
        """Makes the target's collection what the source's is; without `write` only counts and compares.

        `told` gets the number of documents that are done, after each page.
        """
        documents = written = deleted = 0
        hashes = hashlib.sha256(), hashlib.sha256()
        for theirs, ours in self._pages(collection):
            documents += len(theirs)
            held = {document["_id"]: _canonical(document) for document in ours}
            wanted = {document["_id"]: _canonical(document) for document in theirs}
            different = [document for document in theirs if held.get(document["_id"]) != wanted[document["_id"]]]
            gone = [document["_id"] for document in ours if document["_id"] not in wanted and self._belongs(document)]
            written, deleted = written + len(different), deleted + len(gone)
            for hashed, rows in zip(hashes, (wanted, held), strict=True):
                for id in wanted:
                    hashed.update(rows.get(id, b""))
            if write:
                self.target.restore(self.database, collection, different)
                if gone:
                    self.target.delete(self.database, collection, {"_id": {"$in": gone}})
            told(documents)
        return CopiedCollection(
            database=self.database,
            collection=collection,
            documents=documents,
            written=written,
            deleted=deleted,
            hash=hashes[0].hexdigest(),
            target_hash=hashes[1].hexdigest(),
        )

    def _belongs(self, document: Document) -> bool:
        return self.projects is None or document.get("project_id") in self.projects

    def _pages(self, collection: str) -> Iterator[tuple[list[Document], list[Document]]]:
        """The source's next documents, and the target's whose ids lie between the page before and the end of this one."""
        after: dict[str, Any] = {}
        while True:
            theirs = self.source.find(self.database, collection, {"_id": after} if after else None, sort=[("_id", 1)], limit=PAGE)
            is_last = len(theirs) < PAGE
            until = after if is_last else after | {"$lte": theirs[-1]["_id"]}
            ours = self.target.find(self.database, collection, {"_id": until} if until else None, sort=[("_id", 1)])
            yield theirs, ours
            if is_last:
                return
            after = {"$gt": theirs[-1]["_id"]}


class Copies:
    """What a target knows of copies into it, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def is_under_way(self, source: str) -> bool:
        """Whether a copy from that source was begun and did not come to its end."""
        document = self._store.get(self._database, COPIES, _key(source))
        return document is not None and not document["done"]

    def note(self, source: str, *, done: bool) -> None:
        """Notes the beginning or the end of a copy."""
        self._store.upsert(self._database, COPIES, {"_id": _key(source), "source": source, "done": done})


def project_ids(store: DocumentStore, database: str) -> list[str]:
    """Ids of a store's projects, sorted."""
    return [document["_id"] for document in store.find(database, PROJECTS, sort=[("_id", 1)])]


def _key(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()


def _canonical(document: Document) -> bytes:
    return json.dumps(document, sort_keys=True, ensure_ascii=False, default=bytes.hex).encode()
