"""How a project's departments stand, as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gather_pipeline.cli.output import print_table, print_text, say
from gather_pipeline.domain.quality import told
from gather_pipeline.upkeep.standing import ProjectStatus, stale_of


def tell_standings(status: ProjectStatus) -> None:
    """The departments for a person, and what to type next."""
    headings = ["department", "state", "quality", "threshold", "iterations", "items"]
    rows = [row | {"quality": told_quality(row)} for row in (one.to_document() for one in status.standings)]
    print_table(headings, [[row[heading] for heading in headings] for row in rows], right=headings[2:])
    stale, unscored = stale_of(status.standings), status.unscored
    tell_stale(stale)
    if unscored:
        print_text(f"Score or draft is behind: {', '.join(unscored)}")
    if stale:
        say(f"The next run adds to what is stale and deletes nothing; type: gather run --project {status.project_id}")
    elif unscored:
        say(f"The next run scores them anew; type: gather run --project {status.project_id}")


def tell_stale(rows: Sequence[Mapping[str, str]]) -> None:
    """A sentence for each stale department."""
    for row in rows:
        print_text(f"{row['department']} is stale: {row['reason']}.")


def told_quality(row: Mapping[str, Any]) -> str | None:
    """The quality of a row as people read it, with a word where no judge had a part in it."""
    return None if row["quality"] is None else told(row["quality"], row["judged"])
