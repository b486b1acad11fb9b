"""What Dagster is told outside of runs: what a run's prompts are made of, and items that people changed. One event a change, none twice.

Dagster decides itself what is stale: it compares the version that an asset upstream had when a partition was materialized with the newest.
Versions of external assets (`briefs`, `context_notes`) are observations, for Dagster looks for them there alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import dagster as dg

from gather_pipeline.defs.metadata import VERSION, Metadata, Shown, changed_items, department_row
from gather_pipeline.defs.partitions import partition_key
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.iterations import digest
from gather_pipeline.domain.projects import Project
from gather_pipeline.errors import listed
from gather_pipeline.ports import IngestReport
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings
from gather_pipeline.upkeep.inputs import inputs_of

BRIEFS, DEPARTMENTS, CONTEXT_NOTES, ITEMS, METRICS = "briefs", "departments", "context_notes", "gather_items", "metrics"
DATA_VERSION = "dagster/data_version"


def version_tags(version: str) -> dict[str, str]:
    """Tags by which Dagster knows an event's data version."""
    return {DATA_VERSION: version, "dagster/data_version_is_user_provided": "true"}


def newest(instance: dg.DagsterInstance, asset: str, partition: str) -> dg.EventLogRecord | None:
    """The newest materialization of a partition; of the external assets, which have none, the newest observation."""
    fetch = instance.fetch_observations if asset in (BRIEFS, CONTEXT_NOTES) else instance.fetch_materializations
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
    return next(iter(fetch(wanted, limit=1).records), None)


def data_version(record: dg.EventLogRecord | None) -> str | None:
    """An event's data version."""
    return (record.event_log_entry.tags or {}).get(DATA_VERSION) if record is not None else None


def shown_version(record: dg.EventLogRecord | None) -> object:
    """The version among an event's metadata: the partition's own, where Dagster gave all partitions of a run one data version."""
    materialized = record.asset_materialization if record is not None else None
    entry = materialized.metadata.get(VERSION) if materialized is not None else None
    return None if entry is None else entry.value


def department_version(services: Services, department: Department) -> str:
    """Version of what a department brings into prompts: its row, its model and its task definition."""
    return digest(asdict(inputs_of(services, Project(id="nobody", name="", brief=""), department)))


def report_sources(instance: dg.DagsterInstance, services: Services, projects: Iterable[Project], departments: Sequence[Department]) -> int:
    """Reports departments and briefs that changed; to be called before a run of theirs, for Dagster notes at its start what it used.

    Returns:
        How many departments changed.
    """
    changed = 0
    for place, department in enumerate(departments):
        shown = department_row(department, place, department_version(services, department))
        if data_version(newest(instance, DEPARTMENTS, department.slug)) != shown.version:
            report(instance, DEPARTMENTS, department.slug, shown)
            changed += 1
    if not instance.fetch_observations(dg.AssetKey(CONTEXT_NOTES), limit=1).records:
        # Without any event Dagster would note that a run used nothing, and call it fresh for ever.
        instance.report_runless_asset_event(dg.AssetObservation(CONTEXT_NOTES, metadata={"changed": "none yet"}))
    for project in projects:
        version = digest([project.name, project.brief])
        if data_version(newest(instance, BRIEFS, project.id)) != version:
            _observe(instance, BRIEFS, project.id, version, {"name": project.name, "characters": len(project.brief)})
    return changed


def report_items(instance: dg.DagsterInstance, view: ProjectView, project_id: str, slug: str) -> bool:
    """Reports items that people changed: one event, and only where the newest does not say it. Returns whether it did."""
    key = partition_key(project_id, slug)
    last, shown = newest(instance, ITEMS, key), changed_items(view, slug)
    if shown is None or shown_version(last) == shown.version:
        return False
    # An edit is no run: what the prompts used stays as Dagster noted it, so the newest event's tags go on.
    tags = (last.event_log_entry.tags or {}) if last is not None else {}
    report(instance, ITEMS, key, shown, tags)
    return True


def report_context_notes(instance: dg.DagsterInstance, view: ProjectView, project_id: str, slug: str) -> None:
    """Reports that notes which a department's prompts used are others now, or gone."""
    last = view.last(slug)
    used = last.inputs.context if last else {}
    now = view.hashes(used)
    changed = {id: now.get(id, "gone") for id, hash in used.items() if now.get(id) != hash}
    version, key = digest(changed), partition_key(project_id, slug)
    if changed and data_version(newest(instance, CONTEXT_NOTES, key)) != version:
        _observe(instance, CONTEXT_NOTES, key, version, {"changed": listed(sorted(changed))})


def report(instance: dg.DagsterInstance, asset: str, partition: str, shown: Shown, tags: Mapping[str, str] | None = None) -> None:
    """Logs a materialization without a run."""
    tags = {**(tags or {}), **version_tags(shown.version)}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=partition, metadata=shown.described, tags=tags))


def metrics_event(done: IngestReport, settings: Settings) -> dg.AssetMaterialization:
    """The event of measurements that were taken in outside of the asset `metrics`."""
    return dg.AssetMaterialization(METRICS, metadata=metrics_metadata(done, settings))


def metrics_metadata(done: IngestReport, settings: Settings) -> Metadata:
    """What taking measurements in did."""
    return {"rows ingested": done.rows, "database": dg.MetadataValue.path(settings.metrics_database)}


def _observe(instance: dg.DagsterInstance, asset: str, partition: str, version: str, metadata: Mapping[str, str | int]) -> None:
    instance.report_runless_asset_event(dg.AssetObservation(asset, partition=partition, metadata=metadata, tags=version_tags(version)))
