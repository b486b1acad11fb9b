"""`gather item add`, `edit`, `delete`, `restore`, `same` and `show`: one gather item in a person's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from gather_pipeline.cli.editor import edited, keep
from gather_pipeline.cli.inputs import read_note
from gather_pipeline.cli.lazy import NamingGroup
from gather_pipeline.cli.options import Whole, any_project, as_json, by_option, check_one, example, project_option
from gather_pipeline.cli.output import print_json, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.items import history_lines, line_width
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import EditConflict, InvalidInput
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.history import history_of, item_document
from gather_pipeline.people.person import person

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(cls=NamingGroup, epilog=example("gather item show 5d0c7a0e9f3b4c2d8a1e6f70"))
def item() -> None:
    """Add, edit, delete, restore, compare or show one gather item.

    What a person wrote, edited or restored is never overwritten, generated anew or dropped as a duplicate. Every version is kept.
    """


def text_options(command: Command) -> Command:
    """The texts of an item."""
    for option in (
        click.option("--aspect", help="Aspect of the department that it covers."),
        click.option("--context", help="Where the note belongs."),
        click.option("--summary", help="One line; the note's first sentence where left out with a new note."),
        click.option("--file", "path", metavar="F", help="The note from a file, UTF-8 text; - reads standard input."),
        click.option("--content", help="The note itself; your editor opens where no text is given."),
    ):
        command = option(command)
    return command


@item.command(epilog=example('gather item add --project salt --department story --content "The mayor has the only key."'))
@project_option
@click.option("--department", metavar="SLUG", required=True, help="Department that it belongs to.")
@text_options
@by_option
@as_json
def add(
    project_id: str, department: str, content: str | None, path: str | None, by: str | None, as_json: bool, **others: str | None
) -> None:
    """Add an item that you wrote and print its id."""
    given = _given(content, path)
    with opened() as services:
        who, people = person(by, services.settings), People(services)
        people.check_department(project_id, department)  # before anybody types a note for nothing
        about = [f"Above this line: a new note for {department} of project {project_id}.", "An empty text adds nothing."]
        with _asked(services.settings.home, f"{project_id}-{department}", given, path, "", about) as text:
            if text is None:
                say("The text is empty: nothing was added.")
                if as_json:
                    print_json(None)
                return
            added = people.add(project_id, department, Texts(content=text, **others), who)
    _print(added, as_json, added.id)


@item.command(epilog=example("gather item edit 5d0c7a0e9f3b4c2d8a1e6f70", "gather item edit 5d0c7a0e9f3b4c2d8a1e6f70 --file note.txt"))
@click.argument("id")
@any_project
@text_options
@click.option("--revision", type=Whole(1), help="The version that your text was made from; a later one of somebody else is then told.")
@by_option
@as_json
def edit(
    id: str,
    project_id: str | None,
    content: str | None,
    path: str | None,
    revision: int | None,
    by: str | None,
    as_json: bool,
    **others: str | None,
) -> None:
    """Give an item new texts; the old ones are kept.

    Without --content, --file, --summary, --context or --aspect your editor opens on the note.
    """
    given = _given(content, path)
    with opened() as services:
        who, people = person(by, services.settings), People(services)
        before = people.find(id, project_id)
        if given is None and any(text is not None for text in others.values()):
            after = people.edit(id, Texts(**others), who, revision=revision, project_id=before.project_id)
        else:
            if before.state == "deleted":
                raise InvalidInput(f"item {id} is deleted, expected one that is there; type: gather item restore {id}")
            with _asked(services.settings.home, id, given, path, before.content, _about(before)) as text:
                if text is None and given is None:
                    say(f"The text is unchanged or empty: item {id} stays at revision {before.revision}.")
                    _print(before, as_json, "")
                    return
                seen = revision or (before.revision if given is None else None)
                after = people.edit(id, Texts(content=text or "", **others), who, revision=seen, project_id=before.project_id)
    if after.revision == before.revision:
        say(f"Nothing differs: item {id} stays at revision {before.revision}.")
    _print(after, as_json, f"Item {id} is at revision {after.revision}.")


@item.command(epilog=example("gather item delete 5d0c7a0e9f3b4c2d8a1e6f70"))
@click.argument("id")
@any_project
@by_option
@as_json
def delete(id: str, project_id: str | None, by: str | None, as_json: bool) -> None:
    """Take an item out of prompts, duplicates and scores; every version of it is kept."""
    with opened() as services:
        after = People(services).delete(id, person(by, services.settings), project_id=project_id)
    _print(after, as_json, f"Item {id} is deleted; to bring it back, type: gather item restore {id}")


@item.command(epilog=example("gather items --project salt --dropped", "gather item restore 5d0c7a0e9f3b4c2d8a1e6f70"))
@click.argument("id")
@any_project
@by_option
@as_json
def restore(id: str, project_id: str | None, by: str | None, as_json: bool) -> None:
    """Bring back a deleted item, or a dropped text.

    Of a dropped text the pair is remembered: what it was held to repeat is not held against it again.
    """
    with opened() as services:
        after = People(services).restore(id, person(by, services.settings), project_id=project_id)
    _print(after, as_json, f"Item {id} is there, at revision {after.revision}.")


@item.command(epilog=example("gather item same 5d0c7a0e9f3b4c2d8a1e6f70 71503c47b2db043f651c1da2"))
@click.argument("id")
@click.argument("other")
@any_project
@by_option
@as_json
def same(id: str, other: str, project_id: str | None, by: str | None, as_json: bool) -> None:
    """Say that item ID repeats item OTHER: ID is set aside, and the rules learn from the pair.

    It is listed by gather items --dropped, and gather item restore brings it back.
    """
    with opened() as services:
        after = People(services).mark_same(id, other, person(by, services.settings), project_id=project_id)
    _print(after, as_json, f"Item {id} is set aside; to bring it back, type: gather item restore {id}")


@item.command(epilog=example("gather item show 5d0c7a0e9f3b4c2d8a1e6f70"))
@click.argument("id")
@any_project
@as_json
def show(id: str, project_id: str | None, as_json: bool) -> None:
    """Show an item with every version of it, and where it came from."""
    with opened() as services:
        history = history_of(services, id, project_id)
    if as_json:
        print_json(history.to_document())
    else:
        print_text("\n".join(history_lines(history, line_width())))


def _given(content: str | None, path: str | None) -> str | None:
    """The text of --content or --file, None where neither is given."""
    check_one({"--content": content, "--file": path}, needed=False)
    return content if path is None else read_note(path)


@contextmanager
def _asked(home: Path, name: str, given: str | None, path: str | None, before: str, about: list[str]) -> Iterator[str | None]:
    """The text given, else what the editor gives; what would be lost where somebody else was quicker is kept in a file."""
    if given is None:
        with edited(home, name, before, about) as text:
            yield text
        return
    try:
        yield given
    except EditConflict:
        if path == "-":
            keep(home, name, given)
        raise


def _about(item: Item) -> list[str]:
    last = item.history()[-1]
    return [
        f"Above this line: the note of item {item.id}, {item.department}, {item.aspect or 'no aspect'}.",
        f"Revision {item.revision}, {last.action} by {last.by} at {last.at}.",
        "This line and all below it are cut off. An unchanged or empty text changes nothing.",
    ]


def _print(item: Item, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(item_document(item))
    elif sentence:
        print_text(sentence)
