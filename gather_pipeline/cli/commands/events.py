"""`gather events`: what happened, with --follow what happens, and what was not delivered to a webhook."""

from __future__ import annotations

import select
import sys
import time

import click

from gather_pipeline.cli.app import EXIT_INTERRUPTED
from gather_pipeline.cli.lazy import OutputClosed
from gather_pipeline.cli.options import Whole, as_json, check_one, example, project_option
from gather_pipeline.cli.output import print_json, print_line, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.signals import Signals, noting
from gather_pipeline.domain.event_lines import sentence
from gather_pipeline.domain.events import Event
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import InvalidInput, StoreUnavailable
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services
from gather_pipeline.upkeep.deliver import receiver_of, redeliver

POLL_S = 0.3


@click.command(epilog=example("gather events --project salt --follow", "gather events --project salt --undelivered"))
@project_option
@click.option("--after", type=Whole(0), default=0, help="Only events with a higher sequence number.")
@click.option("--follow", is_flag=True, help="Print one JSON object a line, and go on until interrupted.")
@click.option("--undelivered", is_flag=True, help="Only what a webhook lacks: waiting, or dead, which is sent again only on request.")
@click.option("--redeliver", "again", is_flag=True, help="Send all that is undelivered to GATHER_WEBHOOK_URL, dead letters too.")
@as_json
def events(project_id: str, after: int, follow: bool, undelivered: bool, again: bool, as_json: bool) -> int:
    """Show a project's progress events, as they come with --follow."""
    check_one({"--follow": follow, "--undelivered": undelivered, "--redeliver": again}, needed=False)
    if again and after:
        raise click.UsageError("--redeliver sends all that is undelivered, expected no --after with it")
    with opened() as services:
        records = services.project(services.projects.get(project_id).id)
        if follow:
            with noting() as signals:
                _follow(records, after, signals)
            return EXIT_INTERRUPTED
        if again:
            return _redeliver(services, project_id, as_json)
        letters = services.outbox.undelivered(records, after) if undelivered else []
        found = [] if undelivered else records.events(after)
    if as_json:
        print_json([one.to_document() for one in (letters if undelivered else found)])
        return 0
    for event in found:
        print_text(_line(event))
    for letter in letters:
        why = f": {letter.reason}" if letter.reason else ""
        print_text(f"{_line(letter.event)}  [{letter.state}, sent to {letter.host} {counted(letter.attempts, 'time')}{why}]")
    if undelivered and not letters:
        say("Every event was delivered, or none was to be.")
    elif not found and not letters:
        say("There are no events yet." if not after else f"There is no event after {after}.")
    return 0


def _redeliver(services: Services, project_id: str, as_json: bool) -> int:
    receiver = receiver_of(services)
    if receiver is None:
        raise InvalidInput("GATHER_WEBHOOK_URL is not set, expected the address to deliver to")
    delivery = redeliver(services, project_id, receiver)
    if as_json:
        print_json({"delivered": delivery.taken, "refused": delivery.dead, "waiting": delivery.left})
    say(f"{receiver.host} took {counted(delivery.taken, 'event')} and refused {delivery.dead}; waiting: {delivery.left}.")
    return 1 if delivery.dead or delivery.left else 0


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
