"""What is known of an item: every version of it, where it came from, and how often its text was dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import TEXTS, Item, Revision, content_hash
from gather_pipeline.people.edit import People
from gather_pipeline.services import Services
from gather_pipeline.text.injection import item_injection

FIELDS = (
    *("id", "content", "summary", "context", "department", "iteration", "task_id", "project_id", "user_id", "aspect"),
    *("created_at", "origin", "state", "revision", "written_by"),
)
UsedState = Literal["as it was", "edited", "deleted", "dropped", "gone"]


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A text that was dropped; of an item that another store set aside only its own history is known.

    Attributes:
        id: Key of the decision.
        item_id: Id to restore it by.
        match_id: Item that it was held to repeat.
        similarity: 0 to 1, None where nothing was compared.
        rule: The rule that decided, or ``set aside``.
    """

    id: str
    item_id: str
    content: str
    match_id: str | None = None
    match_content: str | None = None
    similarity: float | None = None
    cosine: float | None = None
    rule: str
    reason: str
    department: str
    iteration: int
    rules_version: str | None = None
    restored_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of an item, with the names of the texts that it changed."""

    revision: Revision
    changed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class UsedItem:
    """An item that a prompt had, and whether it is still as it was then; of one that is gone only the id is known."""

    id: str
    department: str | None = None
    summary: str | None = None
    state: UsedState


@dataclass(frozen=True, kw_only=True)
class ItemHistory:
    """An item with everything that is kept of it.

    Attributes:
        versions: In order, the present one last.
        context_items: What the prompt that made it had of other items.
        drops: When its text was dropped.
    """

    item: Item
    versions: tuple[Version, ...]
    context_items: tuple[UsedItem, ...]
    drops: tuple[Drop, ...]

    def to_document(self) -> dict[str, Any]:
        """JSON-able form."""
        return item_document(self.item) | {
            "history": [{**asdict(version.revision), "changed": version.changed} for version in self.versions],
            "context_items": [asdict(used) for used in self.context_items],
            "overruled": [asdict(one) for one in self.item.overruled],
            "drops": [asdict(drop) for drop in self.drops],
        }


@dataclass(frozen=True, kw_only=True)
class DroppedText:
    """A text that was dropped before it became an item."""

    project_id: str
    drop: Drop

    def to_document(self) -> dict[str, Any]:
        """JSON-able form."""
        return {**asdict(self.drop), "id": self.drop.item_id, "project_id": self.project_id, "state": "dropped"}


def item_document(item: Item) -> dict[str, Any]:
    """JSON-able form of an item without its history."""
    made = {"generated_by": item.provenance.get("generated_by"), "model": item.provenance.get("model")}
    return {name: getattr(item, name) for name in FIELDS} | made | {"injection": item_injection(item), "automation": dict(item.provenance)}


def history_of(services: Services, id: str, project_id: str | None = None) -> ItemHistory | DroppedText:
    """Everything that is kept of an item or a dropped text, as `People.find_text` finds it."""
    item = People(services).find_text(id, project_id)
    if not isinstance(item, Item):
        return DroppedText(project_id=item[0], drop=_drop(item[1], None))
    records, used, revisions = services.project(item.project_id), item.provenance.get("context_items"), item.history()
    hashes = used if isinstance(used, Mapping) else {}
    known = {one.id: one for one in records.items(hashes)}
    return ItemHistory(
        item=item,
        versions=tuple(
            Version(revision=now, changed=tuple(name for name in TEXTS if getattr(before, name) != getattr(now, name)))
            for before, now in pairwise([revisions[0], *revisions])
        ),
        context_items=tuple(_used(id, hash, known.get(id)) for id, hash in hashes.items()),
        drops=tuple(drops_of([one for one in records.view(item.department).dropped if one.item_id == id], [item])),
    )


def drops_of(decided: Iterable[DecidedText], items: Sequence[Item]) -> list[Drop]:
    """Dropped texts with what people want to know of them; of `items`, those set aside are listed too, and those restored are marked."""
    by_id = {item.id: item for item in items}
    drops = [_drop(one, by_id.get(one.item_id)) for one in decided]
    listed = {drop.item_id for drop in drops}
    return drops + [_set_aside(item) for item in items if item.state == "dropped" and item.id not in listed]


def _drop(decided: DecidedText, item: Item | None) -> Drop:
    why = {name: value for name, value in vars(decided.decision).items() if name != "duplicate"}
    restored_by = None
    if item is not None and item.state != "dropped":
        restored_by = next((version.by for version in reversed(item.history()) if version.action == "restored"), item.written_by)
    return Drop(
        id=decided.key,
        item_id=decided.item_id,
        content=decided.text.content,
        department=decided.department,
        iteration=decided.iteration,
        rules_version=decided.rules_version or None,
        restored_by=restored_by,
        **why,
    )


def _set_aside(item: Item) -> Drop:
    return Drop(
        id=item.id,
        item_id=item.id,
        content=item.content,
        rule="set aside",
        reason=item.history()[-1].note,
        department=item.department,
        iteration=item.iteration,
    )


def _used(id: str, hash: str, item: Item | None) -> UsedItem:
    if item is None:
        return UsedItem(id=id, state="gone")
    state: UsedState = "as it was" if content_hash(item.content) == hash else "edited"
    return UsedItem(id=id, department=item.department, summary=item.summary, state=state if item.state == "active" else item.state)
