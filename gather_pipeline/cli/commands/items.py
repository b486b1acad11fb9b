"""`gather items`: what a project has, what people deleted, and what was dropped and why."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, example, one_department, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.state import opened
from gather_pipeline.cli.views.items import drop_lines, drop_rows, item_lines, item_row
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.records.project import DEPARTMENTS, GatherRepository

WIDTH = 100


@click.command(epilog=example("gather items --project salt --department story", "gather items --project salt --dropped --json"))
@project_option
@one_department
@click.option("--dropped", is_flag=True, help="Show dropped texts instead, each with its match, similarity and rule.")
@click.option("--deleted", is_flag=True, help="Show items that people deleted instead.")
@as_json
def items(project_id: str, department: str | None, dropped: bool, deleted: bool, as_json: bool) -> None:
    """Show a project's gather items, or what was dropped and why.

    The id in brackets is the one that gather item takes. A dropped text that was restored since is marked.
    """
    if dropped and deleted:
        raise InvalidInput("--dropped and --deleted are both given, expected one of them")
    with opened() as state:
        _, repository = state.project(project_id)
        if department is not None:
            _check_department(repository, department)
        found = repository.everything(department)
        place = _place_in(repository)
        drops = sorted(drop_rows(repository.dropped(department), found), key=lambda row: place(row["department"])) if dropped else []
        threshold = bootstrap.duplicate_threshold(state.settings, state.store, project_id) if dropped and not as_json else ""
    chosen = [item for item in found if (item.state == "deleted" if deleted else item.is_active)]
    chosen.sort(key=lambda item: place(item.department))
    if as_json:
        print_json(drops if dropped else [item_row(item) for item in chosen])
        return
    width = min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None
    for lines in [drop_lines(row, width) for row in drops] if dropped else [item_lines(item, width) for item in chosen]:
        click.echo("\n".join(lines) + "\n")
    if dropped:
        say(f"{len(drops)} dropped. A text that repeats another is {threshold}." if drops else "Nothing was dropped.")
    elif deleted:
        say(f"{len(chosen)} deleted" if chosen else "Nothing was deleted.")
    else:
        say(f"{len(chosen)} kept" if chosen else f"There are no items yet; type: gather run --project {project_id}")


def _place_in(repository: GatherRepository) -> Callable[[str], int]:
    """Sort key that puts departments in the order in which they run."""
    places = {row["slug"]: int(row["place"]) for row in repository.rows(DEPARTMENTS)}
    return lambda slug: places.get(slug, len(places))


def _check_department(repository: GatherRepository, slug: str) -> None:
    known = [row["slug"] for row in sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"])]
    if slug not in known and not repository.iterations(slug) and not repository.everything(slug):
        raise UnknownEntity.field("--department", slug, f"one of {', '.join(known)}" if known else "a department of a project that has run")
