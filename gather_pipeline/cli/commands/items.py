"""`gather items`: what a project has, what people deleted, and what was dropped and why."""

from __future__ import annotations

from dataclasses import asdict

import click

from gather_pipeline.cli.options import as_json, example, one_department, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.items import drop_lines, item_lines, item_row, line_width
from gather_pipeline.domain.items import State
from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services


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
    with opened() as services:
        view = services.project(services.projects.get(project_id).id).view()
        if department is not None:
            _check_department(view, department)
        if dropped:
            _print_drops(services, view, department, as_json)
        else:
            _print_items(view, department, "deleted" if deleted else "active", as_json)


def _print_items(view: ProjectView, department: str | None, state: State, as_json: bool) -> None:
    found = [item for item in view.everything if item.state == state and department in (None, item.department)]
    found.sort(key=lambda item: _place(view, item.department))
    if as_json:
        print_json([item_row(item) for item in found])
        return
    width = line_width()
    for item in found:
        click.echo("\n".join(item_lines(item, width)) + "\n")
    if state == "deleted":
        say(f"{len(found)} deleted" if found else "Nothing was deleted.")
    else:
        say(f"{len(found)} kept" if found else f"There are no items yet; type: gather run --project {view.records.project_id}")


def _print_drops(services: Services, view: ProjectView, department: str | None, as_json: bool) -> None:
    from gather_pipeline.people.history import drops_of
    from gather_pipeline.report.project import threshold_reason  # not above: without these two `gather items` starts sooner

    decided = [one for one in view.dropped if department in (None, one.department)]
    drops = drops_of(decided, [item for item in view.everything if department in (None, item.department)])
    drops.sort(key=lambda drop: _place(view, drop.department))
    if as_json:
        print_json([asdict(drop) for drop in drops])
        return
    width = line_width()
    for drop in drops:
        click.echo("\n".join(drop_lines(drop, width)) + "\n")
    say(f"{len(drops)} dropped. A text that repeats another is {threshold_reason(services, view)}." if drops else "Nothing was dropped.")


def _place(view: ProjectView, slug: str) -> int:
    """The department's place in the order in which they run; one that no run has found comes last."""
    return next((stored.place for stored in view.departments if stored.slug == slug), len(view.departments))


def _check_department(view: ProjectView, slug: str) -> None:
    known = [stored.slug for stored in view.departments]
    if slug not in known and not view.history(slug) and not any(item.department == slug for item in view.everything):
        raise UnknownEntity.field("--department", slug, f"one of {', '.join(known)}" if known else "a department of a project that has run")
