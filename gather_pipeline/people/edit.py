"""What people do to gather items: add, edit, delete, restore, say that two are the same. No model is asked and nothing is embedded.

A change is one write of one document, so that the second of two at once is refused and no text is lost. The department's mark is set
before it, which is how sensors notice it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from gather_pipeline.domain.decisions import DecidedText, Decision, set_aside_key
from gather_pipeline.domain.items import RULES, TEXTS, Item, NewItem, Overruled, content_hash
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import DuplicateKey, EditConflict, InvalidInput, StoreError, UnknownEntity, VersionConflict, listed
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services
from gather_pipeline.text.sentences import summary_line

logger = logging.getLogger(__name__)

LIMITS = {"content": 20_000, "summary": 2_000, "context": 2_000, "aspect": 200}  # characters; ten pages are far more than a note
ATTEMPTS = 5

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """New texts of an item; None leaves one as it is. A new content without a summary gets its first sentence as one."""

    content: str | None = None
    summary: str | None = None
    context: str | None = None
    aspect: str | None = None

    def checked(self) -> Texts:
        """The texts as they are stored; raises `InvalidInput` where one is empty that may not be, or too long."""
        texts = {name: typed(text) for name, text in self.given().items()}
        for name, text in texts.items():
            if name in ("content", "summary") and not text:
                raise InvalidInput(f"{name} is empty, expected at least a word")
            if len(text) > LIMITS[name]:
                raise InvalidInput(f"{name} has {len(text)} characters, expected at most {LIMITS[name]}")
        return Texts(**texts)

    def given(self) -> dict[str, str]:
        """Those that are given, by name."""
        return {name: text for name in TEXTS if (text := getattr(self, name)) is not None}


class People:
    """Changes items in people's names.

    In every method `by` is the person's name, `revision` the version of the item that the change was made from (None: the one that is
    stored), and `project_id` the item's project (None: it is looked for in all). All raise `UnknownEntity` where there is no such item, and
    `EditConflict` where another person changed it after `revision`.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def find(self, id: str, project_id: str | None = None) -> Item:
        """The item with that id, whatever its state."""
        return self._find(id, project_id)[1]

    def find_text(self, id: str, project_id: str | None = None) -> Item | tuple[str, DecidedText]:
        """The item with that id, or the project and the decision of a text that was dropped before it became that item."""
        try:
            return self.find(id, project_id)
        except UnknownEntity:
            found = self._look(project_id, lambda records: next((drop for drop in records.view().dropped if drop.item_id == id), None))
            if found is None:
                raise
        records, drop = found
        return records.project_id, drop

    def check_department(self, project_id: str, slug: str) -> None:
        """Raises `UnknownEntity` where there is no such project, or neither it nor the source of departments has this department."""
        self._services.projects.get(project_id)
        known = [stored.slug for stored in self._services.project(project_id).departments()]
        if slug not in known:
            known += [department.slug for department in self._services.departments.departments() if department.slug not in known]
        if slug not in known:
            raise UnknownEntity.field("department", slug, f"one of {listed(known) or 'none: the list is empty'}")

    def add(self, project_id: str, slug: str, texts: Texts, by: str) -> Item:
        """Adds a person's item, even of a text that is there; raises `InvalidInput` for a wrong text, and as `check_department`."""
        texts = texts.checked()
        if texts.content is None:
            raise InvalidInput("content is missing, expected the note's text")
        self.check_department(project_id, slug)
        text = NewItem(
            content=texts.content,
            summary=texts.summary or "",
            context=texts.context or "",
            aspect=texts.aspect or "",
            provenance={"generated_by": by},
        )
        return self._store_new(text, project_id, by, id=secrets.token_hex(12), department=slug, origin="person")

    def edit(self, id: str, texts: Texts, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Gives an item new texts; such as change nothing leave it as it is. `InvalidInput` where one is wrong or the item is deleted."""
        texts = texts.checked()

        def change(item: Item) -> Item:
            if item.state == "deleted":
                raise InvalidInput(f"item {id} is deleted, expected one that is there; type: gather item restore {id}")
            changes = {name: text for name, text in texts.given().items() if text != getattr(item, name)}
            if "content" in changes and texts.summary is None:
                changes["summary"] = summary_line(changes["content"])
            return item.changed("edited", by, self._now(item), state="active", **changes) if changes else item

        return self._change(id, change, revision, project_id)

    def delete(self, id: str, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Takes an item out of prompts, duplicates and scores; every version of it is kept."""

        def change(item: Item) -> Item:
            return item if item.state == "deleted" else item.changed("deleted", by, self._now(item), state="deleted")

        return self._change(id, change, revision, project_id)

    def restore(self, id: str, by: str, *, revision: int | None = None, project_id: str | None = None) -> Item:
        """Brings back a deleted item, or a text that was dropped, and remembers of a drop that the pair is none of duplicates.

        `id` may also be that of a drop, as ``gather items --dropped`` shows it.
        """

        def change(item: Item) -> Item:
            if item.is_active:
                return item
            now, overruled = self._now(item), item.overruled
            if item.state == "dropped":
                key = set_aside_key(item)
                drops = self._services.project(item.project_id).view().dropped
                overruled += tuple(_overruled(drop, by, now) for drop in drops if drop.key == key)
            return item.changed("restored", by, now, state="active", overruled=overruled)

        try:
            return self._change(id, change, revision, project_id)
        except UnknownEntity:
            found = self.find_text(id, project_id)
        if isinstance(found, Item):
            return found
        try:
            return self._make_item(*found, by)
        except DuplicateKey:  # somebody else restored it at the same moment
            return self.find(id, found[0])

    def mark_same(self, id: str, other: str, by: str, *, project_id: str | None = None) -> Item:
        """Drops an item because a person says that `other`, which stays, says the same; it can be restored as any drop.

        Raises `InvalidInput` where the two are one item or one of them is not active, and `EditConflict` also where somebody changed
        `other` meanwhile, or has said the same of the two the other way round.
        """
        if id == other:
            raise InvalidInput.field("other", other, f"another item than {id}")
        stays = self.find(other, project_id)
        reason = f"{by} says that it is the same as {other}"
        last = stays.history()[-1]
        seen = stays.revision - (last.note == f"{last.by} says that it is the same as {id}")

        def change(item: Item) -> Item:
            records, stays, version = self._find(other, item.project_id)
            _check_revision(stays, seen)
            for one in (item, stays):
                if not one.is_active:
                    raise InvalidInput(f"item {one.id} is {one.state}, expected one that is there")
            records.change_item(stays, version)  # so that whoever is about to drop it, to keep the other one, has to look again
            return item.changed("dropped", by, self._now(item), note=reason, state="dropped")

        after = self._change(id, change, None, stays.project_id)
        decision = Decision(duplicate=True, rule="person", similarity=1.0, match_id=other, match_content=stays.content, reason=reason)
        self._services.project(after.project_id).record_drops([DecidedText.of_item(after, decision, "person")])
        return after

    def _make_item(self, project_id: str, drop: DecidedText, by: str) -> Item:
        """Makes an item of a dropped text, under the id that it would have had."""
        text = replace(drop.text, provenance=drop.text.provenance or {"generated_by": "unknown"})
        overruled = (_overruled(drop, by, self._services.clock.now()),)
        own = {"id": drop.item_id, "department": drop.department, "iteration": drop.iteration, "origin": "restored", "overruled": overruled}
        return self._store_new(text, project_id, by, **own)

    def _store_new(self, text: NewItem, project_id: str, by: str, **own: Any) -> Item:
        """Stores an item that a person makes of a text; `own` is what else the item has."""
        texts = {**vars(text), "summary": text.summary or summary_line(text.content)}
        item = Item(project_id=project_id, user_id=by, written_by=by, created_at=self._services.clock.now(), **texts, **own)
        self._services.marks.set(item.project_id, item.department)
        self._services.project(item.project_id).add_items([item])
        return item

    def _change(self, id: str, change: Callable[[Item], Item], revision: int | None, project_id: str | None) -> Item:
        """Applies a change to the newest version, unless a person made one that the caller has not seen."""
        for _ in range(ATTEMPTS):
            records, item, version = self._find(id, project_id)
            project_id = records.project_id
            revision = item.revision if revision is None else revision
            _check_revision(item, revision)
            try:
                after = change(item)
                if after is item:
                    return item
                self._services.marks.set(project_id, item.department)
                records.change_item(after, version)
            except VersionConflict:
                continue
            return after
        raise EditConflict(f"item {id} is being changed over and over by others: try again")

    def _find(self, id: str, project_id: str | None) -> tuple[ProjectRecords, Item, int]:
        """An item with its project's records and the version of its document."""
        if found := self._look(project_id, lambda records: records.item(id)):
            records, (item, version) = found
            return records, item, version
        if project_id:
            self._services.projects.get(project_id)
        where = f"project {project_id}" if project_id else "any project"
        raise UnknownEntity.field("item", id, f"the id of an item of {where}, as gather items prints it")

    def _look(self, project_id: str | None, look: Callable[[ProjectRecords], Found | None]) -> tuple[ProjectRecords, Found] | None:
        """The first thing found in a project, or in all of them; of all, those whose database is damaged are left out with a warning."""
        for id in [project_id] if project_id else [project.id for project in self._services.projects.all()]:
            records = self._services.project(id)
            try:
                if (found := look(records)) is not None:
                    return records, found
            except StoreError as error:
                if project_id:
                    raise
                logger.warning("[AutoGather] Items of project %s are left out: %s", id, error)
        return None

    def _now(self, item: Item) -> str:
        now, newest = self._services.clock.now(), item.history()[-1].at
        if now < newest:
            logger.warning(
                "[AutoGather] The clock says %s, before the last change of item %s at %s: versions keep their numbers", now, item.id, newest
            )
        return now


def _check_revision(item: Item, seen: int) -> None:
    """Raises where the version that a change was made from is not there yet, or a person has changed the item since."""
    if seen > item.revision:
        raise InvalidInput.field("revision", seen, f"one of item {item.id}, 1 to {item.revision}")
    later = [version for version in item.history() if version.revision > seen and version.by != RULES]
    if later:
        last = later[-1]
        raise EditConflict(
            f"item {item.id} was {last.action} by {last.by} at {last.at} (revision {last.revision}), after the revision {seen} that "
            f"this change was made from: look at it with gather item show {item.id}, then try again"
        )


def _overruled(drop: DecidedText, by: str, at: str) -> Overruled:
    decision = drop.decision
    hashes = sorted({content_hash(drop.text.content), content_hash(decision.match_content)}) if decision.match_content else []
    return Overruled(hashes=tuple(hashes), match_id=decision.match_id, rule=decision.rule, by=by, at=at, similarity=decision.similarity)
