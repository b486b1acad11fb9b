"""What the loop keeps for one project, as typed reads and writes over the document store.

The insert of an `iterations` document commits what its iteration made. What a person adds, restores or imports is committed by its own
insert and says so (`self_committed`). Readers here see only committed rows; `clear_uncommitted` removes what a killed run left behind.
Nothing else in the package reads these collections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gather_pipeline.domain.items import Item, content_hash, item_id, version_of
from gather_pipeline.domain.iterations import Iteration, iteration_id
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import DuplicateKey
from gather_pipeline.ports import Document, DocumentStore, Vectors
from gather_pipeline.records.changes import changes_since
from gather_pipeline.records.rows import embedding_row

ITEMS, EMBEDDINGS, DECISIONS, ITERATIONS = "gather", "embeddings", "duplicate_decisions", "iterations"
EVENTS, SCORES, DRAFTS, EXECUTIONS, DEPARTMENTS = "events", "quality_scores", "drafts", "executions", "departments"
COMMITTED_WITH_ITERATION = (ITEMS, EMBEDDINGS, DECISIONS)
SELF_COMMITTED = "self_committed"
LAST = 10**9  # place of what no iteration made, behind all that one made


def event_record(event: Mapping[str, Any]) -> Document:
    """A numbered event as it is stored: its number is its ``_id``."""
    return {"_id": f"{event['sequence']:012d}", **event}


class GatherRepository:
    """One project's collections."""

    def __init__(self, store: DocumentStore, project_id: str) -> None:
        self.store = store
        self.project_id = project_id
        self.database = project_database(project_id)

    def iterations(self, department: str | None = None) -> list[Iteration]:
        """Committed iterations, oldest first, of one department or of all."""
        where = {"department": department} if department else None
        documents = self.store.find(self.database, ITERATIONS, where, sort=[("department", 1), ("number", 1)])
        return [Iteration.from_document(document) for document in documents]

    def items(self, department: str | None = None) -> list[Item]:
        """Committed, active items in the order of department, iteration and place."""
        return [item for item in self.everything(department) if item.is_active]

    def everything(self, department: str | None = None) -> list[Item]:
        """Committed items whatever their state, in the order of department, iteration and place; what no iteration made by time."""
        return [item for item, _ in self.placed(department=department)]

    def committed(self, documents: Iterable[Mapping[str, Any]], department: str | None = None) -> list[Item]:
        """The committed ones of these documents of collection `gather`, in order."""
        return [item for item, _ in self.placed(documents, department)]

    def placed(self, documents: Iterable[Mapping[str, Any]] | None = None, department: str | None = None) -> list[tuple[Item, int]]:
        """As `committed`, of all documents where None, each with its place among those of its department and iteration."""
        if documents is None:
            documents = self.store.find(self.database, ITEMS, {"department": department} if department else None)
        places = {id: place for iteration in self.iterations(department) for place, id in enumerate(iteration.item_ids)}
        found = [document for document in documents if document["_id"] in places or document.get(SELF_COMMITTED)]

        def place(document: Mapping[str, Any]) -> int:
            return int(places.get(document["_id"], document.get("place", 0)))

        def order(document: Mapping[str, Any]) -> tuple[str, int, str, int, str, str]:
            at = document["created_at"]
            return (
                document["department"],
                document["iteration"] or LAST,
                "" if document["iteration"] else at,
                place(document),
                at,
                document["_id"],
            )

        return [(Item.from_document(document), place(document)) for document in sorted(found, key=order)]

    def item(self, id: str) -> tuple[Item, int] | None:
        """A committed item whatever its state, and the version of its document; None where there is none."""
        document = self.store.get(self.database, ITEMS, id)
        if document is None:
            return None
        if not document.get(SELF_COMMITTED):
            iteration = self.store.get(self.database, ITERATIONS, iteration_id(document["department"], document["iteration"]))
            if iteration is None or id not in iteration["item_ids"]:
                return None
        return Item.from_document(document), int(document["_version"])

    def position(self) -> str:
        """The cursor from which `changed_items` tells only what changes from now on."""
        return self.store.position(self.database)

    def changed_items(self, cursor: str) -> tuple[list[Document], str]:
        """Documents of collection `gather` changed after the cursor, committed or not, and the cursor after them."""
        rows, cursor = changes_since(self.store, self.database, ITEMS, cursor)
        return list(rows.values()), cursor

    def add_items(self, items: Sequence[Item], places: Sequence[int] | None = None) -> None:
        """Stores items that no iteration made, at these places or in their order; seen at once. `DuplicateKey` where an id is taken."""
        rows = zip(items, range(len(items)) if places is None else places, strict=True)
        self.store.insert_many(self.database, ITEMS, [{**item.to_document(), "place": place, SELF_COMMITTED: True} for item, place in rows])

    def change_item(self, item: Item, expected_version: int) -> None:
        """Replaces an item by a later version of itself; `VersionConflict` where somebody else changed its document first."""
        fields = {name: value for name, value in item.to_document().items() if name != "_id"}
        self.store.update(self.database, ITEMS, item.id, fields, expected_version=expected_version)

    def distinct_pairs(self, items: Iterable[Item] | None = None) -> frozenset[frozenset[str]]:
        """Pairs of content hashes that a person has said are no duplicates; of the items given, else of all."""
        known = self.everything() if items is None else items
        return frozenset(frozenset(one.hashes) for item in known for one in item.overruled if one.hashes)

    def newest_items(self, department: str, limit: int) -> list[Item]:
        """The department's newest active items, newest first."""
        return self.items(department)[::-1][:limit]

    def read_gather_items(self, project_id: str) -> list[Document]:
        """Every committed item of the project as its document (S001-MDB-01)."""
        return [item.to_document() for item in GatherRepository(self.store, project_id).items()]

    def vectors(self, items: Sequence[Item], model: str, department: str | None = None) -> dict[str, Vectors]:
        """Stored embeddings of the items' present texts, by id; an item without one is left out.

        Args:
            items: Committed items.
            model: Name of the embedder.
            department: Slug, where all items are of one department.
        """
        import numpy as np  # not above: a command that only reads starts without it

        wanted = {item.id: content_hash(item.content) for item in items}
        if not wanted:
            return {}
        where = {"model": model} | ({"department": department} if department else {})
        rows = self.store.find(self.database, EMBEDDINGS, where)
        return {
            row["item_id"]: np.frombuffer(row["vector"], np.float32) for row in rows if wanted.get(row["item_id"]) == row["content_hash"]
        }

    def embedding_count(self, items: Iterable[Item], model: str) -> int:
        """How many of the items have an embedding of the model."""
        wanted = {item.id for item in items}
        return sum(row["item_id"] in wanted for row in self.store.find(self.database, EMBEDDINGS, {"model": model}))

    def drop_embeddings(self, items: Sequence[Item]) -> None:
        """Deletes the embeddings of these items, of every model."""
        if items:
            self.store.delete(self.database, EMBEDDINGS, {"item_id": {"$in": [item.id for item in items]}})

    def save_embeddings(self, items: Sequence[Item], vectors: Vectors, model: str) -> None:
        """Stores one vector an item, over an older one of the same model.

        Args:
            items: Stored items.
            vectors: Float32 rows of shape (len(items), d).
            model: Name of the embedder.
        """
        self._put(EMBEDDINGS, [embedding_row(item, vector, model) for item, vector in zip(items, vectors, strict=True)])

    def _put(self, collection: str, rows: Sequence[Document]) -> None:
        """Stores rows over those of the same ids: at once where none is there, as nearly always."""
        try:
            self.store.insert_many(self.database, collection, rows)
        except DuplicateKey:
            for row in rows:
                self.store.upsert(self.database, collection, row)

    def save_iteration_rows(
        self,
        department: str,
        number: int,
        items: Sequence[Item],
        vectors: Vectors,
        model: str,
        decisions: Sequence[Document],
    ) -> None:
        """Stores what an iteration made, over what an interrupted attempt at it left; not seen by anyone before `commit`.

        Args:
            department: Slug.
            number: Number of the iteration.
            items: Accepted items.
            vectors: Their embeddings, row by row.
            model: Name of the embedder.
            decisions: One for each text decided on, as `decision_row` makes it.
        """
        for collection in COMMITTED_WITH_ITERATION:
            self._delete_uncommitted(collection, department, number)
        self.store.insert_many(self.database, ITEMS, [item.to_document() for item in items])
        rows = [embedding_row(item, vector, model) for item, vector in zip(items, vectors, strict=True)]
        self.store.insert_many(self.database, EMBEDDINGS, rows)
        self.store.insert_many(self.database, DECISIONS, decisions)

    def _delete_uncommitted(self, collection: str, department: str, number: int) -> None:
        """Deletes an iteration's rows; never one that is committed by itself, whatever its iteration."""
        where: dict[str, Any] = {"department": department, "iteration": number}
        rows = self.store.find(self.database, collection, where)
        own = self._self_committed() if any(row.get("item_id") for row in rows) else set()
        stale = [row["_id"] for row in rows if not row.get(SELF_COMMITTED) and row.get("item_id") not in own]
        if stale:
            self.store.delete(self.database, collection, where | {"_id": {"$in": stale}})

    def _self_committed(self) -> set[str]:
        return {row["_id"] for row in self.store.find(self.database, ITEMS, {SELF_COMMITTED: True})}

    def commit(self, iteration: Iteration) -> None:
        """Makes the iteration's rows seen: the one insert that counts."""
        self.store.insert_many(self.database, ITERATIONS, [iteration.to_document()])

    def clear_uncommitted(self) -> int:
        """Deletes rows of iterations that were never committed and returns how many; call only under the project's lease."""
        committed = {(iteration.department, iteration.number) for iteration in self.iterations()}
        own = self._self_committed()
        removed = 0
        for collection in COMMITTED_WITH_ITERATION:
            rows = self.store.find(self.database, collection)
            orphans = [
                row["_id"]
                for row in rows
                if (row["department"], row["iteration"]) not in committed and not row.get(SELF_COMMITTED) and row.get("item_id") not in own
            ]
            if orphans:
                removed += self.store.delete(self.database, collection, {"_id": {"$in": orphans}})
        return removed

    def dropped(self, department: str | None = None) -> list[Document]:
        """Committed decisions that dropped a text, in order, each with the `item_id` by which it can be restored."""
        committed = {(iteration.department, iteration.number) for iteration in self.iterations(department)}
        where: dict[str, Any] = {"duplicate": True} | ({"department": department} if department else {})
        rows = self.store.find(self.database, DECISIONS, where, sort=[("department", 1), ("iteration", 1), ("place", 1)])
        return [
            {"item_id": item_id(self.project_id, row["department"], row["iteration"], row["place"]), **row}
            for row in rows
            if (row["department"], row["iteration"]) in committed or row.get(SELF_COMMITTED)
        ]

    def record_drops(self, rows: Sequence[Document]) -> None:
        """Stores decisions that belong to no iteration; seen at once."""
        self._put(DECISIONS, [{**row, SELF_COMMITTED: True} for row in rows])

    def last_sequence(self) -> int:
        """Sequence number of the project's newest event, 0 where there is none."""
        newest = self.store.find(self.database, EVENTS, sort=[("sequence", -1)], limit=1)
        return int(newest[0]["sequence"]) if newest else 0

    def save_event(self, event: Mapping[str, Any]) -> None:
        """Stores a numbered event; `DuplicateKey` where its number is taken."""
        self.add_records(EVENTS, [event_record(event)])

    def add_records(self, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents that need no commit, events and executions, together; `DuplicateKey` where an ``_id`` is taken."""
        self.store.insert_many(self.database, collection, documents)

    def events(self, after: int = 0, limit: int | None = None) -> list[Document]:
        """Events with a sequence above `after`, in order."""
        rows = self.store.find(self.database, EVENTS, {"sequence": {"$gt": after}}, sort=[("sequence", 1)], limit=limit)
        return [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]

    def record(self, collection: str, document: Document) -> Document:
        """Stores or replaces a document by its ``_id``: departments, scores, drafts, executions."""
        return self.store.upsert(self.database, collection, document)

    def rows(self, collection: str, where: Mapping[str, Any] | None = None) -> list[Document]:
        """Documents of a collection that need no commit: departments, scores, drafts, executions."""
        return self.store.find(self.database, collection, where)

    def data_version(self, department: str) -> str:
        """Version of a department's active items."""
        return version_of(self.items(department))
