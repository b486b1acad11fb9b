"""`gather report` and `gather sql`: what the runs were measured to do."""

from __future__ import annotations

from pathlib import Path

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, example, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.state import opened, settings_of_command
from gather_pipeline.cli.views.frames import plain_rows, print_frame
from gather_pipeline.errors import InvalidInput, StoreUnavailable
from gather_pipeline.settings import Settings

# Title and columns of each table on a terminal; --json and --html have all columns.
SHOWN = {
    "departments": (
        "Departments",
        "department quality judged threshold reached iterations kept duplicates filtered tokens cost minutes ended_by",
    ),
    "iterations": (
        "Quality by iteration",
        "department iteration quality judged coverage depth coherence actionability threshold reached rung",
    ),
    "kept": ("Items kept and dropped", "department generated kept duplicates filtered duplicate_rate"),
    "spending": (
        "Tokens and seconds",
        "department calls prompt_tokens completion_tokens cost generate_s deduplicate_s score_s save_s context_s duration_s",
    ),
    "runs": ("Runs", "started_at status iterations items_created tokens minutes task_id"),
}


@click.command(epilog=example("gather report --project salt --html report.html"))
@project_option
@click.option("--html", "path", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with plots, too.")
@as_json
def report(project_id: str, path: Path | None, as_json: bool) -> None:
    """Show a project's figures, or write them as a page with plots."""
    with opened() as state:
        project = state.projects.get(project_id)
        _ingest(state.settings)
        shown = path is None and not as_json
        threshold = bootstrap.duplicate_threshold(state.settings, state.store, project_id) if shown else ""
        tables = bootstrap.project_tables(state.settings, state.store, project_id)
        if path is not None:
            _write(path, bootstrap.project_page(state.settings, state.store, project, tables))
    if path is not None:
        say(f"Written: {path}")
    if as_json:
        print_json(tables.to_dict())
    elif shown:
        for name, (title, columns) in SHOWN.items():
            frame = getattr(tables, name)
            if len(frame):
                click.echo(title)
                print_frame(frame, columns.split())
        say(f"A text that repeats another is {threshold}.")


def _write(path: Path, text: str) -> None:
    try:
        bootstrap.write_whole(path, text)
    except OSError as error:
        raise InvalidInput.field("--html", str(path), f"a file that can be written ({error.strerror})") from None


@click.command(epilog=example('gather sql "SELECT department, iteration, quality FROM quality_progression"'))
@click.argument("query")
@as_json
def sql(query: str, as_json: bool) -> None:
    """Ask the metrics database a question, read-only.

    It is DuckDB; SHOW TABLES lists its tables and views.
    """
    settings = settings_of_command()
    _ingest(settings)
    frame = bootstrap.query_metrics(settings, query)
    if as_json:
        print_json(plain_rows(frame))
    else:
        print_frame(frame)


def _ingest(settings: Settings) -> None:
    """Takes in what was measured since; where another process is at it, the database is shown as it is."""
    try:
        bootstrap.ingest_metrics(settings)
    except StoreUnavailable as error:
        say(f"The newest measurements are not shown: {error}")
