"""`gather items`: what a project has, and what was dropped and why."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import click

from gather_pipeline.cli.options import as_json, example, one_department, project_option
from gather_pipeline.cli.output import clean, print_json, say
from gather_pipeline.cli.state import opened
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.gather.repository import DEPARTMENTS, GatherRepository

WIDTH = 100


@click.command(epilog=example("gather items --project salt --department story", "gather items --project salt --dropped --json"))
@project_option
@one_department
@click.option("--dropped", is_flag=True, help="Show dropped texts instead, each with its match, similarity and rule.")
@as_json
def items(project_id: str, department: str | None, dropped: bool, as_json: bool) -> None:
    """Show a project's gather items, or what was dropped and why."""
    with opened() as state:
        _, repository = state.project(project_id)
        if department is not None:
            _check_department(repository, department)
        if dropped:
            rows = [_drop_row(row) for row in repository.dropped(department)]
        else:
            rows = [_item_row(item) for item in repository.items(department)]
        rows.sort(key=_place_in(repository))
    if as_json:
        print_json(rows)
    elif rows:
        width = min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
        for row in rows:
            click.echo("\n".join(_drop_lines(row, width) if dropped else _item_lines(row, width)) + "\n")
        say(f"{len(rows)} {'dropped' if dropped else 'kept'}")
    else:
        say("Nothing was dropped." if dropped else f"There are no items yet; type: gather run --project {project_id}")


def _place_in(repository: GatherRepository) -> Callable[[Mapping[str, Any]], int]:
    """Sort key that puts departments in the order in which they run."""
    places = {row["slug"]: int(row["place"]) for row in repository.rows(DEPARTMENTS)}
    return lambda row: places.get(row["department"], len(places))


def _check_department(repository: GatherRepository, slug: str) -> None:
    known = [row["slug"] for row in sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"])]
    if slug not in known and not repository.iterations(slug):
        raise UnknownEntity.field("--department", slug, f"one of {', '.join(known)}" if known else "a department of a project that has run")


def _item_row(item: Item) -> dict[str, Any]:
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
        "automation": dict(item.provenance),
    }


def _drop_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A decision as --json prints it: the dropped text, what it matched, and the rule with its reason."""
    names = ("content", "match_id", "match_content", "similarity", "cosine", "rule", "reason", "department", "iteration", "rules_version")
    return {"id": row["_id"], **{name: row.get(name) for name in names}}


def _item_lines(row: Mapping[str, Any], width: int | None) -> list[str]:
    head = f"{row['department']}, iteration {row['iteration']}, {row['aspect'] or 'no aspect'}  [{row['id']}, {row['generated_by']}]"
    return [clean(head), *_wrapped(row["content"], width), *_wrapped(f"summary: {row['summary']}", width)]


def _drop_lines(row: Mapping[str, Any], width: int | None) -> list[str]:
    similarity = "" if row["similarity"] is None else f", similarity {row['similarity']:.2f}"
    head = f"{row['department']}, iteration {row['iteration']}: dropped by rule {row['rule']}{similarity}"
    lines = [clean(head), *_wrapped(row["content"], width)]
    if row["match_content"]:
        lines += _wrapped(f"like {row['match_id'] or 'a text of the same batch'}: {row['match_content']}", width)
    return lines + (_wrapped(f"because {row['reason']}", width) if row["reason"] else [])


def _wrapped(text: str, width: int | None) -> list[str]:
    line = " ".join(clean(text).split())
    return [f"  {part}" for part in textwrap.wrap(line, max(width - 2, 20))] if width else [f"  {line}"]
