"""Shows a run's progress on standard error: a live table on a terminal, one line an event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from gather_pipeline.cli.output import error_console, say
from gather_pipeline.cli.views.events import count_of, duration, score_of, sentence
from gather_pipeline.cli.views.progress import DepartmentProgress, RunProgress

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

REFRESHES_PER_S = 4
LINES_TOO = ("model_fault", "stagnation_detected")  # of passing interest in a table, so said above it
LEFT_OUT = ("max_iterations_reached", "evaluation_triggered")  # said by the line of the department's end
NAME_WIDTH = 20
# Headings with the least width of their column, so that nothing jumps while figures grow; together less than 80.
COLUMNS = {"department": 10, "iter": 4, "score": 8, "kept": 4, "drop": 4, "calls": 5, "rate": 7, "left": 5, "tokens": 7, "": 13}


class Display(Protocol):
    """Gets every event and state of a run, between its beginning and its end."""

    progress: RunProgress

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Shows one."""

    def __enter__(self) -> Self:
        """Begins."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends, however the run did."""


def choose_display(slugs: Sequence[str]) -> Display:
    """The display that suits standard error.

    Args:
        slugs: Departments that will run, in order.
    """
    console = error_console()
    animated = console.is_terminal and not console.is_dumb_terminal
    return LiveTable(slugs) if animated else Lines(slugs)


class Lines:
    """One line an event."""

    def __init__(self, slugs: Sequence[str]) -> None:
        self.progress = RunProgress.of(slugs, time.monotonic())

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Says the event, if it is of interest by itself."""
        self.progress.take(event, time.monotonic())
        line = sentence(event) if event["type"] not in LEFT_OUT else None
        if line is not None:
            say(line)

    def __enter__(self) -> Self:
        """Nothing to begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to end."""


class LiveTable:
    """A row a department, drawn anew four times a second by a thread of rich."""

    def __init__(self, slugs: Sequence[str]) -> None:
        self.progress = RunProgress.of(slugs, time.monotonic())
        self._live: Live | None = None

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Takes the event up; the next drawing shows it."""
        self.progress.take(event, time.monotonic())
        if event["type"] in LINES_TOO:
            say(sentence(event) or "")

    def __enter__(self) -> Self:
        """Begins to draw; what others print meanwhile appears above."""
        from rich.live import Live

        self._live = Live(
            get_renderable=self._draw,
            console=error_console(),
            refresh_per_second=REFRESHES_PER_S,
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leaves the last drawing on the screen."""
        if self._live is not None:
            self._live.stop()

    def _draw(self) -> RenderableType:
        return table_of(self.progress, time.monotonic())


def table_of(progress: RunProgress, now: float) -> RenderableType:
    """The run as a table of at most 80 columns, with a line of totals below."""
    from rich.table import Table
    from rich.text import Text

    left = progress.left(now)
    totals = f"{progress.ended} of {len(progress.departments)} departments, {progress.kept} kept, {duration(now - progress.began)} gone"
    table = Table(
        box=None,
        padding=(0, 1, 0, 0),
        caption=totals + (f", about {duration(left)} left" if left else ""),
        caption_justify="left",
    )
    for heading, width in COLUMNS.items():
        side: Literal["left", "right"] = "left" if heading in ("department", "") else "right"
        table.add_column(heading, justify=side, no_wrap=True, min_width=width, max_width=NAME_WIDTH)
    for department in progress.departments.values():
        style = {"waiting": "dim", "working": "bold", "ended": ""}[department.stage]
        table.add_row(*(Text(cell) for cell in cells_of(department, now)), style=style)
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
