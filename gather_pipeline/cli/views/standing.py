"""How a project's departments stand: how far each has come, which are stale and why. No model is asked and nothing is embedded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gather_pipeline import bootstrap
from gather_pipeline.cli.output import print_table, say
from gather_pipeline.cli.state import State
from gather_pipeline.domain.departments import Department, to_automate
from gather_pipeline.domain.items import version_of
from gather_pipeline.domain.iterations import FINISHED, Iteration, standing
from gather_pipeline.domain.quality import is_judged, told
from gather_pipeline.ports import Document
from gather_pipeline.records.project import DEPARTMENTS, SCORES

if TYPE_CHECKING:
    from gather_pipeline.upkeep.stale import DepartmentState


def progress(history: Sequence[Iteration], items: int, retired: bool = False) -> dict[str, Any]:
    """How far a department has come.

    Args:
        history: Its iterations over all runs.
        items: How many active items it has, people's included.
        retired: Whether it left the list of departments.

    Returns:
        State ``new``, ``open``, ``finished`` or ``retired`` as of the last iteration, its quality, and counts.
    """
    last = history[-1] if history else None
    ended_by = last.ended_by if last else None
    state = "retired" if retired else "finished" if ended_by in FINISHED else "open" if last else "new"
    return {
        "state": state,
        "ended_by": ended_by,
        "quality": last.score if last else None,
        "judged": last is not None and is_judged(last.quality),
        "iterations": len(history),
        "items": items,
    }


def project_standing(state: State, project_id: str) -> dict[str, Any]:
    """The departments of a project as they are now, in the order in which they run, retired ones last.

    Raises:
        UnknownEntity: There is no such project.
        InvalidInput: The list of departments is wrong.
    """
    _, repository = state.project(project_id)
    departments = to_automate(bootstrap.department_source(state.settings).departments())
    found = _states(state, project_id, departments)
    active, history = repository.items(), repository.iterations()
    counts = Counter(item.department for item in active)
    scores = {row["_id"]: row for row in repository.rows(SCORES)}
    rows = []
    for department, one in zip(departments, found, strict=True):
        own = [iteration for iteration in history if iteration.department == department.slug]
        version = version_of([item for item in active if item.department == department.slug])
        row = progress(own, counts[department.slug]) | {"quality": _quality(own, scores.get(department.slug), version)}
        rows.append(
            {"department": department.slug, "threshold": department.threshold, **row, "stale": one.is_stale, "unscored": one.unscored}
        )
    chosen = {department.slug for department in departments}
    for stored in sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"]):
        if stored["slug"] not in chosen:
            own = [iteration for iteration in history if iteration.department == stored["slug"]]
            row = progress(own, counts[stored["slug"]], retired=True)
            threshold = Department.model_validate(stored).threshold
            rows.append({"department": stored["slug"], "threshold": threshold, **row, "stale": False, "unscored": False})
    return {
        "departments": rows,
        "stale": stale_rows(found),
        "unscored": [one.department for one in found if one.unscored],
    }


def made_stale(state: State, project_id: str) -> list[dict[str, str]]:
    """Departments that a change of the project's name or brief has made stale, with all their reasons."""
    departments = to_automate(bootstrap.department_source(state.settings).departments())
    return stale_rows([one for one in _states(state, project_id, departments) if "brief" in one.causes])


def stale_rows(states: Sequence[DepartmentState]) -> list[dict[str, str]]:
    """One entry a stale department, in order."""
    return [{"department": one.department, "reason": "; ".join(one.reasons)} for one in states if one.is_stale]


def _states(state: State, project_id: str, departments: Sequence[Department]) -> list[DepartmentState]:
    from gather_pipeline.upkeep.stale import states

    project, repository = state.project(project_id)
    return states(
        repository,
        project,
        departments,
        settings=state.settings,
        resolve_model=bootstrap.model_resolver(state.settings),
        catalogue=bootstrap.catalogue(),
    )


def _quality(history: Sequence[Iteration], score: Document | None, version: str) -> float | None:
    """The newest score, of people's changes too where they have been scored."""
    last = history[-1] if history else None
    if score is None or score["data_version"] != version or (last is not None and last.quality.get("data_version") == version):
        return last.score if last else None
    return standing(last, float(score["value"]), score["version"]) if last else float(score["value"])


def tell_standing(document: Mapping[str, Any]) -> None:
    """The departments for a person, and what to type next."""
    headings = ["department", "state", "quality", "threshold", "iterations", "items"]
    rows = [row | {"quality": told_quality(row)} for row in document["departments"]]
    print_table(headings, [[row[heading] for heading in headings] for row in rows], right=headings[2:])
    tell_stale(document["stale"])
    run = f"gather run --project {document['project_id']}"
    if document["unscored"]:
        click.echo(f"Score or draft is behind: {', '.join(document['unscored'])}")
    if document["stale"]:
        say(f"The next run adds to what is stale and deletes nothing; type: {run}")
    elif document["unscored"]:
        say(f"The next run scores them anew; type: {run}")


def told_quality(row: Mapping[str, Any]) -> str | None:
    """A department's quality as people read it, with a word where no judge had a part in it."""
    return None if row["quality"] is None else told(row["quality"], row["judged"])


def tell_stale(rows: Sequence[Mapping[str, str]]) -> None:
    """A sentence for each stale department."""
    for row in rows:
        click.echo(f"{row['department']} is stale: {row['reason']}.")
