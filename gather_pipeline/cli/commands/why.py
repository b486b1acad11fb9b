"""`gather why`: how an item came about."""

from __future__ import annotations

import click

from gather_pipeline.cli.options import any_project, as_json, example
from gather_pipeline.cli.output import print_json, print_text
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.why import why_lines
from gather_pipeline.people.why import why as how


@click.command(epilog=example("gather why 5d0c7a0e9f3b4c2d8a1e6f70", "gather why 5d0c7a0e9f3b4c2d8a1e6f70 --json"))
@click.argument("id")
@any_project
@as_json
def why(id: str, project_id: str | None, as_json: bool) -> None:
    """Show how an item came about: model, prompt, ledger, verdicts and cost.

    The prompt is made again from the record, and held against the hash of what was sent. Dropped texts have it too.
    """
    with opened() as services:
        found = how(services, id, project_id)
    if as_json:
        print_json(found.to_document())
    else:
        print_text("\n".join(why_lines(found)))
