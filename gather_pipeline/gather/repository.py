"""What the loop keeps for one project, as typed reads and writes over the document store.

The insert of an `iterations` document commits what its iteration made. Readers here see only committed rows;
`clear_uncommitted` removes what a killed run left behind. Nothing else in the package reads these collections.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.similarity import Decision
from gather_pipeline.ports import Document, DocumentStore, Vectors

ITEMS, EMBEDDINGS, DECISIONS, ITERATIONS = "gather", "embeddings", "duplicate_decisions", "iterations"
EVENTS, SCORES, DRAFTS, EXECUTIONS, DEPARTMENTS = "events", "quality_scores", "drafts", "executions", "departments"
COMMITTED_WITH_ITERATION = (ITEMS, EMBEDDINGS, DECISIONS)


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
        """Committed items in the order of department, iteration and place."""
        return self._items_of(self.iterations(department))

    def newest_items(self, department: str, limit: int) -> list[Item]:
        """The department's newest committed items, newest first."""
        return self._items_of(self.iterations(department))[::-1][:limit]

    def _items_of(self, iterations: Sequence[Iteration]) -> list[Item]:
        wanted = [id for iteration in iterations for id in iteration.item_ids]
        departments = {iteration.department for iteration in iterations}
        where = {"department": next(iter(departments))} if len(departments) == 1 else None
        found = {document["_id"]: document for document in self.store.find(self.database, ITEMS, where)} if wanted else {}
        return [Item.from_document(found[id]) for id in wanted if id in found]

    def read_gather_items(self, project_id: str) -> list[Document]:
        """Every committed item of the project as its document (S001-MDB-01)."""
        return [item.to_document() for item in GatherRepository(self.store, project_id).items()]

    def vectors(self, items: Sequence[Item], model: str) -> Vectors | None:
        """Stored embeddings of the items, row by row; None where one is missing or of another text."""
        if not items:
            return None
        rows = {row["item_id"]: row for row in self.store.find(self.database, EMBEDDINGS, {"model": model})}
        found = [rows.get(item.id) for item in items]
        usable = [row for row, item in zip(found, items, strict=True) if row and row["content_hash"] == content_hash(item.content)]
        if len(usable) != len(items):
            return None
        return np.stack([np.frombuffer(row["vector"], dtype=np.float32) for row in usable])

    def embedding_count(self, items: Iterable[Item], model: str) -> int:
        """How many of the items have an embedding of the model."""
        wanted = {item.id for item in items}
        return sum(row["item_id"] in wanted for row in self.store.find(self.database, EMBEDDINGS, {"model": model}))

    def save_embeddings(self, items: Sequence[Item], vectors: Vectors, model: str) -> None:
        """Stores one vector an item, over an older one of the same model.

        Args:
            items: Stored items.
            vectors: Float32 rows of shape (len(items), d).
            model: Name of the embedder.
        """
        for item, vector in zip(items, vectors, strict=True):
            self.store.upsert(self.database, EMBEDDINGS, _embedding(item, vector, model))

    def save_iteration_rows(
        self,
        department: str,
        number: int,
        items: Sequence[Item],
        vectors: Vectors,
        model: str,
        decisions: Sequence[tuple[str, str, int, int, str, Decision]],
    ) -> None:
        """Stores what an iteration made, over what an interrupted attempt at it left; not seen by anyone before `commit`.

        Args:
            department: Slug.
            number: Number of the iteration.
            items: Accepted items.
            vectors: Their embeddings, row by row.
            model: Name of the embedder.
            decisions: For each text decided on: department, text, iteration, place in it, version of the rules, decision.
        """
        for collection in COMMITTED_WITH_ITERATION:
            self.store.delete(self.database, collection, {"department": department, "iteration": number})
        self.store.insert_many(self.database, ITEMS, [item.to_document() for item in items])
        rows = [_embedding(item, vector, model) for item, vector in zip(items, vectors, strict=True)]
        self.store.insert_many(self.database, EMBEDDINGS, rows)
        self.store.insert_many(self.database, DECISIONS, [_decision(*row) for row in decisions])

    def commit(self, iteration: Iteration) -> None:
        """Makes the iteration's rows seen: the one insert that counts."""
        self.store.insert_many(self.database, ITERATIONS, [iteration.to_document()])

    def clear_uncommitted(self) -> int:
        """Deletes rows of iterations that were never committed and returns how many; call only under the project's lease."""
        committed = {(iteration.department, iteration.number) for iteration in self.iterations()}
        removed = 0
        for collection in COMMITTED_WITH_ITERATION:
            rows = self.store.find(self.database, collection)
            orphans = [row["_id"] for row in rows if (row["department"], row["iteration"]) not in committed]
            if orphans:
                removed += self.store.delete(self.database, collection, {"_id": {"$in": orphans}})
        return removed

    def dropped(self, department: str | None = None) -> list[Document]:
        """Committed decisions that dropped a text, in order."""
        committed = {(iteration.department, iteration.number) for iteration in self.iterations(department)}
        where: dict[str, Any] = {"duplicate": True} | ({"department": department} if department else {})
        rows = self.store.find(self.database, DECISIONS, where, sort=[("department", 1), ("iteration", 1), ("place", 1)])
        return [row for row in rows if (row["department"], row["iteration"]) in committed]

    def last_sequence(self) -> int:
        """Sequence number of the project's newest event, 0 where there is none."""
        newest = self.store.find(self.database, EVENTS, sort=[("sequence", -1)], limit=1)
        return int(newest[0]["sequence"]) if newest else 0

    def save_event(self, event: Mapping[str, Any]) -> None:
        """Stores a numbered event; `DuplicateKey` where its number is taken."""
        self.store.insert_many(self.database, EVENTS, [{"_id": f"{event['sequence']:012d}", **event}])

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
        """Version of a department's items: a hash of their ids and texts, in 16 hexadecimal digits."""
        return self.version_of(self.items(department))

    @staticmethod
    def version_of(items: Sequence[Item]) -> str:
        """Version of these items: a hash of their ids and texts, in 16 hexadecimal digits."""
        parts = [f"{item.id}:{content_hash(item.content)}" for item in items]
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:16]


def _embedding(item: Item, vector: Vectors, model: str) -> Document:
    return {
        "_id": f"{item.id}:{model}",
        "item_id": item.id,
        "department": item.department,
        "iteration": item.iteration,
        "model": model,
        "content_hash": content_hash(item.content),
        "dimensions": int(vector.shape[0]),
        "vector": np.ascontiguousarray(vector, dtype=np.float32).tobytes(),
    }


def _decision(department: str, content: str, iteration: int, place: int, rules: str, decision: Decision) -> Document:
    return {
        "_id": f"{department}|{iteration:06d}|{place:03d}",
        "department": department,
        "iteration": iteration,
        "place": place,
        "content": content,
        "duplicate": decision.duplicate,
        "rule": decision.rule,
        "similarity": decision.similarity,
        "cosine": decision.cosine,
        "match_id": decision.match_id,
        "match_content": decision.match_content,
        "reason": decision.reason,
        "rules_version": rules,
    }
