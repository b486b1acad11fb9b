"""How a project's departments stand, as rows for --json and as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from gather_pipeline.cli.output import print_table, say
from gather_pipeline.domain.quality import told
from gather_pipeline.upkeep.standing import Standing


def progress_row(standing: Standing) -> dict[str, Any]:
    """How far a department has come."""
    return {"state": standing.stage} | {name: getattr(standing, name) for name in ("ended_by", "quality", "judged", "iterations", "items")}


def standing_row(standing: Standing) -> dict[str, Any]:
    """How far a department has come, and whether it is behind."""
    own = {"department": standing.department, "threshold": standing.threshold}
    return {**own, **progress_row(standing), "stale": standing.is_stale, "unscored": standing.unscored}


def stale_rows(standings: Sequence[Standing]) -> list[dict[str, str]]:
    """One entry a stale department, in order."""
    return [{"department": one.department, "reason": "; ".join(one.reasons)} for one in standings if one.is_stale]


def tell_standings(standings: Sequence[Standing], project_id: str) -> None:
    """The departments for a person, and what to type next."""
    headings = ["department", "state", "quality", "threshold", "iterations", "items"]
    rows = [row | {"quality": told_quality(row)} for row in map(standing_row, standings)]
    print_table(headings, [[row[heading] for heading in headings] for row in rows], right=headings[2:])
    stale, unscored = stale_rows(standings), [one.department for one in standings if one.unscored]
    tell_stale(stale)
    if unscored:
        click.echo(f"Score or draft is behind: {', '.join(unscored)}")
    if stale:
        say(f"The next run adds to what is stale and deletes nothing; type: gather run --project {project_id}")
    elif unscored:
        say(f"The next run scores them anew; type: gather run --project {project_id}")


def tell_stale(rows: Sequence[Mapping[str, str]]) -> None:
    """A sentence for each stale department."""
    for row in rows:
        click.echo(f"{row['department']} is stale: {row['reason']}.")


def told_quality(row: Mapping[str, Any]) -> str | None:
    """The quality of a row as people read it, with a word where no judge had a part in it."""
    return None if row["quality"] is None else told(row["quality"], row["judged"])
