"""Change drives work: sensors that request what a change has made necessary, and nothing else (D5).

Each reads a change log from its cursor and looks at the projects found there, so a tick costs as much as changed. A project with a run in
flight waits in the cursor. A source that cannot be read is a skip with its reason, and the cursor stays. Both are off until somebody
switches them on.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from gather_pipeline.defs.jobs.automation import PROJECT_TAG, automated_gather_creation
from gather_pipeline.defs.jobs.refresh import refresh_departments, refresh_request, states_of
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import (
    LOOKS,
    OPEN_LOOKS,
    Busy,
    Faults,
    busy_projects,
    by_project,
    follow,
    load,
    looked,
    source_of,
)
from gather_pipeline.defs.sensors.partitions import changed_projects
from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.domain.iterations import digest
from gather_pipeline.domain.projects import Project
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.project import DEPARTMENTS, GatherRepository
from gather_pipeline.records.registry import PROJECTS
from gather_pipeline.services import Services
from gather_pipeline.upkeep.inputs import chain_of, inputs_of
from gather_pipeline.upkeep.stale import DepartmentState

TICK_S = 10
OF_PROMPTS = frozenset({"brief", "department", "model", "definition"})  # causes that make a run worth its model calls
Seen = dict[str, Any]
Tick = dg.SensorResult | dg.SkipReason


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a tick found.

    Attributes:
        requests: Runs to start.
        seen: What the next tick begins with.
        said: What is told where there is no run to start, one clause each.
    """

    requests: list[dg.RunRequest]
    seen: Seen
    said: list[str]


def tick(
    context: dg.SensorEvaluationContext, gather: Gather, find: Callable[[Services, dg.DagsterInstance, Seen], Found], idle: str
) -> Tick:
    """One tick of a sensor; a cursor of another store is not gone on from."""
    seen = load(context.cursor)
    try:
        with gather.services() as services:
            source = source_of(services)
            found = find(services, context.instance, seen if seen.get("source") == source else {})
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was requested, for the sources cannot be read: {unreadable.description}")
    cursor = json.dumps({"source": source, **found.seen})
    if found.requests:
        for one in found.said:
            context.log.info(one)
        return dg.SensorResult(run_requests=found.requests, cursor=cursor)
    return dg.SensorResult(skip_reason="; ".join(found.said) or idle, cursor=cursor)


def changed_items(services: Services, instance: dg.DagsterInstance, seen: Seen) -> Found:
    """Refreshes for departments whose score or draft is of other items than people have left there."""
    touched = Touched(services.store, services.main_database, services.clock)
    (marks, position), anew = follow(touched.since, seen.get("marks", ""))
    waiting: dict[str, int] = dict(seen.get("waiting", {}))
    waiting |= {f"{mark.department}|{mark.project_id}": OPEN_LOOKS if mark.is_open else 1 for mark in marks}
    requests, said, faults = [], [anew] if anew else [], Faults()
    if waiting:
        departments = in_order(services.departments.departments())
        slugs = [department.slug for department in departments]
        # Marks of retired departments wait: they are looked at when the department comes back.
        wanted = by_project([key for key in waiting if key.partition("|")[0] in slugs])
        free, held = _free(busy_projects(services, instance), wanted)
        for project_id in free:
            keys = [f"{slug}|{project_id}" for slug in wanted[project_id]]
            if services.store.get(services.main_database, PROJECTS, project_id) is None:
                for key in keys:
                    del waiting[key]
                continue
            with faults.of(project_id):
                unscored = [state for state in states_of(services, project_id, departments, wanted[project_id]) if state.unscored]
                if unscored:
                    key = f"{project_id}:{digest([[state.department, state.version, state.takings] for state in unscored])}"
                    requests.append(refresh_request(project_id, [state.department for state in unscored], key))
                looked(waiting, keys)
        said += [*held, faults.said] if faults.said else held
    return Found(requests=requests, seen={"marks": position, "waiting": waiting}, said=said)


def _free(busy: Busy, projects: Iterable[str]) -> tuple[list[str], list[str]]:
    """Projects that may be looked at in this tick, and what is told of those that have to wait."""
    waiting = [project_id for project_id in projects if project_id in busy]
    free = [project_id for project_id in projects if project_id not in busy]
    said = []
    if waiting:
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        said.append(f"waiting for the run in flight of {', '.join(waiting[:3])}{more}")
    if len(free) > LOOKS:
        said.append(f"{len(free) - LOOKS} projects are looked at in the next ticks")
    return free[:LOOKS], said


def stale_projects(services: Services, instance: dg.DagsterInstance, seen: Seen) -> Found:
    """Runs of the loop for departments whose prompts used something that is another now."""
    (rows, position), anew = follow(lambda cursor: changed_projects(services, cursor), seen.get("projects", ""))
    waiting = dict.fromkeys([*seen.get("waiting", ()), *rows])
    departments = in_order(services.departments.departments())
    present = {department.slug: _reaching_prompts(services, department) for department in departments}
    before = seen.get("departments")
    if before is not None and any(before.get(slug) != value for slug, value in present.items()):
        waiting |= dict.fromkeys(row["_id"] for row in services.store.find(services.main_database, PROJECTS))
    requests, said, faults = [], [anew] if anew else [], Faults()
    if waiting:
        free, held = _free(busy_projects(services, instance), waiting)
        for project_id in free:
            with faults.of(project_id):
                there = services.store.get(services.main_database, PROJECTS, project_id) is not None
                stale = _stale_for_prompts(services, project_id, departments) if there else []
                if stale:
                    key = f"{project_id}:{digest([[state.department, state.inputs] for state in stale])}"
                    requests.append(_automation_request(project_id, [state.department for state in stale], key))
                del waiting[project_id]
        said += [*held, faults.said] if faults.said else held
    # A department that leaves is forgotten, so that its coming back counts as a change.
    return Found(requests=requests, seen={"projects": position, "departments": present, "waiting": list(waiting)}, said=said)


def _reaching_prompts(services: Services, department: Department) -> str:
    """Hash of what a department brings into prompts: its row, its model and its task definition."""
    settings, nobody = services.settings, Project(id="nobody", name="", brief="")
    chain = chain_of(settings, services.resolve_model, department)
    return digest(asdict(inputs_of(settings, services.catalogue, nobody, department, chain)))


def _stale_for_prompts(services: Services, project_id: str, departments: Sequence[Department]) -> list[DepartmentState]:
    """Departments that a run should work on, in order; none where the project has never begun.

    One that came into the list after the project's last run counts too.
    """
    found = states_of(services, project_id, departments)
    if not any(state.began for state in found):
        return []
    known = {row["_id"] for row in GatherRepository(services.store, project_id).rows(DEPARTMENTS) if not row.get("retired")}
    return [state for state in found if state.causes & OF_PROMPTS or (not state.began and state.department not in known)]


def _automation_request(project_id: str, slugs: Sequence[str], run_key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        job_name=automated_gather_creation.name,
        run_config={"ops": {"gather_project": {"config": {"project_id": project_id, "departments": list(slugs)}}}},
        tags={PROJECT_TAG: project_id},
    )


@dg.sensor(
    name="item_changes",
    job_name=refresh_departments.name,
    minimum_interval_seconds=TICK_S,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Embeds, scores and drafts again what people's edits touched: one run a project, no model call.",
)
def item_changes(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> Tick:
    """One tick."""
    return tick(context, gather, changed_items, "No item was changed by people since the last look")


@dg.sensor(
    name="stale_departments",
    job_name=automated_gather_creation.name,
    minimum_interval_seconds=TICK_S,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Runs departments again whose brief, row, model or task definition changed: one run a project, in department order.",
)
def stale_departments(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> Tick:
    """One tick."""
    return tick(context, gather, stale_projects, "No brief and no department changed since the last look")
