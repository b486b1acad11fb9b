"""`gather items`: what a project has, what people deleted, and what was dropped and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from gather_pipeline.cli.options import Whole, as_json, check_one, example, one_department, project_option
from gather_pipeline.cli.output import print_json, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.items import drop_lines, item_lines, line_width
from gather_pipeline.people.history import item_document
from gather_pipeline.people.listing import Page, drops_page, items_page
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services

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
    check_one({"--dropped": dropped, "--deleted": deleted}, needed=False)
    width = line_width()
    if limit is None and not as_json and width is not None:
        limit = PAGE
    lines_of: Callable[[Any, int | None], list[str]] = drop_lines if dropped else item_lines
    document_of: Callable[[Any], dict[str, Any]] = asdict if dropped else item_document
    with opened() as services:
        view = services.project(services.projects.get(project_id).id).view()
        page: Page[Any] = (
            drops_page(view, department, limit=limit, after=after)
            if dropped
            else items_page(view, department, "deleted" if deleted else "active", limit=limit, after=after)
        )
        if as_json:
            print_json([document_of(row) for row in page.rows])
        else:
            for row in page.rows:
                print_text("\n".join(lines_of(row, width)) + "\n")
        if page.last is not None:
            say(f"{len(page.rows)} shown, and there are more; to go on, type the same with --after {page.last}")
        elif not as_json:
            say(_end(services, view, len(page.rows), "dropped" if dropped else "deleted" if deleted else "kept", after is not None))


def _end(services: Services, view: ProjectView, count: int, what: str, is_later_page: bool) -> str:
    """What is said below the last row."""
    if is_later_page:
        return f"{count} shown, up to the last one"
    if not count:
        return f"There are no items yet; type: gather run --project {view.records.project_id}" if what == "kept" else f"Nothing was {what}."
    if what != "dropped":
        return f"{count} {what}"
    from gather_pipeline.report.project import threshold_reason  # not above: without it `gather items` starts sooner

    return f"{count} dropped. A text that repeats another is {threshold_reason(services, view)}."
