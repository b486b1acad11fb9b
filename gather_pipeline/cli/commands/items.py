"""`gather items`: what a project has, what people deleted, and what was dropped and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import dropwhile, islice
from typing import TypeVar

import click

from gather_pipeline.cli.options import Whole, as_json, example, one_department, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.items import drop_lines, item_lines, item_row, line_width
from gather_pipeline.domain.items import Item, State
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services

Row = TypeVar("Row")
PAGE = 50  # items on a terminal where --limit is left out: a screen or three


@click.command(
    epilog=example(
        "gather items --project salt --department story",
        "gather items --project salt --limit 20 --after 5d0c7a0e9f3b4c2d8a1e6f70",
        "gather items --project salt --dropped --json",
    )
)
@project_option
@one_department
@click.option("--dropped", is_flag=True, help="Show dropped texts instead, each with its match, similarity and rule.")
@click.option("--deleted", is_flag=True, help="Show items that people deleted instead.")
@click.option("--limit", type=Whole(1), help=f"Show so many; left out, {PAGE} on a terminal, and all with --json or in a pipe or file.")
@click.option("--after", metavar="ID", help="Begin behind this one, the last of what was shown before.")
@as_json
def items(
    project_id: str, department: str | None, dropped: bool, deleted: bool, limit: int | None, after: str | None, as_json: bool
) -> None:
    """Show a project's gather items, or what was dropped and why.

    The id in brackets is the one that gather item takes. A dropped text that was restored since is marked.
    """
    if dropped and deleted:
        raise InvalidInput("--dropped and --deleted are both given, expected one of them")
    if limit is None and not as_json and line_width() is not None:
        limit = PAGE
    with opened() as services:
        view = services.project(services.projects.get(project_id).id).view()
        if department is not None:
            _check_department(view, department)
        if dropped:
            _print_drops(services, view, department, limit, after, as_json)
        else:
            _print_items(view, department, "deleted" if deleted else "active", limit, after, as_json)


def _print_items(view: ProjectView, department: str | None, state: State, limit: int | None, after: str | None, as_json: bool) -> None:
    everything = _everything(view, department, after, in_parts=limit is not None)
    found = (item for item in _behind(everything, after, lambda item: item.id) if item.state == state)
    shown, more = _page(found, limit)
    if as_json:
        print_json([item_row(item) for item in shown])
    else:
        width = line_width()
        for item in shown:
            click.echo("\n".join(item_lines(item, width)) + "\n")
    if more:
        _tell_more(len(shown), shown[-1].id)
    elif as_json:
        return
    elif state == "deleted":
        say(f"{len(shown)} deleted" if shown else "Nothing was deleted.")
    elif after is not None:
        say(f"{len(shown)} shown, up to the last one")
    else:
        say(f"{len(shown)} kept" if shown else f"There are no items yet; type: gather run --project {view.records.project_id}")


def _everything(view: ProjectView, department: str | None, after: str | None, *, in_parts: bool) -> Iterator[Item]:
    """Items in order, from the department of the item `after` on; in parts, a department is read when its turn comes.

    Raises:
        UnknownEntity: There is no item `after`.
    """
    first = None
    if after is not None and (first := view.records.item(after)) is None:
        raise UnknownEntity.field("--after", after, "the id of an item of the project, as gather items prints it")
    slugs = [department] if department is not None else [stored.slug for stored in view.departments]
    if department is None and not in_parts:
        places = {slug: place for place, slug in enumerate(slugs)}
        yield from sorted(view.everything, key=lambda item: places.get(item.department, len(places)))
        return
    for slug in slugs if first is None else dropwhile(lambda slug: slug != first[0].department, slugs):
        yield from view.records.view(slug).everything
    if (
        department is None
    ):  # what belongs to a department that no run has found comes last, and nobody knows it without a look at everything
        yield from (item for item in view.everything if item.department not in slugs)


def _behind(rows: Iterable[Row], after: str | None, id_of: Callable[[Row], str]) -> Iterator[Row]:
    """The rows behind the one with an id; all of them where none is given."""
    return iter(rows) if after is None else islice(dropwhile(lambda row: id_of(row) != after, rows), 1, None)


def _page(rows: Iterator[Row], limit: int | None) -> tuple[list[Row], bool]:
    """As many rows as are wanted, and whether there are more."""
    shown = list(islice(rows, limit))
    return shown, limit is not None and next(rows, None) is not None


def _tell_more(shown: int, last: str) -> None:
    say(f"{shown} shown, and there are more; to go on, type the same with --after {last}")


def _print_drops(
    services: Services, view: ProjectView, department: str | None, limit: int | None, after: str | None, as_json: bool
) -> None:
    from gather_pipeline.people.history import drops_of
    from gather_pipeline.report.project import threshold_reason  # not above: without these two `gather items` starts sooner

    decided = [one for one in view.dropped if department in (None, one.department)]
    drops = drops_of(decided, [item for item in view.everything if department in (None, item.department)])
    places = {stored.slug: stored.place for stored in view.departments}
    drops.sort(key=lambda drop: places.get(drop.department, len(places)))
    if after is not None and all(drop.item_id != after for drop in drops):
        raise UnknownEntity.field("--after", after, "the id of a dropped text, as gather items --dropped prints it")
    shown, more = _page(_behind(drops, after, lambda drop: drop.item_id), limit)
    if as_json:
        print_json([asdict(drop) for drop in shown])
    else:
        width = line_width()
        for drop in shown:
            click.echo("\n".join(drop_lines(drop, width)) + "\n")
    if more:
        _tell_more(len(shown), shown[-1].item_id)
    elif not as_json:
        say(
            f"{len(drops)} dropped. A text that repeats another is {threshold_reason(services, view)}." if drops else "Nothing was dropped."
        )


def _check_department(view: ProjectView, slug: str) -> None:
    known = [stored.slug for stored in view.departments]
    if slug not in known and not view.history(slug) and not view.records.view(slug).everything:
        raise UnknownEntity.field("--department", slug, f"one of {', '.join(known)}" if known else "a department of a project that has run")
