"""The report as one HTML file that needs nothing else: no script, no font, no picture, no network.

Everything that people or models wrote is escaped by the template; a brief is Markdown, in which HTML stays text. Plots are elements of the
page, so that they follow its width and its colours, light or dark, and their figures are text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import WEIGHTS, Quality
from gather_pipeline.domain.texts import counted
from gather_pipeline.report.brief import brief_parts
from gather_pipeline.report.figures import bars, curves, duration
from gather_pipeline.report.tables import ReportTables, rows
from gather_pipeline.text.injection import injection, item_injection

if TYPE_CHECKING:
    from jinja2 import Environment

Thing = TypeVar("Thing", Item, DecidedText)

FOLDER = Path(__file__).parent

SHOWN = 4  # newest items, and dropped texts, of each department
ENDED_BY = {
    "threshold": "threshold reached",
    "maxIterations": "iterations used up",
    "share": "share of iterations used up",
    "stagnation": "no further gain",
    "budget": "budget spent",
    "deadline": "out of time",
    "cancelled": "cancelled",
    "failed": "failed",
    "unchanged": "unchanged",
}


def render_page(
    *,
    project: Project,
    tables: ReportTables,
    qualities: Mapping[str, Quality],
    departments: Sequence[Department],
    items: Sequence[Item],
    drops: Sequence[DecidedText],
    threshold: str,
    generated_at: str,
) -> str:
    """The whole report as an HTML document.

    Args:
        project: Whose report it is; the beginning of its brief is shown, and the rest on a click.
        tables: Its figures.
        qualities: Present score of each department, whose reasons are shown.
        departments: Known departments, for their names; a slug that none has is shown as it is.
        items: Kept items, each department's oldest first; the newest `SHOWN` of each department are shown.
        drops: Dropped texts, each department's oldest first. The newest `SHOWN` of each department are shown, all are counted.
        threshold: From which probability texts are dropped and why, one clause.
        generated_at: When the report was made, ISO 8601.
    """
    from markupsafe import Markup

    template = environment().get_template("report.html.j2")
    measured = rows(tables.departments)
    order = [row["department"] for row in measured]
    brief, brief_rest = brief_parts(project)
    iterations = rows(tables.iterations)
    return template.render(
        style=Markup((FOLDER / "style.css").read_text(encoding="utf-8")),
        project=project,
        brief=brief,
        brief_rest=brief_rest,
        generated_at=generated_at,
        tiles=_tiles(tables, measured),
        departments=measured,
        names={department.slug: department.name for department in departments},
        ended_by=ENDED_BY,
        weights=WEIGHTS,
        scores={slug: reasons(qualities[slug]) for slug in order if slug in qualities},
        curves=curves(iterations),
        bars=bars(tables),
        iterations=iterations,
        runs=rows(tables.runs),
        brief_flag=injection(project.brief),
        flags={item.id: found for item in items if (found := item_injection(item))},
        newest_items=_newest(items, order),
        newest_drops=_newest(drops, order),
        drop_count=len(drops),
        threshold=threshold,
        drop_rules=Counter(drop.decision.rule for drop in drops).most_common(),
    )


@cache
def environment(*folders: Path) -> Environment:
    """Templates of these folders, then of this one, in which every value is escaped and figures are told as in the report; made once."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader([*folders, FOLDER])
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(number=number, money=money, duration=duration, moment=moment, counted=counted)
    return made


def number(value: float | None, digits: int = 0) -> str:
    """A number with its thousands apart, ``unknown`` where it is None."""
    return "unknown" if value is None else f"{value:,.{digits}f}"


def money(value: float | None) -> str:
    """US dollars, with more digits for small sums, ``unknown`` where it is None."""
    if value is None:
        return "unknown"
    return "$0" if value == 0 else f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def moment(value: str | None) -> str:
    """An ISO 8601 time to the minute, ``unknown`` where it is None."""
    return f"{value[:10]} {value[11:16]}" if value else "unknown"


def _tiles(tables: ReportTables, measured: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Headline figures: value, what it is, a remark."""
    reached = sum(bool(row["reached"]) for row in measured)
    kept = sum(row["kept"] or 0 for row in measured)
    duplicates, filtered = (sum(row[name] or 0 for row in measured) for name in ("duplicates", "filtered"))
    spending = rows(tables.spending)
    tokens = _known(spending, "prompt_tokens", "completion_tokens")
    cost, seconds = _known(spending, "cost"), _known(spending, "duration_s")
    return [
        (f"{reached} of {len(measured)}", "departments reached their threshold", ""),
        (number(kept), "items kept", f"{number(duplicates)} duplicates and {number(filtered)} filtered texts dropped"),
        (number(sum(row["iterations"] for row in measured)), "iterations", f"in {counted(len(tables.runs), 'run')}"),
        (duration(seconds), "of work in departments", ""),
        (number(tokens), "tokens", _apart(spending, "calls_with_unknown_tokens")),
        (money(cost), "cost", _apart(spending, "calls_with_unknown_cost")),
    ]


def _known(spending: Sequence[Mapping[str, Any]], *columns: str) -> float | None:
    """Sum of what is known; None where there is something and none of it is known."""
    known = [row[column] for row in spending for column in columns if row[column] is not None]
    return sum(known) if known or not spending else None


def _apart(spending: Sequence[Mapping[str, Any]], column: str) -> str:
    calls = sum(row[column] for row in spending)
    return f"{counted(calls, 'call')} unknown" if calls else ""


def _newest(things: Sequence[Thing], order: Sequence[str]) -> list[tuple[str, int, list[Thing]]]:
    """For each department, measured ones first: slug, how many things it has, its newest ones, newest first."""
    by_department: dict[str, list[Thing]] = {slug: [] for slug in order}
    for thing in things:
        by_department.setdefault(thing.department, []).append(thing)
    return [(slug, len(found), found[::-1][:SHOWN]) for slug, found in by_department.items() if found]


def reasons(quality: Quality) -> tuple[Quality, str | None, list[str]]:
    """A score, its weakest part, and the reasons that all its parts share."""
    known = {name: part.value for name, part in quality.parts.items() if part.value is not None}
    first, *others = quality.parts.values()
    common = [reason for reason in first.reasons if all(reason in other.reasons for other in others)]
    return quality, min(known, key=lambda name: known[name], default=None), common
