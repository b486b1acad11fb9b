"""What a run shows: its progress on standard error, a live table on a terminal and one line an event elsewhere, and its end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from gather_pipeline.cli.output import error_console, print_table, print_text, say
from gather_pipeline.domain.automation import AutomationResult
from gather_pipeline.domain.event_lines import count_of, score_of, sentence
from gather_pipeline.domain.events import Event
from gather_pipeline.upkeep.progress import DepartmentProgress, RunProgress

if TYPE_CHECKING:
    from rich.console import RenderableType

REFRESHES_PER_S = 4
LINES_TOO = ("model_fault", "model_away", "model_back", "stagnation_detected")  # of passing interest in a table, so said above it
LEFT_OUT = ("max_iterations_reached", "evaluation_triggered")  # said by the line of the department's end
NAME_WIDTH = 20
# Headings with the least width of their column, so that nothing jumps while figures grow; together less than 80.
COLUMNS = {"department": 10, "iter": 4, "score": 8, "kept": 4, "drop": 4, "calls": 5, "rate": 7, "left": 5, "tokens": 7, "": 13}
LEAST_NEEDED = ("tokens", "rate", "drop", "left", "calls", "iter")  # in this order they are left out where a terminal is narrow


class Display:
    """Shows a run, of whose every event and state it is told; `slugs` are the departments that will run, in order."""

    def __init__(self, slugs: Sequence[str]) -> None:
        self.progress = RunProgress.of(slugs, time.monotonic())
        console = error_console()
        self._is_table = console.is_terminal and not console.is_dumb_terminal

    def __call__(self, event: Event) -> None:
        self.progress.take(event, time.monotonic())
        is_said = event.type in LINES_TOO if self._is_table else event.type not in LEFT_OUT
        if is_said and (line := sentence(event)):
            say(line)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the table, where there is one, is drawn anew by a thread of rich; what others print meanwhile appears above it."""
        if not self._is_table:
            yield
            return
        from rich.live import Live

        with Live(
            get_renderable=lambda: table_of(self.progress, time.monotonic(), error_console().width),
            console=error_console(),
            refresh_per_second=REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=True,
        ):
            yield


def table_of(progress: RunProgress, now: float, width: int) -> RenderableType:
    """The run as a table of at most 80 columns, of fewer where the terminal has fewer, with a line of totals below."""
    from rich.table import Table
    from rich.text import Text

    left = progress.left(now)
    totals = f"{progress.ended} of {len(progress.departments)} departments, {progress.kept} kept, {duration(now - progress.began)} elapsed"
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        caption=totals + (f", about {duration(left)} left" if left else ""),
        caption_justify="left",
    )
    shown = dict(COLUMNS)
    for heading in LEAST_NEEDED:
        if sum(shown.values()) + len(shown) > width:
            del shown[heading]
    for heading, least in shown.items():
        side: Literal["left", "right"] = "left" if heading in ("department", "") else "right"
        table.add_column(heading, justify=side, no_wrap=heading != "", min_width=least, max_width=NAME_WIDTH)
    for department in progress.departments.values():
        style = {"waiting": "dim", "working": "bold", "ended": ""}[department.stage]
        cells = dict(zip(COLUMNS, cells_of(department, now), strict=True))
        table.add_row(*(Text(cells[heading]) for heading in shown), style=style)
    return table


def cells_of(department: DepartmentProgress, now: float) -> list[str]:
    """A department's row; what is not known yet is empty."""
    if department.stage == "waiting":
        return [department.slug, *[""] * (len(COLUMNS) - 1)]
    rate, left = department.rate(now), department.left(now)
    threshold = "" if department.threshold is None else f"/{department.threshold:g}"
    faults = f", {department.faults} failed" if department.faults else ""
    unjudged = "" if department.judged or department.score is None else ", unjudged"
    return [
        department.slug,
        str(department.iteration or ""),
        score_of(department.score) + threshold,
        str(department.kept),
        str(department.dropped),
        f"{department.done}/{department.total}" if department.total else "",
        "" if rate is None else f"{rate:.0f}/min",
        "" if left is None else duration(left),
        count_of(department.tokens),
        (department.reason if department.stage == "ended" else department.phase) + unjudged + faults,
    ]


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
    print_text(
        f"{result.status.capitalize()}: {result.items_created} items in {result.iterations} iterations, "
        f"{duration(result.processing_time_ms / 1000)} minutes, {count_of(result.tokens)} tokens, cost {cost}."
    )
    if result.status != "completed":
        print_text(f"Reason: {result.reason}.")
    if result.task_id:
        print_text(f"Task: {result.task_id}")
    print_text("Next:")
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
        print_text(f"  {command:<{width}}  {purpose}")


def duration(seconds: float) -> str:
    """Minutes and seconds, e.g. ``2:05``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
