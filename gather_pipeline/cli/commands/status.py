"""`gather status` and `gather cancel`: a run seen from another terminal."""

from __future__ import annotations

import socket
import time
from typing import Any, Literal

import click

from gather_pipeline.cli.options import ProjectId, as_json, example
from gather_pipeline.cli.output import print_json, print_table
from gather_pipeline.cli.state import State, opened
from gather_pipeline.cli.views.events import score_of
from gather_pipeline.cli.views.frames import cell
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Document
from gather_pipeline.records.lease import is_dead
from gather_pipeline.records.project import GatherRepository

GONE = "its process is gone; what it had committed is kept, and the next gather run goes on from there"
Process = Literal["alive", "gone", "ended"]


@click.command(epilog=example("gather status --project salt", "gather status 0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"))
@click.argument("task_id", required=False)
@click.option("--project", "project_id", type=ProjectId(), help="A project instead of a run.")
@as_json
def status(task_id: str | None, project_id: str | None, as_json: bool) -> None:
    """Show how a run is going, or what is stale in a project.

    A run whose process is gone without having said so is shown as failed. With --project: the project's last run, how its departments
    stand, and which of them are stale and why.
    """
    if (task_id is None) == (project_id is None):
        given = "neither a task id nor --project is" if task_id is None else "a task id and --project are both"
        raise InvalidInput(f"{given} given, expected one of them")
    if project_id is not None:
        _project_status(project_id, as_json)
        return
    with opened() as state:
        document = _status(state, str(task_id))
    if as_json:
        print_json(document)
        return
    shown = {name: value for name, value in document.items() if name not in ("summary", "request")}
    if document["tokens"] is None:
        shown["tokens"] = "unknown"
    print_table(["field", "value"], [[name, cell(value)] for name, value in shown.items()])
    if document["summary"]:
        headings = ["department", "quality_score", "threshold", "iterations", "items_created", "reason"]
        rows = [row | {"quality_score": score_of(row["quality_score"], row.get("judged", True))} for row in document["summary"]]
        print_table(headings, [[row.get(heading) for heading in headings] for row in rows], right=headings[1:5])


def _project_status(project_id: str, as_json: bool) -> None:
    from gather_pipeline.cli.views.standing import project_standing, tell_standing

    with opened() as state:
        document = {"project_id": project_id, "run": None, **project_standing(state, project_id)}
        runs = state.runs.of_project(project_id)
        if runs:
            last = next((run for run in reversed(runs) if run["status"] == "running"), runs[-1])
            document["run"] = _status(state, last["_id"])
    if as_json:
        print_json(document)
        return
    run = document["run"]
    if run is None:
        click.echo(f"Project {project_id} has no run yet.")
    elif run["status"] == "running":
        click.echo(f"Run {run['task_id']} is at work since {run['started_at']}: {run['items_created']} items so far.")
    else:
        click.echo(f"Last run {run['task_id']} {run['status']}, {run['ended_at'] or 'end unknown'}: {run['reason']}.")
    tell_standing(document)


def _status(state: State, task_id: str) -> dict[str, Any]:
    """The stored run; for one that still runs, what it has committed so far."""
    run = state.runs.get(task_id)
    process = _process(state, run)
    if process == "ended" and run["status"] == "running":
        run = state.runs.get(task_id)  # it noted its end between the two looks
    document: dict[str, Any] = {
        "task_id": task_id,
        "project_id": run["project_id"],
        "status": run["status"],
        "reason": run.get("reason"),
        "process": process,
        "cancel_requested": bool(run.get("cancel_requested")),
        "started_at": run["started_at"],
        "ended_at": run.get("ended_at"),
        "request": run.get("request"),
    }
    if process == "gone":
        document |= {"status": "failed", "reason": GONE}
    counts = ("iterations", "departments_processed", "items_created", "processing_time_ms", "tokens", "cost")
    if "iterations" in run:
        document |= {name: run.get(name) for name in counts}
    else:
        document |= _so_far(state, run, counts)
    return document | {"summary": run.get("summary", [])}


def _process(state: State, run: Document) -> Process:
    """Whether somebody works on the run: its lease says who, and is looked at before the run is believed to have died."""
    if run["status"] != "running":
        return "ended"
    lease = state.lease(run["project_id"])
    if lease is not None and lease["task_id"] == run["_id"]:
        return "gone" if is_dead(lease, socket.gethostname(), time.time()) else "alive"
    return "ended" if state.runs.get(run["_id"])["status"] != "running" else "gone"


def _so_far(state: State, run: Document, counts: tuple[str, ...]) -> dict[str, Any]:
    history = [one for one in GatherRepository(state.store, run["project_id"]).iterations() if one.task_id == run["_id"]]
    tokens = [one.tokens for one in history]
    cost = [one.cost for one in history]
    values = {
        "iterations": len(history),
        "departments_processed": sum(one.ended_by is not None for one in history),
        "items_created": sum(len(one.item_ids) for one in history),
        "tokens": None if None in tokens else sum(one or 0 for one in tokens),
        "cost": None if None in cost else sum(one or 0.0 for one in cost),
    }
    return {name: values.get(name) for name in counts}


@click.command(epilog=example("gather cancel 0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"))
@click.argument("task_id")
@as_json
def cancel(task_id: str, as_json: bool) -> None:
    """Ask a run to save its work and end.

    It answers at once; the run ends within seconds, with status cancelled. A run that has ended already is left as it is.
    """
    with opened() as state:
        state.runs.request_cancel(task_id)
        document = _status(state, task_id)
    if as_json:
        print_json(document)
    elif document["process"] == "alive":
        click.echo(f"Task {task_id} is asked to end and saves its work.")
    else:
        click.echo(f"Task {task_id} is at work no more: {document['status']}, {document['reason']}.")
