"""The end of a run for a person: what each department came to and why, and what to do next."""

from __future__ import annotations

import click

from gather_pipeline.cli.output import print_table
from gather_pipeline.cli.views.events import count_of, duration, score_of
from gather_pipeline.domain.automation import AutomationResult


def print_summary(result: AutomationResult) -> None:
    """A table of the departments, a line of totals, and the next commands."""
    if result.summary:
        rows = [
            [row.department, f"{score_of(row.quality_score)}/{row.threshold:g}", row.iterations, row.items_created, row.reason]
            for row in result.summary
        ]
        headings = ["department", "score", "iterations", "items", "why it ended"]
        print_table(headings, rows, right=headings[1:4])
    cost = "unknown" if result.cost is None else f"{result.cost:.4f} US dollars"
    click.echo(
        f"{result.status.capitalize()}: {result.items_created} items in {result.iterations} iterations, "
        f"{duration(result.processing_time_ms / 1000)} minutes, {count_of(result.tokens)} tokens, cost {cost}."
    )
    if result.status != "completed":
        click.echo(f"Reason: {result.reason}.")
    if result.task_id:
        click.echo(f"Task: {result.task_id}")
    click.echo("Next:")
    project = f"--project {result.project_id}"
    steps = [(f"gather run {project}", "goes on from what is saved")] if result.status != "completed" else []
    steps += [
        (f"gather items {project}", "the notes"),
        (f"gather items {project} --dropped", "what was dropped and why"),
        (f"gather report {project} --html report.html", "figures and plots"),
        ("make dev", "the run in Dagster's UI"),
    ]
    width = max(len(command) for command, _ in steps)
    for command, purpose in steps:
        click.echo(f"  {command:<{width}}  {purpose}")
