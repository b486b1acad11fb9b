"""`gather events`: what happened, and with --follow what happens."""

from __future__ import annotations

import select
import sys
import time

import click

from gather_pipeline.cli.lazy import OutputClosed
from gather_pipeline.cli.options import Whole, as_json, example, project_option
from gather_pipeline.cli.output import clean, print_json, print_line, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.signals import Signals, noting
from gather_pipeline.domain.event_lines import sentence
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline.records.project import ProjectRecords

POLL_S = 0.3
EXIT_INTERRUPTED = 130


@click.command(epilog=example("gather events --project salt --follow"))
@project_option
@click.option("--after", type=Whole(0), default=0, help="Only events with a higher sequence number.")
@click.option("--follow", is_flag=True, help="Print one JSON object a line, and go on until interrupted.")
@as_json
def events(project_id: str, after: int, follow: bool, as_json: bool) -> int:
    """Show a project's progress events, as they come with --follow."""
    with opened() as services:
        records = services.project(services.projects.get(project_id).id)
        if follow:
            with noting() as signals:
                _follow(records, after, signals)
            return EXIT_INTERRUPTED
        found = records.events(after)
    if as_json:
        print_json([event.to_document() for event in found])
        return 0
    for event in found:
        click.echo(clean(_line(event)))
    if not found:
        say("There are no events yet." if not after else f"There is no event after {after}.")
    return 0


def _line(event: Event) -> str:
    return f"{event.sequence:>5}  {event.at[:19]}  {event.type}  {sentence(event) or ''}".rstrip()


def _follow(records: ProjectRecords, after: int, signals: Signals) -> None:
    """Polls the store until interrupted or until nobody reads any more; a store that is away for a while is waited for."""
    closed = select.poll()
    closed.register(sys.stdout.fileno(), select.POLLERR)
    away = False
    while not signals.received:
        try:
            found, away = records.events(after), False
        except StoreUnavailable as error:
            if not away:
                say(f"Waiting for the store: {error}")
            found, away = [], True
        for event in found:
            print_line(event.to_document())
            after = event.sequence
        # A pipe whose reader is gone would only be noticed at the next event.
        if any(state & select.POLLERR for _, state in closed.poll(0)):
            raise OutputClosed
        time.sleep(POLL_S)
