"""Items, dropped texts and their histories, as rows for --json and as lines for a person."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gather_pipeline.cli.output import clean, terminal_width
from gather_pipeline.domain.items import Item
from gather_pipeline.text.injection import item_injection

if TYPE_CHECKING:
    from gather_pipeline.people.history import Drop, DroppedText, ItemHistory, Version

ROW = (
    *("id", "content", "summary", "context", "department", "iteration", "task_id", "project_id", "user_id", "aspect"),
    *("created_at", "origin", "state", "revision", "written_by"),
)
WIDTH = 100  # the most that is read with ease


def line_width() -> int | None:
    """Width of the lines that a person reads; None where standard output is no terminal, so that a text stays on its line."""
    width = terminal_width()
    return width and min(WIDTH, width)


def item_row(item: Item) -> dict[str, Any]:
    """An item as --json prints it."""
    made = {"generated_by": item.provenance.get("generated_by"), "model": item.provenance.get("model")}
    return {name: getattr(item, name) for name in ROW} | made | {"injection": item_injection(item), "automation": dict(item.provenance)}


def history_row(history: ItemHistory | DroppedText) -> dict[str, Any]:
    """What is kept of an item, or of a dropped text, as --json prints it."""
    from gather_pipeline.people.history import DroppedText

    if isinstance(history, DroppedText):
        return {**asdict(history.drop), "id": history.drop.item_id, "project_id": history.project_id, "state": "dropped"}
    return item_row(history.item) | {
        "history": [{**asdict(version.revision), "changed": version.changed} for version in history.versions],
        "context_items": [asdict(used) for used in history.context_items],
        "overruled": [asdict(one) for one in history.item.overruled],
        "drops": [asdict(drop) for drop in history.drops],
    }


def item_lines(item: Item, width: int | None) -> list[str]:
    """An item for a person: where it belongs, who wrote it, its text."""
    made = _made_in(item.iteration) if item.iteration else item.created_at[:10]
    head = f"{item.department}, {made}, {item.aspect or 'no aspect'}  [{item.id}, {_authors(item)}]"
    lines = [clean(head), *_wrapped(item.content, width), *_wrapped(f"summary: {item.summary}", width)]
    lines += _flag_lines(item)
    if not item.is_active:
        last = item.history()[-1]
        lines.append(clean(f"  {item.state} by {last.by} at {last.at}; to bring it back: gather item restore {item.id}"))
    return lines


def _authors(item: Item) -> str:
    """Who made an item and who changed its texts last, e.g. ``scripted, edited by ana``."""
    first = item.history()[0]
    changed = [version for version in item.revisions[1:] if version.action in ("edited", "restored")]
    begun = first.by if first.action in ("generated", "added") else f"{first.action} by {first.by}"
    return f"{begun}, {changed[-1].action} by {changed[-1].by}" if changed else begun


def drop_lines(drop: Drop, width: int | None) -> list[str]:
    """A dropped text for a person."""
    similarity = "" if drop.similarity is None else f", similarity {drop.similarity:.2f}"
    head = f"{drop.department}, {_made_in(drop.iteration)}: dropped by rule {drop.rule}{similarity}  [{drop.item_id}]"
    lines = [clean(head), *_wrapped(drop.content, width)]
    if drop.match_content:
        lines += _wrapped(f"like {drop.match_id or 'a text of the same batch'}: {drop.match_content}", width)
    if drop.reason:
        lines += _wrapped(f"because {drop.reason}", width)
    return lines + ([clean(f"  restored by {drop.restored_by}")] if drop.restored_by else [])


def history_lines(history: ItemHistory | DroppedText, width: int | None) -> list[str]:
    """What is kept of an item, or of a dropped text, for a person."""
    from gather_pipeline.people.history import DroppedText

    if isinstance(history, DroppedText):
        return [*drop_lines(history.drop, width), f"To bring it back: gather item restore {history.drop.item_id}"]
    item = history.item
    lines = [
        clean(f"{item.department}, {item.aspect or 'no aspect'}  [{item.id}]"),
        *_wrapped(item.content, width),
        *_wrapped(f"summary: {item.summary}", width),
        *(_wrapped(f"context: {item.context}", width) if item.context else []),
        clean(f"State: {item.state}, revision {item.revision}, last written by {item.written_by or 'no person'}"),
        *_flag_lines(item),
        "History:",
    ]
    for version in history.versions:
        lines += _version_lines(version, width)
    lines += _origin_lines(history, width)
    if item.overruled:
        lines.append("Drops that were overruled:")
    for one in item.overruled:
        lines.append(clean(f"  {one.at}  {one.by} overruled rule {one.rule}: it does not repeat {one.match_id or 'anything'}"))
    return lines


def _version_lines(version: Version, width: int | None) -> list[str]:
    now = version.revision
    what = f": {', '.join(version.changed)}" if version.changed else ""
    note = f" ({now.note})" if now.note else ""
    lines = [clean(f"  {now.revision}  {now.at}  {now.action} by {now.by}{what}{note}")]
    for name in version.changed or (["content"] if now.revision == 1 else []):
        lines += [f"   {line}" for line in _wrapped(f"{name}: {getattr(now, name)}", width - 3 if width else None)]
    return lines


def _origin_lines(history: ItemHistory, width: int | None) -> list[str]:
    item, made = history.item, history.item.provenance
    known = {
        "origin": item.origin,
        "run": item.task_id,
        "iteration": item.iteration or None,
        "task": " ".join(str(made[name]) for name in ("task", "task_version") if made.get(name)),
        "prompt": " ".join(str(made[name]) for name in ("prompt_id", "prompt_hash") if made.get(name)),
        "model": made.get("model"),
        "generated by": made.get("generated_by"),
        "file": f"{made['file']}, line {made.get('line')}" if made.get("file") else None,
        "asked for by": item.user_id,
    }
    lines = ["Where it came from:", *(clean(f"  {name}: {value}") for name, value in known.items() if value)]
    if history.context_items:
        lines.append("  context items that its prompt had:")
    for used in history.context_items:
        told = f"{used.id} ({used.department or 'unknown'}, {used.state}) {used.summary or ''}"
        lines += [f"  {line}" for line in _wrapped(told, width)]
    return lines


def _flag_lines(item: Item) -> list[str]:
    found = item_injection(item)
    return [clean(f"  FLAGGED: words that seem meant for a model: {found}")] if found else []


def _made_in(iteration: int) -> str:
    return f"iteration {iteration}" if iteration else "no iteration"


def _wrapped(text: str, width: int | None) -> list[str]:
    """A text indented by two, on one line where there is no width."""
    line = " ".join(clean(text).split())
    return [f"  {part}" for part in textwrap.wrap(line, max(width - 2, 20))] if width else [f"  {line}"]
