"""What `gather item show` prints: an item's versions, and where it came from."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from gather_pipeline.cli.output import clean
from gather_pipeline.cli.state import State
from gather_pipeline.cli.views.items import drop_rows, item_row, wrapped
from gather_pipeline.domain.item_lines import TEXTS
from gather_pipeline.domain.items import Item, Revision
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.records.project import GatherRepository

if TYPE_CHECKING:
    from gather_pipeline.people.edit import People

WIDTH = 100


def item_history(people: People, state: State, id: str, project_id: str | None) -> dict[str, Any]:
    """Everything that is kept of an item, or of a dropped text.

    Raises:
        UnknownEntity: There is neither.
    """
    try:
        item = people.find(id, project_id)
    except UnknownEntity:
        for project in [state.projects.get(project_id)] if project_id else state.projects.all():
            drops = GatherRepository(state.store, project.id).dropped()
            for row in drop_rows([row for row in drops if row["item_id"] == id], []):
                return {**row, "id": id, "project_id": project.id, "state": "dropped"}
        raise
    repository = GatherRepository(state.store, item.project_id)
    drops = [row for row in repository.dropped(item.department) if row["item_id"] == id]
    known = {one.id: one for one in repository.everything()}
    used = item.provenance.get("context_items")
    return item_row(item) | {
        "history": _history(item.history()),
        "context_items": [_used(str(id), hash, known.get(str(id))) for id, hash in used.items()] if isinstance(used, Mapping) else [],
        "overruled": [{**asdict(one), "hashes": list(one.hashes)} for one in item.overruled],
        "drops": drop_rows(drops, [item]),
    }


def _history(versions: Sequence[Revision]) -> list[dict[str, Any]]:
    """Every version, each with the names of the texts that it changed."""
    rows = []
    for place, version in enumerate(versions):
        before = versions[place - 1] if place else None
        changed = [name for name in TEXTS if before is not None and getattr(before, name) != getattr(version, name)]
        rows.append({**asdict(version), "changed": changed})
    return rows


def _used(id: str, hash: str, item: Item | None) -> dict[str, Any]:
    """An item that the prompt had, and whether it is still as it was then."""
    from gather_pipeline.domain.items import content_hash

    state = (
        "gone" if item is None else item.state if not item.is_active else "as it was" if content_hash(item.content) == hash else "edited"
    )
    return {"id": id, "department": item.department if item else None, "summary": item.summary if item else None, "state": state}


def print_history(document: Mapping[str, Any]) -> None:
    """The same for a person."""
    width = min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    lines = _dropped(document, width) if "history" not in document else _item(document, width)
    click.echo("\n".join(lines))


def _dropped(row: Mapping[str, Any], width: int | None) -> list[str]:
    match = [*wrapped(f"like {row['match_id']}: {row['match_content']}", width)] if row["match_content"] else []
    return [
        clean(f"{row['department']}, iteration {row['iteration']}: dropped by rule {row['rule']}  [{row['id']}]"),
        *wrapped(row["content"], width),
        *match,
        *wrapped(f"because {row['reason']}", width),
        f"To bring it back: gather item restore {row['id']}",
    ]


def _item(document: Mapping[str, Any], width: int | None) -> list[str]:
    lines = [
        clean(f"{document['department']}, {document['aspect'] or 'no aspect'}  [{document['id']}]"),
        *wrapped(document["content"], width),
        *wrapped(f"summary: {document['summary']}", width),
        *(wrapped(f"context: {document['context']}", width) if document["context"] else []),
        clean(f"State: {document['state']}, revision {document['revision']}, last written by {document['written_by'] or 'no person'}"),
        "History:",
    ]
    for version in document["history"]:
        lines += _version(version, width)
    return [*lines, *_origin(document, width), *_told_apart(document)]


def _version(version: Mapping[str, Any], width: int | None) -> list[str]:
    what = f": {', '.join(version['changed'])}" if version["changed"] else ""
    note = f" ({version['note']})" if version["note"] else ""
    lines = [clean(f"  {version['revision']}  {version['at']}  {version['action']} by {version['by']}{what}{note}")]
    for name in version["changed"] or (["content"] if version["revision"] == 1 else []):
        lines += [f"   {line}" for line in wrapped(f"{name}: {version[name]}", width - 3 if width else None)]
    return lines


def _origin(document: Mapping[str, Any], width: int | None) -> list[str]:
    made = document["automation"]
    known = {
        "origin": document["origin"],
        "run": document["task_id"],
        "iteration": document["iteration"] or None,
        "task": " ".join(str(made[name]) for name in ("task", "task_version") if made.get(name)),
        "prompt": " ".join(str(made[name]) for name in ("prompt_id", "prompt_hash") if made.get(name)),
        "model": made.get("model"),
        "generated by": made.get("generated_by"),
        "file": f"{made['file']}, line {made.get('line')}" if made.get("file") else None,
        "asked for by": document["user_id"],
    }
    lines = ["Where it came from:", *(clean(f"  {name}: {value}") for name, value in known.items() if value)]
    if document["context_items"]:
        lines.append("  context items that its prompt had:")
    for one in document["context_items"]:
        lines += [
            f"  {line}" for line in wrapped(f"{one['id']} ({one['department'] or 'unknown'}, {one['state']}) {one['summary'] or ''}", width)
        ]
    return lines


def _told_apart(document: Mapping[str, Any]) -> list[str]:
    rows = document["overruled"]
    told = [
        clean(f"  {one['at']}  {one['by']} overruled rule {one['rule']}: it does not repeat {one['match_id'] or 'anything'}")
        for one in rows
    ]
    return ["Drops that were overruled:", *told] if told else []
