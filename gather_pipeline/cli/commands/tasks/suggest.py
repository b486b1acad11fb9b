"""`tlm suggest`: what goes wrong at a task, and a better prompt for it."""

from __future__ import annotations

from dataclasses import asdict

import click

from gather_pipeline.cli.options import Whole, as_json, example
from gather_pipeline.cli.output import capitalized, print_json, print_table, say
from gather_pipeline.cli.services import opened


@click.command(epilog=example("tlm suggest gather_item --dry-run", "tlm suggest gather_item --model anthropic/claude-sonnet-4.5"))
@click.argument("name", metavar="TASK")
@click.option("--days", type=Whole(1, 3650), default=30, show_default=True, help="How far back to look.")
@click.option("--model", metavar="ID", help="Who suggests; chosen as for any task if left out.")
@click.option("--dry-run", is_flag=True, help="Only show what goes wrong; no model is asked.")
@as_json
def suggest(name: str, days: int, model: str | None, dry_run: bool, as_json: bool) -> None:
    """Show what goes wrong at a task, and have a better prompt suggested.

    A suggestion is tried on recorded inputs, and waits for a person (tlm review). Accepted, it is written as a new version of the task.
    """
    from gather_pipeline.upkeep.suggesting import Suggestion, failures
    from gather_pipeline.upkeep.suggesting import suggest as suggested

    with opened() as services:
        if dry_run:
            executions, found = failures(services, name, days)
            made = Suggestion(task=name, told=f"{len(executions)} executions of the last {days} days", patterns=tuple(found))
        else:
            made = suggested(services, name, days=days, model=model)
    if as_json:
        print_json(asdict(made))
        return
    if made.patterns:
        headings = ["what goes wrong", "version", "prompt", "model", "executions", "of", "share", "from", "to"]
        rows = [
            [one.kind, one.version, one.prompt, one.model, one.count, one.of, *(f"{part:.0%}" for part in (one.share, one.low, one.high))]
            for one in made.patterns
        ]
        print_table(headings, rows, right=headings[4:])
    say(f"{capitalized(made.told)}." + (f" Type: tlm review show {made.review}" if made.review else ""))
