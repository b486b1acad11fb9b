"""`gather status` and `gather cancel`: a run seen from another terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import click
from pydantic_core import to_jsonable_python

from gather_pipeline.cli.options import ProjectId, as_json, check_one, example
from gather_pipeline.cli.output import cell, print_json, print_table, print_text, say
from gather_pipeline.cli.services import opened
from gather_pipeline.cli.views.standing import tell_standings
from gather_pipeline.defs.tasks import cancel_task, task_status
from gather_pipeline.domain.event_lines import score_of
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import GatherError, UnknownEntity
from gather_pipeline.services import Services
from gather_pipeline.upkeep.runs import RunStatus, run_status
from gather_pipeline.upkeep.standing import ProjectStatus, project_status
from gather_pipeline.upkeep.tasks import TaskStatus


@click.command(epilog=example("gather status --project salt", "gather status 0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"))
@click.argument("task_id", required=False)
@click.option("--project", "project_id", type=ProjectId(), help="A project instead of a run.")
@as_json
def status(task_id: str | None, project_id: str | None, as_json: bool) -> None:
    """Show how a run is going, or what is stale in a project.

    Any task of the API or of tlm may be named instead of a run, also one that has not begun. A run whose process is gone without having
    said so counts as failed, in the store and in Dagster's UI from then on. With --project: the project's last run, how its departments
    stand, and which of them are stale and why.
    """
    check_one({"a task id": task_id, "--project": project_id})
    with _settled() as services:
        shown = project_status(services, project_id) if project_id is not None else _found(services, str(task_id))
    if isinstance(shown, ProjectStatus):
        if as_json:
            print_json(shown.to_document())
        else:
            print_text(f"Project {shown.project_id} has no run yet." if shown.run is None else _told(shown.run))
            tell_standings(shown)
        return
    if as_json:
        print_json(to_jsonable_python(shown))
        return
    fields = {name: value for name, value in asdict(shown).items() if name not in ("summary", "request", "progress")}
    fields |= {name: "unknown" for name in ("tokens", "cost") if name in fields and fields[name] is None}
    print_table(["field", "value"], [[name, cell(value)] for name, value in fields.items()])
    if isinstance(shown, RunStatus) and shown.summary:
        headings = ["department", "quality_score", "threshold", "iterations", "items_created", "reason"]
        rows = [asdict(row) | {"quality_score": score_of(row.quality_score, row.judged)} for row in shown.summary]
        print_table(headings, [[row[heading] for heading in headings] for row in rows], right=headings[1:5])


def _found(services: Services, task_id: str) -> RunStatus | TaskStatus:
    """A run that has begun, or else another task."""
    with suppress(UnknownEntity):
        return run_status(services, task_id)
    return task_status(services, task_id)


@contextmanager
def _settled() -> Iterator[Services]:
    """The services, once the store and Dagster say the same of every run whose process is gone; Dagster is loaded only if there is one."""
    with opened() as services:
        if any(one.is_of_this_machine and one.is_over(services.leases) for one in services.open_runs.all()):
            from gather_pipeline.defs.launch import settle_runs

            try:
                settle_runs(services)
            except GatherError as error:
                say(f"Dagster is not told yet of a run whose process is gone: {error}")
        yield services


def _told(run: RunStatus) -> str:
    waited = f" It waited {counted(run.away_rounds, 'time')} for a model server, {run.away_s:g} s in all." if run.away_rounds else ""
    if run.status == "running":
        return f"Run {run.task_id} is at work since {run.started_at}: {counted(run.items_created, 'item')} so far.{waited}"
    return f"Last run {run.task_id} {run.status}, {run.ended_at or 'end unknown'}: {run.reason}.{waited}"


@click.command(epilog=example("gather cancel 0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"))
@click.argument("task_id")
@as_json
def cancel(task_id: str, as_json: bool) -> None:
    """Ask a run to save its work and end.

    It answers at once; the run ends within seconds, with status cancelled. A run that has ended already is left as it is. Any task of
    the API may be named, also one that has not begun.
    """
    with _settled() as services:
        cancel_task(services, task_id)
        asked = _found(services, task_id)
    if as_json:
        print_json(to_jsonable_python(asked))
    elif isinstance(asked, TaskStatus):
        is_open = asked.status in ("pending", "running")
        print_text(f"Task {task_id} is asked to end." if is_open else f"Task {task_id} is at work no more: {asked.status}.")
    elif asked.process == "alive":
        print_text(f"Task {task_id} is asked to end and saves its work.")
    elif asked.process == "stopped":
        print_text(f"Task {task_id} is asked to end; its process is stopped, so it counts as cancelled once its lease has run out.")
    else:
        print_text(f"Task {task_id} is at work no more: {asked.status}, {asked.reason}.")
