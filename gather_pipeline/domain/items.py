"""Gather items: the short production notes that everything else is about, and what people do to them.

A person's change is one update of one document: the item's present texts and every version before it lie in it together, so that no
version can be lost between two writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, Literal

from pydantic_core import to_jsonable_python

Origin = Literal["generated", "person", "restored", "imported"]
State = Literal["active", "deleted", "dropped"]
Action = Literal["generated", "added", "imported", "edited", "deleted", "restored", "dropped"]

BEGINNINGS: dict[Origin, Action] = {"generated": "generated", "person": "added", "restored": "restored", "imported": "imported"}
TEXTS = ("content", "summary", "context", "aspect")
RULES = "duplicate rules"  # who dropped an item that no person dropped


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """What a generation gives: three texts, the aspect asked for, and how it came about.

    Attributes:
        content: The note itself, the text that duplicates and quality are decided on.
        summary: One short line.
        context: Where the note belongs, what it answers to.
        aspect: Aspect of the department that was asked for.
        provenance: JSON-able record: task, version, prompt, model, parameters, context items used, `generated_by`.
    """

    content: str
    summary: str
    context: str
    aspect: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One version of an item, with the texts as they were after it.

    Attributes:
        revision: 1 for the first, and on from there.
        action: What made this version.
        by: Who: a person's name, the model that wrote it, or `RULES`.
        at: When, UTC, as that machine's clock had it.
        note: What a reader needs beside it, e.g. why it was dropped.
    """

    revision: int
    action: Action
    by: str
    at: str
    content: str
    summary: str
    context: str
    aspect: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Overruled:
    """A drop that a person overruled: the two texts are no duplicates of each other, whatever the rules say.

    Attributes:
        hashes: Content hashes of the two texts; one where they are equal.
        match_id: Item that the dropped text was held to repeat, None where it was the content filter that dropped it.
        rule: The rule that had decided.
        similarity: The probability that it had decided on, None where it had none.
    """

    hashes: tuple[str, ...]
    match_id: str | None
    rule: str
    by: str
    at: str
    similarity: float | None = None


@dataclass(frozen=True, kw_only=True)
class Item(NewItem):
    """A stored gather item.

    Attributes:
        iteration: Iteration that made it, 0 where a person wrote it.
        task_id: Run that made it, empty where a person wrote it.
        origin: How it came into the project.
        state: Only active items are seen by prompts, duplicates and scores.
        revision: Number of its present version.
        written_by: Who wrote, edited or restored it last; None where no person ever did. Such an item is never dropped as a duplicate.
        revisions: Every version in order, the present one last; empty as long as there is but the first.
        overruled: Drops of this text that a person overruled.
    """

    id: str
    department: str
    project_id: str
    iteration: int = 0
    task_id: str = ""
    user_id: str | None = None
    created_at: str = ""
    origin: Origin = "generated"
    state: State = "active"
    revision: int = 1
    written_by: str | None = None
    revisions: tuple[Revision, ...] = ()
    overruled: tuple[Overruled, ...] = ()

    @property
    def is_active(self) -> bool:
        """False for a deleted or dropped item."""
        return self.state == "active"

    @property
    def is_persons(self) -> bool:
        """True where a person wrote, edited or restored it: no rule may drop it and no run may change it."""
        return self.written_by is not None

    @cached_property
    def hash(self) -> str:
        """Content hash of its text."""
        return content_hash(self.content)

    @cached_property
    def row(self) -> str:
        """Its id and texts as `version_of` hashes them."""
        return json.dumps([self.id, *(getattr(self, name) for name in TEXTS)])

    def history(self) -> tuple[Revision, ...]:
        """Every version in order, the present one last."""
        return self.revisions or (self._version(BEGINNINGS[self.origin], self._first_author(), self.created_at),)

    def changed(self, action: Action, by: str, at: str, *, note: str = "", **changes: Any) -> Item:
        """The item after a change, with a version more.

        Args:
            action: What is done.
            by: Who does it; a person's name unless the action is ``dropped``.
            at: When.
            note: Kept with the version.
            changes: New values of fields.
        """
        author = self.written_by if action == "dropped" else by
        after = replace(self, revision=self.revision + 1, written_by=author, **changes)
        return replace(after, revisions=(*self.history(), after._version(action, by, at, note)))

    def _first_author(self) -> str:
        if self.origin == "restored" and self.written_by:
            return self.written_by
        return str(self.provenance.get("generated_by") or self.written_by or self.user_id or "unknown")

    def _version(self, action: Action, by: str, at: str, note: str = "") -> Revision:
        texts = {name: getattr(self, name) for name in TEXTS}
        return Revision(revision=self.revision, action=action, by=by, at=at, note=note, **texts)

    def to_document(self) -> dict[str, Any]:
        """The document of collection `gather` (S001-MDB-06: automation metadata with each item)."""
        document: dict[str, Any] = to_jsonable_python(self)
        own = {"_id": document.pop("id"), "automation": document.pop("provenance"), "content_hash": self.hash}
        return document | own

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Item:
        """The item of a document of collection `gather`."""
        values = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        values |= {"id": document["_id"], "provenance": document.get("automation", {})}
        values["revisions"] = tuple(Revision(**version) for version in document.get("revisions", ()))
        values["overruled"] = tuple(Overruled(**{**one, "hashes": tuple(one["hashes"])}) for one in document.get("overruled", ()))
        return cls(**values)


def item_id(project_id: str, department: str, iteration: int, index: int, *task_id: str) -> str:
    """Id of the index-th item of a run's iteration: 24 hexadecimal digits; earlier releases left the run out."""
    return hashlib.sha256("|".join(map(str, (project_id, department, iteration, index, *task_id))).encode()).hexdigest()[:24]


def content_hash(text: str) -> str:
    """SHA-256 of a text with case and white space evened out, in hexadecimal."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode("utf-8", "surrogatepass")).hexdigest()


def version_of(items: Sequence[Item]) -> str:
    """Version of these items: a hash of their ids and texts, in 16 hexadecimal digits, whatever their order."""
    rows = ", ".join(item.row for item in sorted(items, key=attrgetter("id")))
    return hashlib.sha256(f"[{rows}]".encode()).hexdigest()[:16]


def distinct_pairs(items: Iterable[Item]) -> frozenset[frozenset[str]]:
    """Pairs of content hashes that a person has said are no duplicates."""
    return frozenset(frozenset(one.hashes) for item in items for one in item.overruled if one.hashes)
