"""What the page's plots show: curves and bars, as shares of the room that the page gives them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gather_pipeline.domain.texts import counted
from gather_pipeline.report.tables import ReportTables, rows

Row = Mapping[str, Any]
KEPT = {"kept": "kept", "duplicates": "dropped: duplicate", "filtered": "dropped: content filter"}
TOKENS = {"prompt_tokens": "prompts", "completion_tokens": "answers"}
PHASES = {
    "generate_s": "generate",
    "context_s": "context",
    "deduplicate_s": "de-duplicate",
    "score_s": "score",
    "save_s": "save",
    "other_s": "other",
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A department's quality by iteration.

    Attributes:
        iterations: Numbers of its iterations.
        qualities: Quality after each, None where it is unknown.
        threshold: The newest one; None where it is unknown.
        points: Place of each known quality, from the left and from the top, in per cent.
    """

    department: str
    iterations: Sequence[int]
    qualities: Sequence[float | None]
    threshold: float | None

    @property
    def points(self) -> list[tuple[float, float]]:
        known = enumerate(self.qualities)
        return [(100 * (place + 0.5) / len(self.qualities), 100 - quality) for place, quality in known if quality is not None]


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: its label, the note at its end, its length in per cent of the longest, and its parts, each with its per cent of the bar."""

    label: str
    note: str
    length: float
    parts: Sequence[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars with one key."""

    title: str
    caption: str
    key: Sequence[str]
    bars: Sequence[Bar]


def curves(iterations: Iterable[Row]) -> list[Curve]:
    """A curve for each department, from the rows of table `iterations`."""
    by_department: dict[str, list[Row]] = defaultdict(list)
    for row in iterations:
        by_department[row["department"]].append(row)
    return [
        Curve(
            department=department,
            iterations=[row["iteration"] for row in found],
            qualities=[row["quality"] for row in found],
            threshold=found[-1]["threshold"],
        )
        for department, found in by_department.items()
    ]


def bars(tables: ReportTables) -> list[Bars]:
    """What became of texts, and where tokens and time went, a bar a department."""
    spending = rows(tables.spending)
    timed = [row for row in spending if row["duration_s"] is not None]
    return [
        _bars("Kept against dropped", "What became of the texts that the models gave.", rows(tables.kept), KEPT, str, _kept),
        _bars("Tokens", "Of every model call of a department, scoring and judging included.", spending, TOKENS, "{:,.0f}".format, _tokens),
        _bars("Time", "By phase of the loop; calls of one iteration run side by side.", timed, PHASES, duration, _time),
    ]


def _bars(
    title: str, caption: str, table: Sequence[Row], columns: Mapping[str, str], told: Callable[[float], str], note: Callable[[Row], str]
) -> Bars:
    """Bars of a table's columns; unknown counts as nothing."""
    sums = [sum(row[column] or 0 for column in columns) for row in table]
    longest = max(sums, default=0) or 1
    return Bars(
        title=title,
        caption=caption,
        key=list(columns.values()),
        bars=[
            Bar(
                label=row["department"] or "whole project",
                note=note(row),
                length=100 * whole / longest,
                parts=[(f"{name} {told(row[column] or 0)}", 100 * (row[column] or 0) / (whole or 1)) for column, name in columns.items()],
            )
            for row, whole in zip(table, sums, strict=True)
        ],
    )


def _kept(row: Row) -> str:
    return f"{row['kept'] or 0} kept, {(row['duplicates'] or 0) + (row['filtered'] or 0)} dropped"


def _tokens(row: Row) -> str:
    unknown = row["calls_with_unknown_tokens"]
    if unknown and unknown == row["calls"]:
        return "unknown"
    known = f"{sum(row[column] or 0 for column in TOKENS):,.0f}"
    return f"{known} and {counted(unknown, 'call')} unknown" if unknown else known


def _time(row: Row) -> str:
    return duration(row["duration_s"])


def duration(seconds: float | None) -> str:
    """Seconds in the unit that suits them, ``unknown`` where it is None."""
    if seconds is None:
        return "unknown"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
