"""`gather export` and `gather import`: a project's items as a file, and back."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, by_option, example, project_option
from gather_pipeline.cli.output import clean, error_console, print_json, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.domain.item_lines import FORMATS, READ_SUFFIXES, SUFFIXES, Format, to_fields
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import InvalidInput, listed
from gather_pipeline.people.import_lines import Order
from gather_pipeline.people.importing import Imported, Importer
from gather_pipeline.people.person import person

Row = TypeVar("Row")

SHOWN = 20  # refused lines on a terminal
MANY = 2_000  # lines from which progress is shown
EXIT_REFUSED = 1


@click.command("export", epilog=example("gather export --project salt --output salt.md", "gather export --project salt > salt.jsonl"))
@project_option
@click.option("--format", "name", metavar="FORMAT", help="jsonl, csv, md or parquet; the suffix of --output says it where left out.")
@click.option("--output", "path", type=click.Path(path_type=Path), metavar="FILE", help="The file; standard output where left out.")
@click.option("--active", is_flag=True, help="Leave out what was deleted or set aside.")
def export(project_id: str, name: str | None, path: Path | None, active: bool) -> None:
    """Write a project's items to a file, with everything that is kept of them.

    Every item goes with its history, in any state; gather import takes the file back without a loss. The texts that were dropped before
    they became items are not in it.
    """
    format = _format(name, path, SUFFIXES, "--output")
    if format == "parquet" and path is None:
        raise InvalidInput("--output is missing, expected a file: parquet cannot be written to standard output")
    with opened() as services:
        project = services.projects.get(project_id)
        placed = services.project(project_id).view().placed
        items = [(item, place) for item, place in placed if item.is_active or not active]
        with _counted("Writing") as count:
            rows = (to_fields(item, place) for item, place in _each(items, count, len(items)))
            # A note could hold what would steer a terminal.
            shown = io.BytesIO() if path is None and sys.stdout.isatty() else None
            bootstrap.write_items(rows, format, path, shown or sys.stdout.buffer, project.name)
    if shown is not None:
        click.echo(clean(shown.getvalue().decode()), nl=False)
    say(f"{counted(len(items), 'item')} written" + (f": {path}" if path else ""))


@click.command("import", epilog=example("gather import --project salt salt.jsonl", "gather import --project salt notes.csv --by ana"))
@project_option
@click.argument("file")
@click.option("--format", "name", metavar="FORMAT", help="jsonl, csv, md or parquet; the suffix of FILE says it where left out.")
@click.option("--adopt", is_flag=True, help="Take in the items of another project.")
@by_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@as_json
def import_(project_id: str, file: str, name: str | None, adopt: bool, by: str | None, dry_run: bool, as_json: bool) -> int:
    """Take the items of a file into a project.

    FILE is an export, or a table or JSON lines of your own with at least the columns department and content; - reads standard input.
    Items keep their ids, and nothing that is there is overwritten. Lines that repeat what the project has are listed by gather items
    --dropped; what a person wrote in an export never is. A bad line is named and kept out, and the exit code is 1 then.
    """
    path = None if file == "-" else Path(file)
    format = _format(name, path, READ_SUFFIXES, "FILE")
    with opened() as services:
        services.projects.get(project_id)
        with _counted("Importing") as count:
            lines = _each(bootstrap.read_items(path, sys.stdin.buffer, format, file), count)
            order = Order(
                project_id=project_id,
                lines=lines,
                file="standard input" if path is None else path.name,
                by=person(by, services.settings),
                adopt=adopt,
                dry_run=dry_run,
            )
            done = Importer(services).take(order, count)
    _tell(done, project_id, file, dry_run, as_json)
    return EXIT_REFUSED if done.refused else 0


def _tell(done: Imported, project_id: str, file: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({"project_id": project_id, "file": file, "dry_run": dry_run, **asdict(done)})
        return
    for one in done.refused[:SHOWN]:
        say(f"{file}, line {one.line}: {one.reason}")
    if len(done.refused) > SHOWN:
        say(f"and {counted(len(done.refused) - SHOWN, 'more line')}; --json lists them all")
    if done.ignored:
        say(f"Left out, for no item has them: {listed(done.ignored)}")
    would = "would be " if dry_run else ""
    dropped = f"{done.dropped} {would}dropped as duplicates"
    print_text(f"{done.imported} {would}imported, {done.already_there} already there, {dropped}, {len(done.refused)} refused")


def _format(name: str | None, path: Path | None, suffixes: Mapping[str, Format], option: str) -> Format:
    """The format named, else the one of the file's suffix."""
    if name is not None:
        found = next((format for format in FORMATS if format == name.lower()), None)
        if found is None:
            raise InvalidInput.field("--format", name, f"one of {', '.join(FORMATS)}")
        return found
    if path is None:
        return "jsonl"
    if path.suffix.lower() not in suffixes:
        raise InvalidInput.field(option, str(path), f"a name that ends with {', '.join(suffixes)}, or --format")
    return suffixes[path.suffix.lower()]


def _each(rows: Iterable[Row], count: Callable[[int, int], None], total: int = 0) -> Iterator[Row]:
    for done, row in enumerate(rows, start=1):
        yield row
        count(done, total)


@contextmanager
def _counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """Shows on a terminal how far many lines have come; is given how many are done, and of how many or 0 where that is not known yet."""
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.progress import Progress

    with Progress(console=error_console(), transient=True) as progress:
        task = progress.add_task(what, total=None, visible=False)

        def count(done: int, of: int) -> None:
            if done % 100 == 0 and max(done, of) >= MANY:
                progress.update(task, completed=done, total=of or None, visible=True)

        yield count
