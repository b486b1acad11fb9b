"""The sensor that tells Dagster what changed in the store: partitions, briefs, departments, items that people changed, runs that died.

It reads the store's change logs from its cursor, so that a tick costs as much as changed; departments are few and are compared as a
list, for a filtered list shows no deletions (D5). A source that cannot be read is a skip with its reason, never an empty set, and the
cursor stays. It starts no run: the sensors of `requests` follow the events that it logs.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from gather_pipeline.defs.partitions import by_project, partition_key, split_key
from gather_pipeline.defs.partitions import departments as department_keys
from gather_pipeline.defs.partitions import projects as project_keys
from gather_pipeline.defs.reporting import report_context_notes, report_items, report_sources
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Cursor, Looks, is_anything_in_flight, read_cursor, since, store_of
from gather_pipeline.defs.settling import settle
from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.services import Services
from gather_pipeline.upkeep.standing import standings

LOOKS = 3  # at a marked department: its mark was set before the change, which may still be on its way


class Seen(Cursor):
    """What the next tick begins with.

    Attributes:
        store: The store that the rest is of.
        projects: How far the projects were read.
        marks: How far the marks were read.
        looks: Looks that are left, by key of a partition that people touched.
    """

    store: str = ""
    projects: str = ""
    marks: str = ""
    looks: Mapping[str, int] = {}


@dg.sensor(
    name="changes",
    asset_selection=["briefs", "departments", "context_notes", "gather_items"],
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps Dagster true to the store: partitions come and go, and changed briefs, departments and items show. Starts no run.",
)
def changes(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> dg.SensorResult | dg.SkipReason:
    try:
        with gather.services() as services:
            return _tick(services, context.instance, read_cursor(Seen, context.cursor))
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was changed, for the sources cannot be read: {unreadable.description}")


def _tick(services: Services, instance: dg.DagsterInstance, seen: Seen) -> dg.SensorResult:
    seen = seen if seen.store == store_of(services) else Seen(store=store_of(services))
    departments, looks = in_order(services.departments.departments()), Looks()
    changed, read_to, from_start = since(services.projects.changed_since, seen.projects)
    requests, kept = _key_requests(instance, changed, departments, compare=from_start)
    report_sources(instance, services, (), departments)
    for project_id in changed:
        if looks.is_over:
            break
        project = services.projects.find(project_id)
        report_sources(instance, services, [project] if project else [], ())
    else:
        seen = seen.model_copy(update={"projects": seen.projects if kept and from_start else read_to})
    marks, marks_to, _ = since(services.marks.since, seen.marks)
    waiting = {**seen.looks, **{str(partition_key(mark.project_id, mark.department)): LOOKS for mark in marks}}
    reported = _look(services, instance, departments, waiting, looks)
    said = [f"{reported} changed partitions were reported"] if reported else []
    said += settle(services, instance)
    said += [f"in use and therefore kept for now: {', '.join(kept)}"] if kept else []
    said += looks.said
    return dg.SensorResult(
        dynamic_partitions_requests=requests,
        skip_reason=None if requests else "; ".join(said) or "Nothing changed since the last look",
        cursor=seen.model_copy(update={"marks": marks_to, "looks": waiting}).model_dump_json(),
    )


def _key_requests(
    instance: dg.DagsterInstance, changed: Sequence[str], departments: Sequence[Department], *, compare: bool
) -> tuple[list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest], list[str]]:
    """Keys to add and to remove, and those that stay because a run or a backfill may be using them.

    With `compare` the projects `changed` are all that there are, so any other key has to go.
    """
    there = {project_keys: changed, department_keys: [department.slug for department in departments]}
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    leaving = {}
    for definition, wanted in there.items():
        if definition is project_keys and not compare:
            known = [key for key in wanted if instance.has_dynamic_partition(str(definition.name), key)]
        else:
            known = list(instance.get_dynamic_partitions(str(definition.name)))
        if new := [key for key in wanted if key not in set(known)]:
            requests.append(definition.build_add_request(new))
        if old := sorted(set(known) - set(wanted)):
            leaving[definition] = old
    if leaving and is_anything_in_flight(instance):
        return requests, [key for keys in leaving.values() for key in keys]
    return [*requests, *(definition.build_delete_request(keys) for definition, keys in leaving.items())], []


def _look(
    services: Services, instance: dg.DagsterInstance, departments: Sequence[Department], waiting: dict[str, int], looks: Looks
) -> int:
    """Looks at the partitions waiting for it and counts that down; returns how many events were logged.

    A project with a run in flight waits, for its run tells of it itself; so does a retired department, until it comes back.
    """
    slugs = {department.slug for department in departments}
    busy, reported = services.leases.live() if waiting else frozenset(), 0
    for project_id, touched in by_project([key for key in waiting if split_key(key)[1] in slugs]).items():
        if project_id in busy or looks.is_over:
            continue
        with looks.at(project_id):
            project = services.projects.find(project_id)
            if project is not None:
                view = services.project(project_id).view()
                reported += sum(report_items(instance, view, project_id, slug) for slug in touched)
                for standing in standings(services, view, project, departments):
                    if "items" in standing.causes:
                        report_context_notes(instance, view, project_id, standing.department)
            for key in (str(partition_key(project_id, slug)) for slug in touched):
                waiting[key] -= 1
                if waiting[key] <= 0 or project is None:
                    del waiting[key]
    return reported
