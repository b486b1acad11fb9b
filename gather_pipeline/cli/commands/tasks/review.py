"""`tlm review list`, `show`, `decide`, `reassign` and `expire`: what waits for a person."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import click

from gather_pipeline.bootstrap import write_whole
from gather_pipeline.cli.editor import edited
from gather_pipeline.cli.inputs import read_text
from gather_pipeline.cli.lazy import NamingGroup
from gather_pipeline.cli.options import as_json, by_option, example
from gather_pipeline.cli.output import clean, print_json, print_table, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.reviews import Proposal, Review
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import InvalidInput
from gather_pipeline.people.person import person

LIMIT_BYTES = 2_000_000  # of a changed output
STATUSES = ("open", "accepted", "edited", "rejected", "expired")

note_option = click.option("--note", default="", metavar="TEXT", help="Why, for whoever reads it later.")


@click.group(cls=NamingGroup, epilog=example("tlm review list", "tlm review decide r1f0c7a0e9f3b4c2d8a1e6f7 accept"))
def review() -> None:
    """List, show and decide what waits for a person.

    An output waits where a task is verified by a person, or falls back to one. Once it is decided, the same task with the same input gives
    the accepted output. What was proposed never changes: a changed output stands beside it.
    """


@review.command("list", epilog=example("tlm review list", "tlm review list --status rejected --json"))
@click.option("--status", type=click.Choice([*STATUSES, "all"]), default="open", help="Only those of this status (default open).")
@click.option("--kind", metavar="KIND", help="Only those of this kind, such as task_output.")
@click.option("--assignee", metavar="NAME", help="Only those that this person is asked to decide.")
@as_json
def list_(status: Any, kind: str | None, assignee: str | None, as_json: bool) -> None:
    """List what waits, the oldest first."""
    with opened() as services:
        found = services.reviews.find(status=None if status == "all" else status, kind=kind, assignee=assignee)
    if as_json:
        print_json([one.to_row() for one in found])
    elif not found:
        say("Nothing waits." if status == "open" else "There is none.")
    else:
        rows = [[one.id, one.status, one.proposal.assignee, one.history[0].at[:16], one.proposal.title] for one in found]
        print_table(["review", "status", "assignee", "since", "what"], rows)


@review.command(epilog=example("tlm review show r1f0c7a0e9f3b4c2d8a1e6f7"))
@click.argument("id")
@as_json
def show(id: str, as_json: bool) -> None:
    """Show what is proposed, what it is for, what checks said of it, and what happened since."""
    with opened() as services:
        found = services.reviews.get(id)
    if as_json:
        print_json(found.to_document())
        return
    proposal = found.proposal
    print_text(f"{found.id} ({found.status}): {proposal.title}\n\nProposed:\n{_text(proposal.content)}")
    for name, part in {**proposal.subject, **proposal.shown}.items():
        if part not in (None, "", [], {}):
            print_text(f"\n{name.capitalize()}:\n{_verdicts(part) if name == 'verdicts' else _text(part)}")
    if found.status == "edited":
        print_text(f"\nChanged to:\n{_text(found.changed)}")
    print_text("\nHistory:")
    for step in found.history:
        print_text(f"  {step.at[:16]} {step.action}{f' by {step.by}' if step.by else ''}{f': {step.note}' if step.note else ''}")


@review.command(
    epilog=example(
        "tlm review decide r1f0c7a0e9f3b4c2d8a1e6f7 accept",
        'tlm review decide r1f0c7a0e9f3b4c2d8a1e6f7 reject --note "two skills are the same"',
        "tlm review decide r1f0c7a0e9f3b4c2d8a1e6f7 edit --output @better.json",
    )
)
@click.argument("id")
@click.argument("choice", type=click.Choice(["accept", "reject", "edit"]))
@click.option("--output", "given", metavar="JSON|@FILE|-", help="With edit: the output as it should be; your editor opens if left out.")
@note_option
@by_option
@as_json
def decide(id: str, choice: Any, given: str | None, note: str, by: str | None, as_json: bool) -> None:
    """Accept, reject, or accept with changes.

    A changed output must fit the task's output schema and validations.
    """
    from gather_pipeline.upkeep.suggesting import decide as decided

    with opened() as services:
        who, before = person(by, services.settings), services.reviews.get(id)
        proposal = before.proposal
        asked: AbstractContextManager[str | None] = nullcontext(_given(given))
        if choice == "edit" and given is None:
            asked = edited(services.settings.home, id, _text(proposal.content), [clean(proposal.title)])
        with asked as text:
            if choice == "edit" and text is None:
                say("The output is unchanged: nothing was decided.")
                if as_json:
                    print_json(before.to_document())
                return
            changed = None if text is None else _changed(proposal, text)
            after, written = decided(services, id, choice, by=who, note=note, changed=changed, write=write_whole)
    if written is not None:
        say(f"Written: {written}")
    _print(after, as_json)


@review.command(epilog=example("tlm review reassign r1f0c7a0e9f3b4c2d8a1e6f7 Mara"))
@click.argument("id")
@click.argument("assignee")
@note_option
@by_option
@as_json
def reassign(id: str, assignee: str, note: str, by: str | None, as_json: bool) -> None:
    """Ask somebody else."""
    with opened() as services:
        after = services.reviews.reassign(id, person(assignee, services.settings), by=person(by, services.settings), note=typed(note))
    _print(after, as_json)


@review.command(epilog=example("tlm review expire r1f0c7a0e9f3b4c2d8a1e6f7"))
@click.argument("id")
@note_option
@by_option
@as_json
def expire(id: str, note: str, by: str | None, as_json: bool) -> None:
    """Let a question lapse without a decision.

    One with a time of its own lapses by itself. The same output, should it come again, is asked about anew.
    """
    with opened() as services:
        after = services.reviews.expire(id, by=person(by, services.settings), note=typed(note))
    _print(after, as_json)


def _print(after: Review, as_json: bool) -> None:
    if as_json:
        print_json(after.to_document())
    else:
        say(f"{after.id} is {after.status}: {after.told}")


def _verdicts(given: Any) -> str:
    """Verdicts as lines: what was ruled, why, and what would be better."""
    lines = []
    for one in given:
        confidence = "" if one["confidence"] is None else f", confidence {one['confidence']:.2f}"
        lines += [f"{one['method']}: {one['ruling']}{confidence}", *(f"  {text}" for text in (*one["reasons"], *one["suggestions"]))]
    return "\n".join(lines)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _given(given: str | None) -> str | None:
    """The text of an option that may name a file or standard input."""
    if given is None or (given != "-" and not given.startswith("@")):
        return given
    return read_text(given.removeprefix("@"), "--output", LIMIT_BYTES)


def _changed(proposal: Proposal, text: str) -> Any:
    """A changed content: the text itself where the content is a text, else what it says as JSON."""
    if isinstance(proposal.content, str):
        return text
    try:
        return load_json(text)
    except ValueError as error:
        raise InvalidInput.field("--output", text, f"JSON ({error})") from None
