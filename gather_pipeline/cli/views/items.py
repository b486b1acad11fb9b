"""Items and drops as --json prints them, and as lines for a person."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from gather_pipeline.cli.output import clean
from gather_pipeline.domain.items import Item

DROP_FIELDS = (
    "content",
    "match_id",
    "match_content",
    "similarity",
    "cosine",
    "rule",
    "reason",
    "department",
    "iteration",
    "rules_version",
)


def item_row(item: Item) -> dict[str, Any]:
    """An item as --json prints it."""
    return {
        "id": item.id,
        "content": item.content,
        "summary": item.summary,
        "context": item.context,
        "department": item.department,
        "iteration": item.iteration,
        "task_id": item.task_id,
        "project_id": item.project_id,
        "user_id": item.user_id,
        "aspect": item.aspect,
        "generated_by": item.provenance.get("generated_by"),
        "model": item.provenance.get("model"),
        "created_at": item.created_at,
        "origin": item.origin,
        "state": item.state,
        "revision": item.revision,
        "written_by": item.written_by,
        "automation": dict(item.provenance),
    }


def item_lines(item: Item, width: int | None) -> list[str]:
    """An item for a person: where it belongs, who wrote it, its text."""
    head = f"{item.department}, {_when_made(item)}, {item.aspect or 'no aspect'}  [{item.id}, {authors(item)}]"
    lines = [clean(head), *wrapped(item.content, width), *wrapped(f"summary: {item.summary}", width)]
    if not item.is_active:
        last = item.history()[-1]
        lines.append(clean(f"  {item.state} by {last.by} at {last.at}; to bring it back: gather item restore {item.id}"))
    return lines


def authors(item: Item) -> str:
    """Who made an item and who changed its texts last, e.g. ``scripted, edited by ana``."""
    first = item.history()[0]
    changed = [version for version in item.revisions[1:] if version.action in ("edited", "restored")]
    begun = first.by if first.action in ("generated", "added") else f"{first.action} by {first.by}"
    return f"{begun}, {changed[-1].action} by {changed[-1].by}" if changed else begun


def drop_rows(drops: Sequence[Mapping[str, Any]], items: Sequence[Item]) -> list[dict[str, Any]]:
    """What was dropped as --json prints it: each text with the id to restore it by, its match, and the rule with its reason.

    Args:
        drops: Decisions that dropped a text.
        items: Committed items whatever their state: one that was set aside is listed too, and one that was restored is marked.
    """
    by_id = {item.id: item for item in items}
    rows = [_drop_row(row, by_id.get(row["item_id"])) for row in drops]
    listed = {row["item_id"] for row in rows}
    return rows + [_set_aside(item) for item in items if item.state == "dropped" and item.id not in listed]


def _drop_row(row: Mapping[str, Any], item: Item | None) -> dict[str, Any]:
    fields = {name: row.get(name) for name in DROP_FIELDS}
    restored = item is not None and item.state != "dropped"
    return {"id": row["_id"], "item_id": row["item_id"], **fields, "restored_by": _restorer(item) if restored and item else None}


def _restorer(item: Item) -> str | None:
    who = [version.by for version in item.history() if version.action == "restored"]
    return who[-1] if who else item.written_by


def _set_aside(item: Item) -> dict[str, Any]:
    """An item whose decision is of another store: its own history says what is known."""
    own = {"content": item.content, "reason": item.history()[-1].note, "department": item.department, "iteration": item.iteration}
    fields = {name: own.get(name) for name in DROP_FIELDS}
    return {"id": item.id, "item_id": item.id, **fields, "rule": "set aside", "restored_by": None}


def drop_lines(row: Mapping[str, Any], width: int | None) -> list[str]:
    """A drop for a person."""
    similarity = "" if row["similarity"] is None else f", similarity {row['similarity']:.2f}"
    head = f"{row['department']}, {_made_in(row['iteration'])}: dropped by rule {row['rule']}{similarity}  [{row['item_id']}]"
    lines = [clean(head), *wrapped(row["content"], width)]
    if row["match_content"]:
        lines += wrapped(f"like {row['match_id'] or 'a text of the same batch'}: {row['match_content']}", width)
    if row["reason"]:
        lines += wrapped(f"because {row['reason']}", width)
    return lines + ([clean(f"  restored by {row['restored_by']}")] if row["restored_by"] else [])


def _when_made(item: Item) -> str:
    return _made_in(item.iteration) if item.iteration else item.created_at[:10]


def _made_in(iteration: int) -> str:
    return f"iteration {iteration}" if iteration else "no iteration"


def wrapped(text: str, width: int | None) -> list[str]:
    """A text indented by two, on one line where there is no width."""
    line = " ".join(clean(text).split())
    return [f"  {part}" for part in textwrap.wrap(line, max(width - 2, 20))] if width else [f"  {line}"]
