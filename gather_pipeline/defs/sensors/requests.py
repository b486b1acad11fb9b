"""The sensors that start runs when something changed: asset sensors over what `changes` logs. Off until somebody switches them on.

An asset sensor of Dagster's own sees only the newest event of an asset; these follow every partition's by a cursor.
"""

from collections.abc import Sequence

import dagster as dg

from gather_pipeline.defs.jobs import UPKEEP, automated_gather_creation, gather_request, refresh_departments, refresh_requests
from gather_pipeline.defs.partitions import by_project
from gather_pipeline.defs.partitions import departments as department_keys
from gather_pipeline.defs.reporting import BRIEFS, DEPARTMENTS, ITEMS, newest
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Cursor, Looks, busy_projects, read_cursor
from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.domain.iterations import digest
from gather_pipeline.services import Services
from gather_pipeline.upkeep.standing import Standing, standings

TICK_S = 10
EVENTS = 200  # read of one asset in a tick: each brings its metadata along
OF_PROMPTS = frozenset({"brief", "department", "model", "definition"})  # causes that make a run worth its model calls
Tick = dg.SensorResult | dg.SkipReason


class SeenItems(Cursor):
    """How far the events of `gather_items` were read, by storage id."""

    items: int = 0


@dg.sensor(
    name="item_changes",
    job=refresh_departments,
    minimum_interval_seconds=TICK_S,
    description="Embeds, scores and drafts again what people's edits touched: no model call.",
)
def item_changes(context: dg.SensorEvaluationContext) -> Tick:
    """One tick: refreshes for partitions whose items changed without a run since their embeddings, score and draft were made."""
    instance, seen = context.instance, read_cursor(SeenItems, context.cursor)
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(ITEMS), after_storage_id=seen.items)
    records = instance.fetch_materializations(wanted, limit=EVENTS, ascending=True).records
    if not records:
        return dg.SkipReason("No item was changed by people since the last look")
    changed = {str(one.partition_key): one.storage_id for one in records if not one.run_id and one.partition_key}
    behind = [key for key, storage_id in changed.items() if _is_behind(instance, key, storage_id)]
    last = records[-1].storage_id
    requests = [
        request
        for project_id, slugs in by_project(behind).items()
        for request in refresh_requests(instance, project_id, slugs, f"{project_id}:{last}")
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "No item was changed by people since the last look",
        cursor=SeenItems(items=last).model_dump_json(),
    )


def _is_behind(instance: dg.DagsterInstance, key: str, storage_id: int) -> bool:
    made = [newest(instance, asset, key) for asset in UPKEEP]
    return any(one is None or one.storage_id < storage_id for one in made)


class SeenSources(Cursor):
    """How far the events of briefs and departments were read, by storage id, and projects that wait for a look; None before the first."""

    briefs: int | None = None
    departments: int | None = None
    waiting: Sequence[str] = ()


@dg.sensor(
    name="stale_departments",
    job=automated_gather_creation,
    minimum_interval_seconds=TICK_S,
    description="Runs departments again whose brief, row, model or task definition changed: one run a project, in department order.",
)
def stale_departments(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> Tick:
    try:
        with gather.services() as services:
            return _request_stale(services, context.instance, read_cursor(SeenSources, context.cursor))
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was requested, for the sources cannot be read: {unreadable.description}")


def _request_stale(services: Services, instance: dg.DagsterInstance, seen: SeenSources) -> dg.SensorResult:
    # The first tick looks at every project anyway, and needs but the newest events.
    briefs = instance.fetch_observations(_after(BRIEFS, seen.briefs), limit=EVENTS, ascending=seen.briefs is not None).records
    rows = instance.fetch_materializations(_after(DEPARTMENTS, seen.departments), limit=EVENTS, ascending=seen.departments is not None)
    waiting = dict.fromkeys([*seen.waiting, *(str(one.partition_key) for one in briefs)])
    if rows.records or seen.departments is None:
        waiting |= dict.fromkeys(project.id for project in services.projects.all())
    departments = in_order(services.departments.departments()) if waiting else []
    requests, looks, keyless = [], Looks(), []
    busy = busy_projects(services, instance) if waiting else frozenset()
    keys = set(instance.get_dynamic_partitions(str(department_keys.name)))
    for project_id in [id for id in waiting if id not in busy]:
        if looks.is_over:
            break
        with looks.at(project_id):
            stale = _stale_for_prompts(services, project_id, departments)
            if not {one.department for one in stale} <= keys:
                keyless.append(project_id)
                continue
            if stale:
                key = f"{project_id}:{digest([[one.department, one.inputs] for one in stale])}"
                requests.append(gather_request(instance, project_id, [one.department for one in stale], key))
        del waiting[project_id]
    said = [f"waiting for the run in flight of {', '.join(sorted(busy & waiting.keys()))}"] if busy & waiting.keys() else []
    said += [f"waiting for the sensor changes to add departments of {', '.join(keyless)}"] if keyless else []
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else "; ".join([*said, *looks.said]) or "No brief and no department changed since the last look",
        cursor=SeenSources(
            briefs=max([seen.briefs or 0, *(one.storage_id for one in briefs)]),
            departments=max([seen.departments or 0, *(one.storage_id for one in rows.records)]),
            waiting=list(waiting),
        ).model_dump_json(),
    )


def _after(asset: str, storage_id: int | None) -> dg.AssetRecordsFilter:
    return dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), after_storage_id=storage_id)


def _stale_for_prompts(services: Services, project_id: str, departments: Sequence[Department]) -> list[Standing]:
    """Departments that a run should work on, in order; none where the project has never begun, or is gone.

    Not for an edited note alone, which would cost model calls for a comma. A department that came into the list after the project's
    last run counts too.
    """
    project, view = services.projects.find(project_id), services.project(project_id).view()
    if project is None:
        return []
    found = standings(services, view, project, departments)
    if all(one.stage == "new" for one in found):
        return []
    known = {stored.slug for stored in view.departments if not stored.retired}
    return [one for one in found if one.causes & OF_PROMPTS or (one.stage == "new" and one.department not in known)]
