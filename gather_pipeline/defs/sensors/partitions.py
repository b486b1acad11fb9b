"""Keeps the dynamic partitions true to projects and departments.

Projects come by the store's change log, so that a tick costs as much as changed; departments are few and are compared as a set,
for a filtered list shows no deletions (D5). A source that cannot be read is a skip with its reason, never an empty set. A partition
with a run in flight stays. What people changed is told to Dagster by the same tick (`settling`).
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

import dagster as dg
from dagster._core.execution.backfill import BulkActionStatus  # not exported, and get_backfills takes it

from gather_pipeline.defs.partitions import departments, projects
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import IN_FLIGHT, PROJECT_TAGS, RANGE_TAG, follow, load, source_of
from gather_pipeline.defs.sensors.settling import settle_changes
from gather_pipeline.ports import Document
from gather_pipeline.records.changes import changes_since
from gather_pipeline.records.registry import PROJECTS
from gather_pipeline.services import Services

DEPARTMENT_TAG = "dagster/partition/department"
AUTOMATION_TAG = "gather/kind"
COMPARE_ALL_S = 600  # how long a key that somebody changed by hand stays wrong


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What to do with the keys of one dimension.

    Attributes:
        add: Keys to add, in order.
        remove: Keys to remove, in order.
        spared: Keys that should go but are in use.
    """

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()


def partition_changes(known: Collection[str], wanted: Sequence[str], in_flight: Collection[str] | None) -> Changes:
    """Compares keys.

    Args:
        known: Keys that Dagster has.
        wanted: Keys that it should have, in order.
        in_flight: Keys that a run or backfill is using; None where that cannot be told, which spares them all.
    """
    there, to_stay = set(known), dict.fromkeys(wanted)
    leaving = [key for key in sorted(there) if key not in to_stay]
    busy = leaving if in_flight is None else [key for key in leaving if key in in_flight]
    return Changes(
        add=tuple(key for key in to_stay if key not in there),
        remove=() if in_flight is None else tuple(key for key in leaving if key not in in_flight),
        spared=tuple(busy),
    )


@dataclass(frozen=True, kw_only=True)
class InFlight:
    """Keys that runs and backfills are using; None where they cannot be told from a run's tags."""

    projects: frozenset[str] | None
    departments: frozenset[str] | None


def keys_in_flight(instance: dg.DagsterInstance) -> InFlight:
    """Reads the tags of unfinished runs. Backfills and runs of a range spare every key, an automation every department."""
    runs = instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
    backfills = instance.get_backfills(status=BulkActionStatus.REQUESTED, limit=1)
    if backfills or any(RANGE_TAG in run.tags for run in runs):
        return InFlight(projects=None, departments=None)
    used_projects = {run.tags[tag] for run in runs for tag in PROJECT_TAGS if tag in run.tags}
    used_departments = {run.tags[DEPARTMENT_TAG] for run in runs if DEPARTMENT_TAG in run.tags}
    automated = any(AUTOMATION_TAG in run.tags for run in runs)
    return InFlight(projects=frozenset(used_projects), departments=None if automated else frozenset(used_departments))


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the sources say, and how far they were read.

    Attributes:
        projects: Projects that are there, of those looked at.
        everything: True where all projects were looked at, so that any other key of Dagster's has to go.
    """

    projects: tuple[str, ...]
    departments: tuple[str, ...]
    cursor: str
    everything: bool


def read(services: Services, cursor: str | None) -> Reading:
    """Reads departments, and the projects that changed since the cursor; every project without one, or with one of another history."""
    slugs = tuple(department.slug for department in services.departments.departments() if department.gatherCheck and department.isActive)
    (rows, position), anew = follow(partial(changed_projects, services), cursor or "")
    return Reading(
        projects=tuple(rows),
        departments=slugs,
        cursor=position,
        everything=cursor is None or bool(anew),
    )


def changed_projects(services: Services, cursor: str) -> tuple[dict[str, Document], str]:
    """Rows of projects changed after the cursor, by id, and the cursor after them."""
    return changes_since(services.store, services.main_database, PROJECTS, cursor)


def known_projects(instance: dg.DagsterInstance, reading: Reading) -> list[str]:
    """Keys that Dagster has, of those looked at."""
    if reading.everything:
        return list(instance.get_dynamic_partitions(str(projects.name)))
    return [id for id in reading.projects if instance.has_dynamic_partition(str(projects.name), id)]


@dg.sensor(
    name="partitions",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps Dagster true to the store: partitions come and go with projects and departments, and what people changed shows.",
)
def partitions(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> dg.SensorResult | dg.SkipReason:
    """One tick."""
    seen = load(context.cursor)
    now = time.time()
    try:
        with gather.services() as services:
            source = source_of(services)
            seen = seen if seen.get("source") == source else {}
            compared_at = float(seen.get("compared_at", -COMPARE_ALL_S))
            # Either way: a clock that was put back must not keep the next comparison waiting.
            fresh = abs(now - compared_at) < COMPARE_ALL_S
            reading = read(services, seen.get("projects") if fresh else None)
            settled = settle_changes(services, context.instance, seen.get("settled", {}))
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was changed, for the sources cannot be read: {unreadable.description}")
    busy = keys_in_flight(context.instance)
    for_projects = partition_changes(known_projects(context.instance, reading), reading.projects, busy.projects)
    for_departments = partition_changes(
        context.instance.get_dynamic_partitions(str(departments.name)), reading.departments, busy.departments
    )
    read_on = {"projects": reading.cursor, "compared_at": now if reading.everything else compared_at}
    if for_projects.spared:
        # A spared project is met again only if the cursor stays before it.
        read_on = {name: seen[name] for name in read_on if name in seen}
    cursor = json.dumps({"source": source, **read_on, "settled": settled.cursor})
    requests = [
        request
        for definition, changes in ((projects, for_projects), (departments, for_departments))
        for request in (
            definition.build_add_request(list(changes.add)) if changes.add else None,
            definition.build_delete_request(list(changes.remove)) if changes.remove else None,
        )
        if request is not None
    ]
    if requests:
        if settled.said:
            context.log.info(settled.said)
        return dg.SensorResult(dynamic_partitions_requests=requests, cursor=cursor)
    spared = (*for_projects.spared, *for_departments.spared)
    said = ["Partitions are as projects and departments are"]
    if spared:
        said.append(f"in use and therefore kept for now: {', '.join(spared)}")
    if settled.events:
        said.append(f"{settled.events} events were logged for what changed")
    if settled.said:
        said.append(settled.said)
    return dg.SensorResult(skip_reason="; ".join(said), cursor=cursor)
