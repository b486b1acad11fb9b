"""What people do to gather items: add, edit, delete, restore. No model is asked and nothing is embedded; whoever scores next takes it up.

Each is one write of one document, so that two at once cannot lose a word: the second is told. A department's mark is set around it
(`touched`), which is how sensors hear of it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from gather_pipeline.domain.decisions import Decision
from gather_pipeline.domain.items import Item, Overruled, content_hash
from gather_pipeline.domain.texts import LONE_SURROGATE
from gather_pipeline.errors import EditConflict, InvalidInput, UnknownEntity, VersionConflict
from gather_pipeline.ports import Clock, DepartmentSource, Document, DocumentStore
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.project import DEPARTMENTS, GatherRepository
from gather_pipeline.records.registry import Projects
from gather_pipeline.records.rows import decision_row
from gather_pipeline.text.sentences import summary_line

logger = logging.getLogger(__name__)

CONTENT_LIMIT = 20_000  # characters; about ten pages, far more than a note
LINE_LIMIT = 2_000
ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Texts:
    """New texts of an item; None leaves one as it is. A new content without a summary gets its first sentence as one."""

    content: str | None = None
    summary: str | None = None
    context: str | None = None
    aspect: str | None = None

    def checked(self) -> Texts:
        """The texts without white space around them.

        Raises:
            InvalidInput: One is empty where it may not be, too long, or holds a NUL or a lone surrogate.
        """
        limits = {"content": CONTENT_LIMIT, "summary": LINE_LIMIT, "context": LINE_LIMIT, "aspect": 200}
        values = {name: None if (text := getattr(self, name)) is None else text.strip() for name in limits}
        for name, text in values.items():
            if text is None:
                continue
            if name in ("content", "summary") and not text:
                raise InvalidInput(f"{name} is empty, expected at least a word")
            if len(text) > limits[name]:
                raise InvalidInput(f"{name} has {len(text)} characters, expected at most {limits[name]}")
            if "\x00" in text:
                raise InvalidInput(f"{name} has a NUL character at {text.index(chr(0))}, expected plain text")
            if half := LONE_SURROGATE.search(text):
                raise InvalidInput(f"{name} has {half[0]!r}, no character, at {half.start()}, expected plain text")
        return Texts(**values)


class People:
    """The desk at which people change items.

    Args:
        store: The document store.
        database: The shared database.
        clock: Time.
    """

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._projects = Projects(store, database, clock)
        self._touched = Touched(store, database, clock)

    def find(self, id: str, project_id: str | None = None) -> Item:
        """The item with that id, whatever its state.

        Args:
            id: Id of the item.
            project_id: Its project; every project is looked at where None.

        Raises:
            UnknownEntity: There is none.
        """
        return self._found(id, project_id)[1]

    def add(self, project_id: str, slug: str, texts: Texts, by: str, source: DepartmentSource) -> Item:
        """Adds an item that a person wrote; equal texts are not refused, for a person's are never duplicates.

        Raises:
            InvalidInput: A text is wrong.
            UnknownEntity: No such project, or a department that neither the source nor the project has.
        """
        texts = texts.checked()
        if texts.content is None:
            raise InvalidInput("content is missing, expected the note's text")
        repository = self.project_with(project_id, slug, source)
        now = self._clock.now()
        item = Item(
            id=secrets.token_hex(12),
            project_id=project_id,
            department=slug,
            iteration=0,
            task_id="",
            user_id=by,
            created_at=now,
            origin="person",
            written_by=by,
            content=texts.content,
            summary=texts.summary or summary_line(texts.content),
            context=texts.context or "",
            aspect=texts.aspect or "",
            provenance={"generated_by": by},
        )
        with self._touched.changing(project_id, slug):
            repository.add_items([item])
        return item

    def project_with(self, project_id: str, slug: str, source: DepartmentSource) -> GatherRepository:
        """A project that may have items of a department.

        Raises:
            UnknownEntity: No such project, or a department that neither the source nor the project has.
        """
        repository = GatherRepository(self._store, self._projects.get(project_id).id)
        known = [row["slug"] for row in sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"])]
        known = known if slug in known else list(dict.fromkeys([*known, *(one.slug for one in source.departments())]))
        if slug not in known:
            raise UnknownEntity.field("department", slug, f"one of {', '.join(known) or 'none: the list is empty'}")
        return repository

    def edit(self, id: str, texts: Texts, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Gives an item new texts; one that changes nothing leaves it as it is.

        Args:
            id: Id of the item.
            texts: What to change.
            by: Who does it.
            revision: Version of the item that the texts were made from; None takes the one that is stored.
            project_id: Its project, None to look for it.

        Raises:
            InvalidInput: A text is wrong, or the item is deleted.
            UnknownEntity: There is no such item.
            EditConflict: Somebody else changed it since `revision`.
        """
        texts = texts.checked()
        values = {name: text for name in ("content", "summary", "context", "aspect") if (text := getattr(texts, name)) is not None}
        if texts.content is not None and texts.summary is None:
            values["summary"] = summary_line(texts.content)

        def change(item: Item) -> Item:
            if item.state == "deleted":
                raise InvalidInput(f"item {id} is deleted, expected one that is there; type: gather item restore {id}")
            changes = {name: text for name, text in values.items() if text != getattr(item, name)}
            if "content" not in changes and texts.summary is None:
                changes.pop("summary", None)
            if not changes:
                return item
            return item.changed("edited", by, self._now(item), state="active", **changes)

        return self._change(id, change, revision, project_id)

    def delete(self, id: str, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Takes an item out of prompts, duplicates and scores; every version of it is kept.

        Raises:
            UnknownEntity, EditConflict: As `edit`.
        """

        def change(item: Item) -> Item:
            return item if item.state == "deleted" else item.changed("deleted", by, self._now(item), state="deleted")

        return self._change(id, change, revision, project_id)

    def restore(self, id: str, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Brings back a deleted item, or a text that was dropped, and remembers of a drop that the pair is none of duplicates.

        Args:
            id: Id of the item, or of a drop as ``gather items --dropped`` shows it.
            by: Who does it.
            revision: As for `edit`.
            project_id: Its project, None to look for it.

        Raises:
            UnknownEntity, EditConflict: As `edit`.
        """
        try:
            repository, item = self._found(id, project_id)
        except UnknownEntity:
            dropped = self._dropped(id, project_id)
            if dropped is None:
                raise
            return self._take_in(*dropped, by)
        row = next((row for row in repository.dropped(item.department) if row["item_id"] == id), None)

        def change(item: Item) -> Item:
            if item.is_active:
                return item
            now = self._now(item)
            overruled = (*item.overruled, _overruled(item.content, row, by, now)) if item.state == "dropped" and row else item.overruled
            return item.changed("restored", by, now, state="active", overruled=overruled)

        return self._change(id, change, revision, repository.project_id)

    def mark_same(self, id: str, other: str, by: str, *, project_id: str | None = None) -> Item:
        """Sets an item aside because a person says that another one says the same; it is listed with the drops and restorable.

        Args:
            id: Id of the item that goes.
            other: Id of the one that stays.
            by: Who says so.
            project_id: Their project, None to look for it.

        Raises:
            InvalidInput: The two are one item, of two projects, or one of them is not active.
            UnknownEntity, EditConflict: As `edit`.
        """
        if id == other:
            raise InvalidInput.field("other", other, f"another item than {id}")
        repository, stays = self._found(other, project_id)
        _, goes = self._found(id, repository.project_id)
        for item in (goes, stays):
            if not item.is_active:
                raise InvalidInput(f"item {item.id} is {item.state}, expected one that is there")
        reason = f"{by} says that it is the same as {other}"
        after = self._change(
            id, lambda item: item.changed("dropped", by, self._now(item), note=reason, state="dropped"), None, repository.project_id
        )
        decision = Decision(duplicate=True, rule="person", similarity=1.0, match_id=other, match_content=stays.content, reason=reason)
        row = decision_row(id, after, after.department, after.iteration, 0, "person", decision)
        repository.record_drops([{**row, "_id": f"{after.department}|{id}|{after.revision}"}])
        return after

    def _take_in(self, repository: GatherRepository, row: Document, by: str) -> Item:
        """Makes an item of a dropped text, under the id that it would have had."""
        now = self._clock.now()
        item = Item(
            id=row["item_id"],
            project_id=repository.project_id,
            department=row["department"],
            iteration=row["iteration"],
            task_id="",
            user_id=by,
            created_at=now,
            origin="restored",
            written_by=by,
            content=row["content"],
            summary=row.get("summary") or summary_line(row["content"]),
            context=row.get("context", ""),
            aspect=row.get("aspect", ""),
            provenance=row.get("automation") or {"generated_by": "unknown"},
            overruled=(_overruled(row["content"], row, by, now),),
        )
        with self._touched.changing(repository.project_id, item.department):
            repository.add_items([item])
        return item

    def _change(self, id: str, change: Callable[[Item], Item], revision: int | None, project_id: str | None) -> Item:
        """Applies a change to the newest version, unless a person made one that the caller has not seen."""
        repository, item = self._found(id, project_id)
        seen = item.revision if revision is None else revision
        with self._touched.changing(repository.project_id, item.department):
            for _ in range(ATTEMPTS):
                found = repository.item(id)
                if found is None:
                    raise UnknownEntity.field("item", id, "an item that is still there")
                item, version = found
                theirs = [one for one in item.history() if one.revision > seen and one.action != "dropped"]
                if seen > item.revision:
                    raise InvalidInput.field("revision", seen, f"one of item {id}, 1 to {item.revision}")
                if theirs:
                    last = theirs[-1]
                    raise EditConflict(
                        f"item {id} was {last.action} by {last.by} at {last.at} (revision {last.revision}), after the revision {seen} that "
                        f"this change was made from: look at it with gather item show {id}, then try again"
                    )
                after = change(item)
                if after is item:
                    return item
                try:
                    repository.change_item(after, version)
                except VersionConflict:
                    continue
                return after
        raise EditConflict(f"item {id} is being changed over and over by others: try again")

    def _found(self, id: str, project_id: str | None) -> tuple[GatherRepository, Item]:
        for repository in self._repositories(project_id):
            found = repository.item(id)
            if found is not None:
                return repository, found[0]
        where = f"project {project_id}" if project_id else "any project"
        raise UnknownEntity.field("item", id, f"the id of an item of {where}, as gather items prints it")

    def _dropped(self, id: str, project_id: str | None) -> tuple[GatherRepository, Document] | None:
        for repository in self._repositories(project_id):
            for row in repository.dropped():
                if row["item_id"] == id:
                    return repository, row
        return None

    def _repositories(self, project_id: str | None) -> list[GatherRepository]:
        projects = [self._projects.get(project_id)] if project_id else self._projects.all()
        return [GatherRepository(self._store, project.id) for project in projects]

    def _now(self, item: Item) -> str:
        now, newest = self._clock.now(), item.history()[-1].at
        if now < newest:
            logger.warning(
                "[AutoGather] The clock says %s, before the last change of item %s at %s: versions keep their numbers", now, item.id, newest
            )
        return now


def _overruled(content: str, row: Document, by: str, at: str) -> Overruled:
    match = row.get("match_content")
    hashes = sorted({content_hash(content), content_hash(match)}) if match else []
    return Overruled(hashes=tuple(hashes), match_id=row.get("match_id"), rule=row["rule"], by=by, at=at, similarity=row.get("similarity"))
