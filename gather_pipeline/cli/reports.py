"""`gather report` and `gather sql`: what the runs were measured to do."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.frames import plain_rows, print_frame
from gather_pipeline.cli.options import as_json, example, project_option
from gather_pipeline.cli.output import print_json, say
from gather_pipeline.cli.state import State, opened, settings_of_command
from gather_pipeline.domain.departments import Department
from gather_pipeline.errors import InvalidInput, StoreUnavailable
from gather_pipeline.gather.repository import DEPARTMENTS
from gather_pipeline.report.tables import ReportTables, report_tables
from gather_pipeline.settings import Settings

# Title and columns of each table on a terminal; --json and --html have all columns.
SHOWN = {
    "departments": ("Departments", "department quality threshold reached iterations kept duplicates filtered tokens cost minutes ended_by"),
    "iterations": ("Quality by iteration", "department iteration quality coverage depth coherence actionability threshold reached rung"),
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
        state.projects.get(project_id)
        _ingest(state.settings)
        tables = report_tables(partial(bootstrap.query_metrics, state.settings), project_id)
        if path is not None:
            _write(path, _page(state, project_id, tables))
    if path is not None:
        say(f"Written: {path}")
    if as_json:
        print_json(tables.to_dict())
    elif path is None:
        for name, (title, columns) in SHOWN.items():
            frame = getattr(tables, name)
            if len(frame):
                click.echo(title)
                print_frame(frame, columns.split())


def _page(state: State, project_id: str, tables: ReportTables) -> str:
    from gather_pipeline.report.page import render_page

    project, repository = state.project(project_id)
    stored = sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"])
    return render_page(
        project=project,
        tables=tables,
        departments=[Department.model_validate(row) for row in stored],
        items=repository.items(),
        drops=repository.dropped(),
        generated_at=bootstrap.system_clock().now(),
    )


def _write(path: Path, text: str) -> None:
    """Writes the file whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.absolute().parent, prefix=".report-", delete=False) as file:
            fresh = Path(file.name)
            try:
                file.write(text)
                file.flush()
                fresh.chmod(0o666 & ~_umask())
                fresh.replace(path)
            except BaseException:
                fresh.unlink()
                raise
    except OSError as error:
        raise InvalidInput.field("--html", str(path), f"a file that can be written ({error.strerror})") from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


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
