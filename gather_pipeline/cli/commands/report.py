"""`gather report` and `gather sql`: what the runs were measured to do."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.options import as_json, example, project_option
from gather_pipeline.cli.output import print_frame, print_json, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.errors import GatherError, InvalidInput
from gather_pipeline.ports import IngestReport
from gather_pipeline.report.tables import rows
from gather_pipeline.services import Services

MOST_SPACE_MB = 250  # of addresses that a query of the user may take: what DuckDB may use, and the answer's table

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
    from gather_pipeline.report.project import brought_up_to_date, project_page, project_tables, threshold_reason

    with opened() as services:
        project = services.projects.get(project_id)
        view = services.project(project_id).view()
        with brought_up_to_date(services, _report, say):
            tables = project_tables(services, view)
        if path is not None:
            _write(path, project_page(services, project, view, tables))
            say(f"Written: {path}")
        if as_json:
            print_json(tables.to_dict())
        elif path is None:
            for name, (title, columns) in SHOWN.items():
                frame = getattr(tables, name)
                if len(frame):
                    print_text(title)
                    print_frame(frame, columns.split())
            say(f"A text that repeats another is {threshold_reason(services, view)}.")


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
    from gather_pipeline.report.project import brought_up_to_date

    with opened() as services, brought_up_to_date(services, _report, say), _bounded_memory():
        frame = services.metrics.query(query)
    if as_json:
        print_json(rows(frame))
    else:
        print_frame(frame)


@contextmanager
def _bounded_memory() -> Iterator[None]:
    """Within it this process gets little more memory: DuckDB's own limit leaves out texts that a function makes. Linux alone can."""
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = taken + MOST_SPACE_MB * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (most if soft == resource.RLIM_INFINITY else min(soft, most), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _report(services: Services, done: IngestReport) -> None:
    """Tells Dagster of what was taken in; it is loaded only then, and answers are not kept from the user where it cannot be told."""
    from gather_pipeline.defs.launch import report_metrics

    try:
        report_metrics(services.settings, done)
    except GatherError as error:
        say(f"Dagster is not told of the new measurements: {error}")
