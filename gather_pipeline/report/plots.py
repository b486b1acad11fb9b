"""Plots of a project's report and of asset metadata, drawn with matplotlib.

Figures are made and thrown away one by one, without pyplot's global state, so that threads and servers may draw at the same
time. Colours are from the palette of Okabe and Ito, which colour-blind people can tell apart; no plot relies on
colour alone. Labels are department slugs: plain ASCII, so that no font lacks a letter of them.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["svg", "png"]

BLUE, ORANGE, GREEN, SKY, PURPLE, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#D55E00", "#8C8C8C"
INK, FAINT = "#222222", "#D9D9D9"
PHASES = (
    ("generate_s", "generate", BLUE),
    ("context_s", "context", SKY),
    ("deduplicate_s", "de-duplicate", ORANGE),
    ("score_s", "score", GREEN),
    ("save_s", "save", PURPLE),
    ("other_s", "other", GREY),
)
WIDTH = 8.0  # inches, the width of a page's text
LABEL_LIMIT = 22


def quality_plot(iterations: pd.DataFrame, format: Format = "svg") -> bytes:
    """Quality (0 to 100) after each iteration against the threshold, one panel a department."""
    departments = list(dict.fromkeys(iterations["department"])) if len(iterations) else []
    if not departments:
        return _nothing("No iteration has been measured yet", format)
    columns = min(4, len(departments))
    lines = math.ceil(len(departments) / columns)
    figure = _figure(0.55 + 1.75 * lines)
    grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
    for axes in grid.flat[len(departments) :]:
        axes.set_visible(False)
    for axes, department in zip(grid.flat, departments, strict=False):
        _quality_panel(axes, iterations[iterations["department"] == department], str(department))
    for line in range(lines):
        grid[line][0].set_ylabel("quality", color=INK, fontsize=8)
    handles, names = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return _bytes(figure, format)


def _quality_panel(axes: Axes, rows: pd.DataFrame, department: str) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers, quality = _floats(rows["iteration"]), _floats(rows["quality"])
    threshold = _floats(rows["threshold"])[-1]
    axes.axhline(threshold, color=VERMILION, linestyle="--", linewidth=1.2, label="threshold")
    axes.plot(numbers, quality, color=BLUE, marker="o", markersize=4, linewidth=1.6, label="quality after the iteration")
    axes.set_xlim(min(numbers) - 0.5, max(numbers) + 0.5)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    newest = "unknown" if math.isnan(quality[-1]) else f"{quality[-1]:.1f}"
    axes.set_title(f"{_short(department)}\n{newest} of {threshold:g}", fontsize=8.5, color=INK, loc="left")
    _clean(axes, grid="y")


def kept_plot(kept: pd.DataFrame) -> bytes:
    """Items kept against texts dropped as duplicates and by the content filter, one bar a department."""
    if not len(kept):
        return _nothing("No item has been measured yet")
    parts = [("kept", "kept", BLUE), ("duplicates", "dropped: duplicate", ORANGE), ("filtered", "dropped: content filter", GREY)]
    counts = _known(kept, parts)
    dropped = counts["duplicates"] + counts["filtered"]
    totals = [f"{kept:.0f} kept, {gone:.0f} dropped" for kept, gone in zip(counts["kept"], dropped, strict=True)]
    return _bars(kept["department"], counts, parts, totals, "texts")


def tokens_plot(spending: pd.DataFrame) -> bytes:
    """Tokens of prompts and answers, one bar a department; calls whose tokens are unknown are named beside the bar."""
    if not len(spending):
        return _nothing("No model call has been measured yet")
    parts = [("prompt_tokens", "prompts", SKY), ("completion_tokens", "answers", BLUE)]
    tokens = _known(spending, parts)
    notes = []
    for total, calls, unknown in zip(tokens.sum(axis=1), spending["calls"], spending["calls_with_unknown_tokens"], strict=True):
        if calls and unknown == calls:
            notes.append("unknown")
        else:
            notes.append(f"{total:,.0f}" + (f" and {unknown:.0f} {'call' if unknown == 1 else 'calls'} unknown" if unknown else ""))
    return _bars(spending["department"], tokens, parts, notes, "tokens")


def time_plot(spending: pd.DataFrame) -> bytes:
    """Time by phase of the loop, one bar a department; in minutes where any takes two or more."""
    timed = spending[spending["duration_s"].notna()] if len(spending) else spending
    if not len(timed):
        return _nothing("No time has been measured yet")
    seconds = timed["duration_s"].astype(float)
    long = seconds.max() >= 120
    totals = [f"{one / 60:.1f} min" if long else f"{one:.1f} s" for one in seconds]
    return _bars(timed["department"], _known(timed, PHASES) / (60 if long else 1), PHASES, totals, "minutes" if long else "seconds")


def _bars(
    departments: pd.Series[Any], values: pd.DataFrame, parts: Sequence[tuple[str, str, str]], notes: Sequence[str], unit: str
) -> bytes:
    """Stacked horizontal bars, one a department; `parts` are column, label and colour, `notes` stand at the ends."""
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    labels = [_short(name) if isinstance(name, str) else "whole project" for name in departments]
    figure = _figure(0.95 + 0.3 * len(labels))
    axes = figure.subplots()
    places = list(range(len(labels)))
    left = [0.0] * len(labels)
    for column, label, colour in parts:
        axes.barh(places, values[column], left=left, height=0.66, color=colour, label=label, edgecolor="white", linewidth=0.6)
        left = [start + width for start, width in zip(left, values[column], strict=True)]
    for place, (end, note) in enumerate(zip(left, notes, strict=True)):
        axes.annotate(note, (end, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=INK)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlim(0, (max(left) or 1) * 1.3)  # room for the notes
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=unit not in ("minutes", "seconds")))
    if unit == "tokens":
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel(unit, color=INK, fontsize=8)
    _clean(axes, grid="x")
    figure.legend(loc="outside upper left", ncols=len(parts), frameon=False, fontsize=8)
    return _bytes(figure)


def _known(frame: pd.DataFrame, parts: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    """The parts' columns as numbers; unknown counts as nothing."""
    return frame[[column for column, _, _ in parts]].astype(float).fillna(0.0)


def _floats(column: pd.Series[Any]) -> list[float]:
    return [float(value) for value in column.to_numpy(dtype=float, na_value=math.nan)]


def _short(label: str) -> str:
    return label if len(label) <= LABEL_LIMIT else f"{label[: LABEL_LIMIT - 3]}..."


def _figure(height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")


def _nothing(text: str, format: Format = "svg") -> bytes:
    figure = _figure(0.8)
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=10)
    return _bytes(figure, format)


def _clean(axes: Axes, grid: Literal["x", "y"]) -> None:
    """Leaves what carries data: two spines, thin grid lines behind the marks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(axis=grid, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8, length=0)


def _bytes(figure: Figure, format: Format = "svg") -> bytes:
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if format == "svg" else {}
    figure.savefig(buffer, format=format, dpi=144, metadata=metadata)
    return buffer.getvalue()
