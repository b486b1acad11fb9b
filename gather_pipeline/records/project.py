"""One project's records: typed reads and writes over its database.

An iteration is a row of `iterations` that is opened before anything of it is stored and committed by an update of that very row. Who takes
over a lease removes what is open (`settle`), so that no run that lost its lease can commit any more: the store refuses that update. What a
person adds, restores or imports is committed by its own insert and says so (`self_committed`). Readers see only what is committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.departments import StoredDepartment
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.iterations import Iteration, iteration_id
from gather_pipeline.domain.ledger import Ledger
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.quality import Analysis, Score
from gather_pipeline.errors import DuplicateKey, ProjectBusy, StaleCursor, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document, DocumentStore, Embedder, Vectors
from gather_pipeline.records import documents as rows
from gather_pipeline.records.lease import LOST, Lease
from gather_pipeline.records.marks import Marks
from gather_pipeline.records.view import ProjectView

ITEMS, EMBEDDINGS, DECISIONS, ITERATIONS, ANALYSES = "gather", "embeddings", "duplicate_decisions", "iterations", "analyses"
EVENTS, SCORES, DRAFTS, DEPARTMENTS = "events", "quality_scores", "drafts", "departments"
LEDGERS = "context_ledgers"
COMMITTED_WITH_ITERATION = (ITEMS, EMBEDDINGS, DECISIONS, LEDGERS)
LISTED = 50  # dropped elements that a stored ledger names: a grown project offers thousands to each prompt
SELF_COMMITTED = "self_committed"
OPEN = "open"  # of an iteration: token of the lease under which it is being made, empty or missing once it is committed
LAST = 10**9  # place of what no iteration made, behind all that one made


@dataclass(frozen=True)
class Embedding:
    """A stored embedding.

    Attributes:
        content_hash: Of the text that was embedded.
        vector: Float32, length 1, shape (d,).
    """

    item_id: str
    content_hash: str
    model: str
    vector: Vectors


def vectors_of(stored: Iterable[Embedding], items: Sequence[Item], model: str) -> dict[str, Vectors]:
    """Stored embeddings of the items' present texts, by id; an item without one is left out."""
    hashes = {item.id: item.hash for item in items}
    return {one.item_id: one.vector for one in stored if one.model == model and hashes.get(one.item_id) == one.content_hash}


def completed_vectors(stored: Iterable[Embedding], items: Sequence[Item], embedder: Embedder) -> dict[str, Vectors]:
    """Embeddings of all the items' present texts, by id; what is not stored is made for the moment."""
    vectors = vectors_of(stored, items, embedder.name)
    missing = [item for item in items if item.id not in vectors]
    return vectors | dict(zip((item.id for item in missing), embedder.embed([item.content for item in missing]), strict=True))


class ProjectRecords:
    """The records of one project; without `marks`, which tell when people changed a department, its items are always looked at."""

    def __init__(self, store: DocumentStore, project_id: str, marks: Marks | None = None) -> None:
        self._store, self.marks = store, marks
        self.project_id = project_id
        self._database = project_database(project_id)

    def view(self, department: str | None = None) -> ProjectView:
        """The project, or what one department has of it, as it stands; each part is read once, when it is first looked at."""
        return ProjectView(self, department)

    def iterations(self, department: str | None = None) -> list[Iteration]:
        """Committed iterations, by department, oldest first; of one department where it is given."""
        where = {} if department is None else {"department": department}
        found = self._find(ITERATIONS, where, sort=[("department", 1), ("number", 1)])
        return [rows.iteration_of(one) for one in found if not one.get(OPEN)]

    def placed(self, iterations: Iterable[Iteration], department: str | None = None) -> list[tuple[Item, int]]:
        """Committed items whatever their state, each with its place among those of its department and iteration.

        They come in the order of department, iteration and place, and what no iteration made last, by time. `iterations` are the project's,
        or those of the department that is given.
        """
        places = {id: place for iteration in iterations for place, id in enumerate(iteration.item_ids)}
        where = {} if department is None else {"department": department}
        found = [one for one in self._find(ITEMS, where) if one["_id"] in places or one.get(SELF_COMMITTED)]

        def place(document: Document) -> int:
            return places[document["_id"]] if document["_id"] in places else int(document.get("place", 0))

        def order(document: Document) -> tuple[str, int, str, int, str, str]:
            at, iteration = document["created_at"], document["iteration"]
            return document["department"], iteration or LAST, "" if iteration else str(at), place(document), at, document["_id"]

        return [(Item.from_document(document), place(document)) for document in sorted(found, key=order)]

    def item(self, id: str) -> tuple[Item, int] | None:
        """A committed item whatever its state, and the version of its document; None where there is none."""
        document = self._store.get(self._database, ITEMS, id)
        if document is None:
            return None
        if not document.get(SELF_COMMITTED):
            iteration = self._store.get(self._database, ITERATIONS, iteration_id(document["department"], document["iteration"]))
            if iteration is None or id not in iteration.get("item_ids", ()):
                return None
        return Item.from_document(document), int(document["_version"])

    def items(self, ids: Iterable[str]) -> list[Item]:
        """Those of these items that are committed, whatever their state, in no order; an id that is none's is left out."""
        wanted = list(ids)
        found = self._find(ITEMS, {"_id": {"$in": wanted}}) if wanted else []
        made_in = {one["_id"]: iteration_id(one["department"], one["iteration"]) for one in found if not one.get(SELF_COMMITTED)}
        iterations = self._find(ITERATIONS, {"_id": {"$in": sorted(set(made_in.values()))}}) if made_in else []
        committed = {id for iteration in iterations for id in iteration.get("item_ids", ())}
        return [Item.from_document(one) for one in found if one["_id"] in committed or one["_id"] not in made_in]

    def added_items(self) -> list[Item]:
        """Items that no iteration made, whatever their state, in no order."""
        return [Item.from_document(one) for one in self._find(ITEMS, {SELF_COMMITTED: True})]

    def persons_items(self) -> list[Item]:
        """Items that a person wrote, edited or restored, whatever their state, in no order."""
        return [Item.from_document(one) for one in self._find(ITEMS, {"written_by": {"$gt": ""}})]

    def embeddings(self, department: str | None = None) -> list[Embedding]:
        """Stored embeddings of every model, of one department where it is given."""
        import numpy as np  # not above: a command that only reads starts without it

        found = self._find(EMBEDDINGS, {} if department is None else {"department": department})
        return [Embedding(one["item_id"], one["content_hash"], one["model"], np.frombuffer(one["vector"], np.float32)) for one in found]

    def analyses(self, department: str) -> dict[str, tuple[str, Analysis]]:
        """What is counted of a department's notes by themselves, with the key of what it was counted of, by id of the item."""
        return {one["_id"]: (one["key"], rows.analysis_of(one)) for one in self._find(ANALYSES, {"department": department})}

    def save_analyses(self, analysed: Sequence[tuple[Item, str, Analysis]], replaced: Collection[str] = ()) -> None:
        """Stores what is counted of notes, each with its key; `replaced` are ids of items that are known to have an older one."""
        self._put(ANALYSES, [rows.analysis_document(*one) for one in analysed], replaced)

    def dropped(self, iterations: Iterable[Iteration], department: str | None = None) -> list[DecidedText]:
        """Committed decisions that dropped a text, in order; `iterations` are the project's, or those of the department that is given."""
        return self._decided(iterations, {"duplicate": True} if department is None else {"duplicate": True, "department": department})

    def marked(self) -> list[DecidedText]:
        """Decisions of people that a text repeats another, in order."""
        return self._decided((), {"rule": "person"})

    def decisions(self, iterations: Iterable[Iteration], item_id: str) -> list[DecidedText]:
        """Committed decisions about the text of an item, kept or dropped, in order; `iterations` are at least those of its department."""
        return self._decided(iterations, {"item_id": item_id})

    def _decided(self, iterations: Iterable[Iteration], where: Mapping[str, Any]) -> list[DecidedText]:
        committed = {(iteration.department, iteration.number, iteration.task_id) for iteration in iterations}
        committed |= {(slug, number, "") for slug, number, _ in committed}  # rows of earlier releases name no run
        found = self._find(DECISIONS, where, sort=[("department", 1), ("iteration", 1), ("place", 1)])
        return [
            rows.decided_of(one, self.project_id)
            for one in found
            if (one["department"], one["iteration"], one.get("task_id", "")) in committed or one.get(SELF_COMMITTED)
        ]

    def scores(self) -> list[Score]:
        """Every department's newest score."""
        return [rows.score_of(one) for one in self._find(SCORES)]

    def drafts(self) -> list[Draft]:
        """Every department's draft."""
        return [rows.draft_of(one) for one in self._find(DRAFTS)]

    def departments(self) -> list[StoredDepartment]:
        """The departments that the project's runs have found, in the order in which they run."""
        return sorted((rows.department_of(one) for one in self._find(DEPARTMENTS)), key=lambda one: one.place)

    def events(self, after: int = 0, limit: int | None = None) -> list[Event]:
        """Events with a sequence number above `after`, in order, so many at most."""
        return [rows.event_of(one) for one in self._find(EVENTS, {"sequence": {"$gt": after}}, sort=[("sequence", 1)], limit=limit)]

    def events_of(self, **where: Iterable[str]) -> list[Event]:
        """Events, in order, whose fields of these names have one of these values."""
        wanted = {name: {"$in": list(values)} for name, values in where.items()}
        return [rows.event_of(one) for one in self._find(EVENTS, wanted, sort=[("sequence", 1)])]

    def last_sequence(self) -> int:
        """Sequence number of the newest event, 0 where there is none."""
        newest = self._find(EVENTS, sort=[("sequence", -1)], limit=1)
        return int(newest[0]["sequence"]) if newest else 0

    def position(self) -> str:
        """The cursor from which `changed_items` gives only what changes from now on."""
        return self._store.position(self._database)

    def has_same_items(self, cursor: str) -> bool:
        """Whether no item and no iteration was written since the cursor, so that what was seen of them then is all there is."""
        try:
            return not any(self._store.changed_since(self._database, name, cursor).documents for name in (ITEMS, ITERATIONS))
        except StaleCursor:
            return False

    def changed_items(self, cursor: str) -> tuple[dict[str, int], str]:
        """Revisions by id of items changed after the cursor, committed or not, and the cursor after them."""
        changes = self._store.changed_since(self._database, ITEMS, cursor)
        return {row["_id"]: int(row.get("revision", 1)) for row in changes.documents}, changes.cursor

    def committed_since(self, items: str, iterations: str) -> tuple[list[Item], str, str]:
        """Committed items, whatever their state, that were changed or committed after a cursor of items and one of iterations.

        Returns:
            The items, and both cursors after them.
        """
        changed = self._store.changed_since(self._database, ITEMS, items)
        made = self._store.changed_since(self._database, ITERATIONS, iterations)  # after the items, so that none falls between
        ids = dict.fromkeys(row["_id"] for row in changed.documents)
        ids |= dict.fromkeys(id for row in made.documents if not row.get(OPEN) for id in row.get("item_ids", ()))
        return self.items(ids), changed.cursor, made.cursor

    def add_items(self, items: Sequence[Item], places: Sequence[int] | None = None) -> None:
        """Stores items that no iteration made, at these places or in their order; seen at once. `DuplicateKey` where an id is taken."""
        found = zip(items, range(len(items)) if places is None else places, strict=True)
        self._insert(ITEMS, [{**item.to_document(), "place": place, SELF_COMMITTED: True} for item, place in found])

    def change_item(self, item: Item, expected_version: int) -> None:
        """Replaces an item by a later version of itself; `VersionConflict` where somebody else changed its document first."""
        fields = {name: value for name, value in item.to_document().items() if name != "_id"}
        self._store.update(self._database, ITEMS, item.id, fields, expected_version=expected_version)

    def save_embeddings(self, items: Sequence[Item], vectors: Vectors, model: str, replaced: Collection[str] = ()) -> None:
        """Stores one vector an item, row by row, over an older one of the same model; `replaced` are ids of items known to have one."""
        documents = [rows.embedding_document(item, vector, model) for item, vector in zip(items, vectors, strict=True)]
        self._put(EMBEDDINGS, documents, {one["_id"] for one in documents if one["item_id"] in replaced})

    def drop_embeddings(self, item_ids: Iterable[str]) -> None:
        """Deletes the embeddings of these items, of every model."""
        if ids := list(item_ids):
            self._store.delete(self._database, EMBEDDINGS, {"item_id": {"$in": ids}})

    def open_iteration(self, department: str, number: int, lease: Lease) -> bool:
        """Reserves an iteration for the holder of the lease, before anything of it is stored; a second time it begins anew.

        False where the holder has committed it already; raises `ProjectBusy` where the lease is lost.
        """
        id = iteration_id(department, number)
        row = {"_id": id, "department": department, "number": number, "task_id": lease.owner.task_id, OPEN: lease.token}
        while True:
            try:
                self._insert(ITERATIONS, [row])
                break
            except DuplicateKey:
                held = self._store.get(self._database, ITERATIONS, id)
                lease.confirm()
                if held is not None and held.get(OPEN):
                    self._discard(held, lease)
                elif held is not None and held["task_id"] == lease.owner.task_id:
                    return False
                elif held is not None:
                    raise
        lease.confirm()  # after it was opened: who takes the lease over from now on finds it
        return True

    def save_iteration_rows(self, items: Sequence[Item], vectors: Vectors, model: str, decided: Sequence[DecidedText]) -> None:
        """Stores what an open iteration made, not seen before `commit`; the vectors are the items' embeddings, row by row."""
        embeddings = [rows.embedding_document(item, vector, model) for item, vector in zip(items, vectors, strict=True)]
        self._insert(ITEMS, [item.to_document() for item in items])
        self._insert(EMBEDDINGS, embeddings)
        self._insert(DECISIONS, [rows.decided_document(one) for one in decided])

    def save_ledgers(self, department: str, number: int, task_id: str, ledgers: Sequence[Ledger]) -> None:
        """Stores what the prompts of an open iteration included and left out.

        Apart from the iteration, for whoever asks how one item came about: every command reads all iterations.
        """
        documents = [rows.ledger_document(ledger.listing(LISTED)) for ledger in ledgers]
        own = {"department": department, "iteration": number, "task_id": task_id}
        self._insert(LEDGERS, [{"_id": f"{iteration_id(department, number)}|{task_id}", **own, "ledgers": documents}])

    def ledgers(self, department: str, number: int) -> list[Ledger]:
        """The accounts of the prompts of a committed iteration; none where nothing is known of it."""
        iteration = self._store.get(self._database, ITERATIONS, iteration_id(department, number))
        if iteration is None or iteration.get(OPEN):
            return []
        stored = self._store.get(self._database, LEDGERS, f"{iteration['_id']}|{iteration['task_id']}")
        if stored is not None:
            return [rows.ledger_of(one) for one in stored["ledgers"]]
        return [rows.early_ledger_of(iteration["ledger"])] if iteration.get("ledger") else []

    def commit(self, iteration: Iteration, lease: Lease) -> None:
        """Makes the rows of an open iteration seen, by one write; removes them and raises `ProjectBusy` where the lease was taken over."""
        row = rows.iteration_document(iteration)
        fields = {name: value for name, value in row.items() if name != "_id"} | {OPEN: ""}
        try:
            self._store.update(self._database, ITERATIONS, iteration.id, fields, where={OPEN: lease.token})
        except (VersionConflict, UnknownEntity):
            held = self._store.get(self._database, ITERATIONS, iteration.id)
            if held is None or held.get(OPEN) or held["task_id"] != iteration.task_id:
                self._delete_rows(row)
                raise ProjectBusy(LOST) from None

    def settle(self, lease: Lease) -> int:
        """Removes what runs that are gone left open and returns how many rows; what they would still commit is refused from now on.

        Call it before anything else is written under a lease; raises `ProjectBusy` where that is lost.
        """
        left = self._find(ITERATIONS, {OPEN: {"$gt": ""}})
        lease.confirm()  # after they were read, so that none is of a successor
        return sum(self._discard(row, lease) for row in left)

    def free(self, ids: Sequence[str], lease: Lease) -> None:
        """Deletes items under these ids, none of which is a committed item's: earlier releases left them after a kill."""
        left = [row["_id"] for row in self._find(ITEMS, {"_id": {"$in": ids}}) if not row.get(SELF_COMMITTED)]
        if left:
            lease.confirm()  # after they were read, so that none is of a successor
            self._store.delete(self._database, ITEMS, {"_id": {"$in": left}})

    def _discard(self, row: Document, lease: Lease) -> int:
        """Takes an open iteration from its run, removes its rows, and itself last, so that it is found again after a kill."""
        id = row["_id"]
        try:
            self._store.update(self._database, ITERATIONS, id, {OPEN: lease.token}, where={OPEN: row[OPEN]})
        except (VersionConflict, UnknownEntity):
            return 0  # it was committed, or somebody else removed it
        removed = self._delete_rows(row)
        self._store.delete(self._database, ITERATIONS, {"_id": id, OPEN: lease.token})
        return removed

    def _delete_rows(self, iteration: Document) -> int:
        """Deletes what one run stored for an iteration that it did not commit."""
        own = {"department": iteration["department"], "iteration": iteration["number"], "task_id": iteration["task_id"]}
        return sum(self._store.delete(self._database, collection, own) for collection in COMMITTED_WITH_ITERATION)

    def record_drops(self, decided: Sequence[DecidedText]) -> None:
        """Stores decisions that belong to no iteration; seen at once."""
        self._put(DECISIONS, [{**rows.decided_document(one), SELF_COMMITTED: True} for one in decided])

    def add_events(self, events: Sequence[Event]) -> None:
        """Stores numbered events; `DuplicateKey` where a number is taken."""
        self._insert(EVENTS, [rows.event_document(event) for event in events])

    def save_score(self, score: Score, stored: Score | None = None, lease: Lease | None = None) -> Score:
        """Stores a department's score over `stored`; under a lease over a later one only while it is held, else `ProjectBusy`."""
        return rows.score_of(self._replace(SCORES, rows.score_document(score), stored.revision if stored else None, lease))

    def save_draft(self, draft: Draft, stored: Draft | None = None, lease: Lease | None = None) -> Draft:
        """Stores a department's draft over `stored`; under a lease over a later one only while it is held, else `ProjectBusy`."""
        return rows.draft_of(self._replace(DRAFTS, rows.draft_document(draft), stored.revision if stored else None, lease))

    def save_department(self, stored: StoredDepartment) -> None:
        """Stores a department as the project's run found it."""
        self._store.upsert(self._database, DEPARTMENTS, rows.department_document(stored))

    def _find(self, collection: str, where: Mapping[str, Any] | None = None, **options: Any) -> list[Document]:
        return self._store.find(self._database, collection, where, **options)

    def _insert(self, collection: str, documents: Sequence[Document]) -> None:
        if documents:
            self._store.insert_many(self._database, collection, documents)

    def _replace(self, collection: str, document: Document, revision: int | None, lease: Lease | None) -> Document:
        if lease is None:
            return self._store.upsert(self._database, collection, document)
        id, fields = document["_id"], {name: value for name, value in document.items() if name != "_id"}
        while True:
            try:
                if revision is None:
                    self._insert(collection, [document])
                    return document | {"_version": 1}
                return self._store.update(self._database, collection, id, fields, expected_version=revision)
            except (DuplicateKey, VersionConflict, UnknownEntity):  # a successor, or somebody who refreshes what people changed
                held = self._store.get(self._database, collection, id)
                lease.confirm()
                revision = int(held["_version"]) if held else None

    def _put(self, collection: str, documents: Sequence[Document], replaced: Collection[str] = ()) -> None:
        """Stores documents over those of the same ids: at once what is not there, as nearly always; `replaced` is known to be there."""
        there = [one for one in documents if one["_id"] in replaced]
        try:
            self._insert(collection, [one for one in documents if one["_id"] not in replaced])
        except DuplicateKey:
            there = list(documents)
        for document in there:
            self._store.upsert(self._database, collection, document)
