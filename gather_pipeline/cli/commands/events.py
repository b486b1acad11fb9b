"""`gather events`: what happened, and with --follow what happens."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from gather_pipeline.cli.lazy import OutputClosed
from gather_pipeline.cli.options import Whole, as_json, example, project_option
from gather_pipeline.cli.output import clean, print_json, print_line, say
from gather_pipeline.cli.signals import Signals, noting
from gather_pipeline.cli.state import opened
from gather_pipeline.cli.views.events import sentence
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline.records.project import GatherRepository

POLL_S = 0.3
EXIT_INTERRUPTED = 130


@click.command(epilog=example("gather events --project salt --follow"))
@project_option
@click.option("--after", type=Whole(0), default=0, help="Only events with a higher sequence number.")
@click.option("--follow", is_flag=True, help="Print one JSON object a line, and go on until interrupted.")
@as_json
def events(project_id: str, after: int, follow: bool, as_json: bool) -> int:
    """Show a project's progress events, as they come with --follow."""
    with opened() as state:
        _, repository = state.project(project_id)
        if follow:
            with noting() as signals:
                _follow(repository, after, signals)
            return EXIT_INTERRUPTED
        rows = repository.events(after)
    if as_json:
        print_json(rows)
        return 0
    for row in rows:
        click.echo(clean(_line(row)))
    if not rows:
        say("There are no events yet." if not after else f"There is no event after {after}.")
    return 0


def _line(row: Mapping[str, Any]) -> str:
    return f"{row['sequence']:>5}  {str(row['at'])[:19]}  {row['type']}  {sentence(row) or ''}".rstrip()


def _follow(repository: GatherRepository, after: int, signals: Signals) -> None:
    """Polls the store until interrupted or until nobody reads any more; a store that is away for a while is waited for."""
    closed = select.poll()
    closed.register(sys.stdout.fileno(), select.POLLERR)
    away = False
    while not signals.received:
        try:
            rows = repository.events(after)
            away = False
        except StoreUnavailable as error:
            if not away:
                say(f"Waiting for the store: {error}")
            rows, away = [], True
        for row in rows:
            print_line(row)
            after = row["sequence"]
        # A pipe whose reader is gone would only be noticed at the next event.
        if any(state & select.POLLERR for _, state in closed.poll(0)):
            raise OutputClosed
        time.sleep(POLL_S)
