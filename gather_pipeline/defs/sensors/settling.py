"""Keeps what Dagster says of partitions true to the store between runs.

People change items without a run; a run of many partitions gets one data version from Dagster; a run of `gather_items` alone ends with its
event behind those of what it brought about. In each case the partition's events are logged anew here, runless, with the partition's own
versions: so scores and drafts look stale when the items under them changed, and only then. Costs as much as changed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster._core.instance.utils import RUNLESS_RUN_ID  # how Dagster marks events that no run logged

from gather_pipeline.defs.metadata import VERSION, Metadata, Stored
from gather_pipeline.defs.partitions import partition_key
from gather_pipeline.defs.sensors.following import LOOKS, OPEN_LOOKS, Faults, busy_projects, by_project, follow, looked, read_once
from gather_pipeline.defs.versions import DEPARTMENTS, FAMILIES, Events, described, due, shown_version
from gather_pipeline.domain.departments import in_order
from gather_pipeline.domain.items import RULES
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.registry import PROJECTS
from gather_pipeline.services import Services

EVENTS = 200  # read of one asset in a tick: each brings its metadata along
WATCHED = (DEPARTMENTS, *FAMILIES)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What a tick did.

    Attributes:
        events: How many events it logged.
        cursor: How far it has read, for the next tick.
        said: What has to be told of it, empty for nothing.
    """

    events: int
    cursor: dict[str, Any]
    said: str


def settle_changes(services: Services, instance: dg.DagsterInstance, seen: Mapping[str, Any]) -> Settled:
    """Looks at the partitions that people or runs have touched since the last tick; those of a project with a run in flight wait.

    Args:
        services: The engines.
        instance: Where the events are.
        seen: `Settled.cursor` of the last tick, empty for the first: marks are read from the start, events from now on.
    """
    touched = Touched(services.store, services.main_database, services.clock)
    (marks, position), said = follow(touched.since, seen.get("marks", ""))
    waiting: dict[str, int] = dict(seen.get("waiting", {}))
    waiting |= {f"{mark.department}|{mark.project_id}": OPEN_LOOKS if mark.is_open else 1 for mark in marks}
    ids = dict(seen.get("events", {}))
    keys = list(_touched_by_runs(instance, ids))
    logged, faults = 0, ""
    if waiting or keys:
        services = read_once(services)
        slugs = [department.slug for department in in_order(services.departments.departments())]
        for key in keys:
            of_project = [key] if "|" in key else [f"{slug}|{key}" for slug in slugs]
            waiting |= {one: 1 for one in of_project if one not in waiting}
        logged, faults = _settle_waiting(services, instance, waiting, slugs)
    return Settled(
        events=logged,
        cursor={"marks": position, "events": ids, "waiting": waiting},
        said="; ".join(one for one in (said, faults) if one),
    )


def _touched_by_runs(instance: dg.DagsterInstance, ids: dict[str, int]) -> Iterator[str]:
    """Partitions with events of runs after those of the ids, which are moved on."""
    for asset in WATCHED:
        key = dg.AssetKey(asset)
        if asset not in ids:
            newest = instance.fetch_materializations(key, limit=1).records
            ids[asset] = newest[0].storage_id if newest else 0
            continue
        wanted = dg.AssetRecordsFilter(asset_key=key, after_storage_id=ids[asset])
        for record in instance.fetch_materializations(wanted, limit=EVENTS, ascending=True).records:
            ids[asset] = record.storage_id
            if record.run_id != RUNLESS_RUN_ID and record.partition_key is not None:
                yield record.partition_key


def _settle_waiting(services: Services, instance: dg.DagsterInstance, waiting: dict[str, int], slugs: list[str]) -> tuple[int, str]:
    """Settles partitions of departments in the list, up to the number of looks that a tick has; the rest goes on waiting.

    Returns:
        How many events were logged, and what kept projects from being read.
    """
    logged, left, faults = 0, LOOKS, Faults()
    wanted = by_project([key for key in waiting if key.partition("|")[0] in slugs])
    busy = busy_projects(services, instance)
    for project_id, of_project in wanted.items():
        if project_id in busy or left <= 0:
            continue
        keys = [f"{slug}|{project_id}" for slug in of_project]
        if services.store.get(services.main_database, PROJECTS, project_id) is None:
            for key in keys:
                del waiting[key]
            continue
        left -= len(keys)
        with faults.of(project_id):
            logged += sum(settle(services, instance, project_id, slug) for slug in slugs if slug in of_project)
            looked(waiting, keys)
    return logged, faults.said


def settle(services: Services, instance: dg.DagsterInstance, project_id: str, slug: str) -> int:
    """Logs the events that a partition lacks, in the order in which its assets build on each other; returns how many."""
    stored = Stored(services=services, project_id=project_id, slug=slug, task_id="")
    events, key = Events(instance=instance), partition_key(project_id, slug)
    logged = 0
    for family, kind in FAMILIES.items():
        tags = due(family, stored, events, keep_code=True)
        if tags is None:
            continue
        newest = events.newest(family, key)
        materialized = newest.asset_materialization if newest is not None else None
        if materialized is not None and shown_version(newest) == kind.version(stored):
            metadata: Metadata = dict(materialized.metadata)  # it is of the same state: only its tags are not
        else:
            metadata = described(family, stored) if family != "gather_items" else _changed(stored)
        instance.report_runless_asset_event(dg.AssetMaterialization(asset_key=family, partition=key, metadata=metadata, tags=tags))
        events.logged(family, key)
        logged += 1
    return logged


def _changed(stored: Stored) -> Metadata:
    """What an event shows of items that changed without a run."""
    everything = stored.repository.everything(stored.slug)
    by_people = [version for item in everything for version in item.revisions if version.by != RULES]
    written = [item for item in everything if item.is_persons]
    shown: Metadata = {
        "dagster/row_count": len(stored.items),
        "items that people wrote or changed": sum(item.is_active for item in written),
        "items deleted": sum(item.state == "deleted" for item in everything),
    }
    changes = [(version.at, version.by, version.action) for version in by_people]
    changes += [(item.created_at, str(item.written_by), "added") for item in written if not item.revisions]
    if changes:
        at, by, action = max(changes)
        shown |= {"last change": action, "changed by": by, "changed at": at}
    return shown | {VERSION: stored.version}
