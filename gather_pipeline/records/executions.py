"""The log of executions (S004-LOG): one record each, a project's in the project's database, the others in the shared one.

What is large is stored once, by its hash, beside the records; so is every definition, so that what was asked can be told when its file
has changed. Secrets of the settings are masked before anything is stored.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from gather_pipeline.domain.json_texts import each_text
from gather_pipeline.domain.projects import project_database
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import EditConflict, GatherError, StoreError, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document, DocumentStore
from gather_pipeline.records.contents import Contents
from gather_pipeline.records.projects import PROJECTS
from gather_pipeline.tasks.execution import Execution, Feedback, digest

if TYPE_CHECKING:
    from gather_pipeline.tasks.definition import TaskDefinition

EXECUTIONS, REPLAYS = "executions", "replays"
LARGE = 4000  # characters as JSON from which a value is stored by its hash
LONG_NUMBER = re.compile(r"\d{19}")  # may have more than 64 bits
TRIES = 10  # people who give feedback on one execution at the same moment

Read = TypeVar("Read")

logger = logging.getLogger(__name__)


class Executions:
    """Every execution, once, at its end; and what was said of it later. Replays have a collection of their own, so that they do not count.

    `definition` gives a definition by task and version, to be kept with the records of it.
    """

    def __init__(
        self,
        store: DocumentStore,
        database: str,
        secrets: Secrets = Secrets(),  # noqa: B008
        definition: Callable[[str, str], TaskDefinition] | None = None,
        collection: str = EXECUTIONS,
    ) -> None:
        self._collection = collection
        self._store, self._database, self._secrets, self._definition = store, database, secrets, definition
        self._kept: set[tuple[str, str]] = set()  # databases and definitions' hashes

    def add(self, *executions: Execution, project_id: str | None = None) -> None:
        """Stores executions of a project, or of none; what they refer to is stored before them."""
        if not executions:
            return
        database = self._database if project_id is None else project_database(project_id)
        definitions = self._definitions(database, executions)
        documents, large = [], [*definitions.values()]
        for execution in executions:
            document = each_text(execution.to_document(), self._secrets.mask)
            documents.append(document)
            hashes = document["large"] = {}
            for place, holder, name in _places(document):
                value = holder[name]
                if _is_apart(place, value):
                    large.append(value)
                    hashes[place] = digest(value)
                    holder[name] = None
        Contents(self._store, database).put(large)
        self._kept |= {(database, hash) for hash in definitions}
        self._store.insert_many(database, self._collection, documents)

    def get(self, id: str) -> Execution:
        """The execution of that id, whichever project it belongs to; raises `UnknownEntity` where there is none."""
        database, document = self._find_one(id)
        return self._read(database, [document])[0]

    def find(
        self,
        *,
        task: str | None = None,
        version: str | None = None,
        model: str | None = None,
        status: str | None = None,
        accepted: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        project_id: str | None = None,
        department: str | None = None,
        asked: bool = False,
        limit: int | None = None,
    ) -> list[Execution]:
        """Executions that have all that is named, the newest first; of all projects and of none where no project is named.

        `model` is one of those asked, `asked` whether they came to a prompt, `accepted` what people said of the output last; they began at
        `since` or later and before `until`, UTC in ISO 8601. At most `limit` are given.
        """
        named = {
            "task_id": task,
            "task_version": version,
            "status": status,
            "accepted": accepted,
            "prompt_id": {"$gte": ""} if asked else None,
        }
        where: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        times = {operator: time for operator, time in (("$gte", since), ("$lt", until)) if time is not None}
        if times:
            where["timestamp"] = times

        def read(database: str) -> list[Execution]:
            most = limit
            while True:
                rows = self._store.find(database, self._collection, where, sort=[("timestamp", -1)], limit=most)
                of_model = [row for row in rows if model is None or model in row["models_used"]]
                # Tags may be stored apart: only where they are back in their place it is known what they say.
                near = [row for row in of_model if department is None or row["tags"] is None or row["tags"].get("department") == department]
                found = [one for one in self._read(database, near) if department in (None, one.tags.get("department"))]
                if limit is None or most is None or len(found) >= limit or len(rows) < most:
                    return found[:limit]
                most *= 4

        found = [one for _, some in self._each(read, project_id) for one in some]
        return sorted(found, key=lambda one: one.timestamp, reverse=True)[:limit]

    def feedback(self, id: str, said: Feedback) -> Execution:
        """Adds to an execution what is said of its output, and returns it; the same said twice is said once.

        Raises:
            UnknownEntity: There is no such execution.
            EditConflict: Others give feedback on it again and again at the same moment.
        """
        said = replace(said, note=self._secrets.mask(said.note), corrected=each_text(said.corrected, self._secrets.mask))
        for _ in range(TRIES):
            database, document = self._find_one(id)
            [execution] = self._read(database, [document])
            if said in execution.feedback:
                return execution
            changed = replace(execution, feedback=(*execution.feedback, said))
            row = changed.to_document()
            changes = {"feedback": row["feedback"], "accepted": row["accepted"]}
            try:
                self._store.update(database, self._collection, id, changes, expected_version=document["_version"])
            except VersionConflict:
                continue
            return changed
        raise EditConflict(f"execution {id} gets feedback from others at the same moment: try again")

    def definition(self, execution: Execution) -> TaskDefinition | None:
        """The definition that an execution was made by, as it was then; None where it was not kept."""
        from gather_pipeline.tasks.catalogue import parse_definition  # not above: a command that only reads starts without it

        for _, found in self._each(lambda database: Contents(self._store, database).get([execution.definition_hash])):
            if found:
                return parse_definition(found[execution.definition_hash], f"definition of execution {execution.id}")
        return None

    def _definitions(self, database: str, executions: Sequence[Execution]) -> dict[str, Document]:
        """Documents, by hash, of definitions that this process has not kept in that database yet."""
        found: dict[str, Document] = {}
        for one in executions:
            if self._definition is None or one.definition_hash in found or (database, one.definition_hash) in self._kept:
                continue
            try:
                definition = self._definition(one.task_id, one.task_version)
            except GatherError as error:
                logger.warning("[AutoGather] The definition of %s %s is not kept: %s", one.task_id, one.task_version, error)
                continue
            if definition.hash == one.definition_hash:
                found[one.definition_hash] = definition.to_document()
        return found

    def _each(self, read: Callable[[str], Read], project_id: str | None = None) -> Iterator[tuple[str, Read]]:
        """What is read from a project's database, or from the shared one and then from every project's that is not damaged."""
        if project_id is not None:
            yield (database := project_database(project_id)), read(database)
            return
        yield self._database, read(self._database)
        for project in self._store.find(self._database, PROJECTS):
            database = project_database(project["_id"])
            try:
                found = read(database)
            except StoreError as error:
                logger.warning("[AutoGather] Executions in %s are left out: %s", database, error)
            else:
                yield database, found

    def _find_one(self, id: str) -> tuple[str, Document]:
        for database, document in self._each(lambda database: self._store.get(database, self._collection, id)):
            if document is not None:
                return database, document
        raise UnknownEntity.field("execution", id, "the id of an execution, as tlm execute --json prints it")

    def _read(self, database: str, documents: Sequence[Document]) -> list[Execution]:
        """Executions of documents, whole again."""
        contents = Contents(self._store, database).get(hash for one in documents for hash in one.get("large", {}).values())
        for document in documents:
            large = document.get("large", {})
            for place, holder, name in _places(document) if large else ():
                if place in large:
                    holder[name] = contents.get(large[place])
        return [Execution.from_document(document) for document in documents]


def _places(document: Document) -> Iterator[tuple[str, Document, str]]:
    """Where a value may be that is stored by its hash: the name of the place, what holds it, and under which key."""
    yield "input", document, "input"
    for name in document["input"] or ():  # looked at when the input is back in its place
        yield f"input.{name}", document["input"], name
    for name in ("output", "parameters", "tags"):
        yield name, document, name
    yield "details", document["verification_results"], "details"


def _is_apart(place: str, value: Any) -> bool:
    """Whether a value is stored by its hash, as text: it is large, or may have keys or numbers that the store refuses."""
    if place == "input":  # whose parts have places of their own
        return any(name.startswith("$") for name in value)
    text = json.dumps(value, ensure_ascii=False)
    return len(text) > LARGE or '"$' in text or LONG_NUMBER.search(text) is not None
