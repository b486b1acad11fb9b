"""A studio, a Dagster instance with its partitions, and short ways to materialize."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from gather_pipeline import bootstrap
from gather_pipeline.definitions import defs
from gather_pipeline.defs.partitions import range_tags
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.changes import changes
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.projects import project_database
from gather_pipeline_tests.harness import PROJECT, THREE, Studio

BY_DEPARTMENT = ("gather_items", "embeddings", "quality_scores", "drafts")
FRESH = dict.fromkeys(BY_DEPARTMENT, "FRESH")
BEHIND = FRESH | dict.fromkeys(("embeddings", "quality_scores", "drafts"), "STALE")
MISSING = dict.fromkeys(BY_DEPARTMENT, "MISSING")


@dataclass(frozen=True)
class Stage:
    """The studio's project as Dagster sees it."""

    studio: Studio
    instance: dg.DagsterInstance

    def gather(self) -> Gather:
        """The resource of a run: services of its own, with the studio's counting model."""
        services = self.studio.services
        return Gather(build=lambda: replace(bootstrap.build_services(services.settings), model=self.studio.model))

    def definitions(self) -> dg.Definitions:
        """The definitions over the studio's services."""
        resources = {"gather": self.gather()}
        return dg.Definitions(assets=defs.assets, asset_checks=defs.asset_checks, jobs=defs.jobs, resources=resources)

    def materialize(
        self, *names: str, partition_key: str | None = None, between: tuple[str, str] | None = None, **config: Any
    ) -> dg.ExecuteInProcessResult:
        """Materializes assets by name, with their checks; `between` is the first and last key of a range, as a backfill asks for it."""
        tags = {} if between is None else range_tags(PROJECT, between[0].split("|")[0], between[1].split("|")[0])
        if between is not None:
            tags |= dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), between, strict=True))
        return (
            self.definitions()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                asset_selection=[dg.AssetKey(name) for name in names],
                instance=self.instance,
                partition_key=partition_key,
                tags=tags,
                run_config={"ops": {"gather_items": {"config": config}}} if config else None,
                raise_on_error=False,
            )
        )

    def ask(self, sensor: dg.SensorDefinition, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        """One tick of a sensor; keys that it asks for come and go as the daemon would have it."""
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor, resources={"gather": self.gather()})
        result = sensor(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        for request in (result.dynamic_partitions_requests or ()) if isinstance(result, dg.SensorResult) else ():
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
            else:
                for one in request.partition_keys:
                    self.instance.delete_dynamic_partition(request.partitions_def_name, one)
        return result

    def follow(self, cursor: str | None = None) -> str:
        """One tick of the sensor `changes`; where the next begins."""
        return cursor_of(self.ask(changes, cursor))

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """A run that a sensor or schedule asked for."""
        job = self.definitions().resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            run_config=dict(request.run_config), instance=self.instance, tags=dict(request.tags), raise_on_error=False
        )

    def edit(self, slug: str, content: str, place: int = 0) -> Item:
        """Somebody gives an item of a department another text."""
        return self.change(self.studio.view.items_of(slug)[place], "edited", content=content)

    def change(self, item: Item, action: Any, **fields: Any) -> Item:
        """Somebody changes an item, as the desk at which people do so does it: a mark, then the write."""
        services, after = self.studio.services, item.changed(action, "ana", "2031-01-01T00:00:00Z", **fields)
        services.marks.set(PROJECT, item.department)
        found = self.studio.records.item(item.id)
        assert found is not None
        self.studio.records.change_item(after, found[1])
        return after

    def break_a_project(self, id: str) -> None:
        """Adds a project whose database is none, with a mark on it."""
        services = self.studio.services
        services.projects.create("Broken", "A brief.", id)
        services.marks.set(id, "story")
        (services.settings.home / "store" / f"{project_database(id)}.sqlite3").write_bytes(b"this is no database at all" * 100)

    def write_rows(self, *rows: Mapping[str, Any]) -> None:
        """Gives the source of departments another list."""
        self.studio.services.settings.departments.write_text(yaml.safe_dump([dict(row) for row in rows]), encoding="utf-8")

    def status(self, slug: str, project: str = PROJECT) -> dict[str, str]:
        """How Dagster shows each asset of a partition, by data version."""
        graph, context = defs.resolve_asset_graph(), LoadingContextForTest(self.instance)
        resolver = CachingStaleStatusResolver(self.instance, graph, context)
        return {asset: resolver.get_status(dg.AssetKey(asset), key(slug, project)).value for asset in BY_DEPARTMENT}

    def events(self, asset: str, *keys: str) -> list[dg.EventLogRecord]:
        """Materializations of an asset, oldest first."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=list(keys) or None)
        return list(self.instance.fetch_materializations(wanted, limit=100, ascending=True).records)

    def counts(self) -> dict[str, int]:
        """How many events each asset by department has."""
        return {asset: len(self.events(asset)) for asset in BY_DEPARTMENT}

    def shown(self, asset: str, key: str) -> Mapping[str, Any]:
        """Metadata of an asset's newest materialization of a partition, as plain values."""
        record = self.events(asset, key)[-1]
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def version(self, asset: str, key: str) -> str:
        """Data version of the newest materialization."""
        tags = self.events(asset, key)[-1].event_log_entry.tags or {}
        return tags["dagster/data_version"]


def key(slug: str, project: str = PROJECT) -> str:
    return f"{slug}|{project}"


def failure_of(result: dg.ExecuteInProcessResult | dg.JobExecutionResult) -> str:
    """The sentence of the failed step."""
    failed = [event for event in result.all_events if event.is_step_failure]
    assert failed
    data = failed[0].step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    assert data.error is not None
    return data.error.to_string()


def requests_of(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    """Runs that a tick asked for."""
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or [])


def skipped(result: dg.SensorResult | dg.SkipReason) -> str:
    """Why a tick asked for nothing."""
    if isinstance(result, dg.SensorResult):
        assert not result.run_requests
        reason = result.skip_reason
        assert isinstance(reason, dg.SkipReason)
        return str(reason.skip_message)
    return str(result.skip_message)


def cursor_of(result: dg.SensorResult | dg.SkipReason) -> str:
    """Where the next tick begins."""
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return result.cursor


def asked(request: dg.RunRequest) -> tuple[str, str]:
    """First and last key that a run is asked to work on."""
    assert request.tags["gather/project"] == request.tags["dagster/asset_partition_range_start"].split("|")[1]
    return request.tags["dagster/asset_partition_range_start"], request.tags["dagster/asset_partition_range_end"]


Opener = Callable[..., Stage]


@pytest.fixture
def open_stage(tmp_path: Path) -> Iterator[Opener]:
    stages: list[Stage] = []

    def open_one(rows: Sequence[Mapping[str, Any]] = THREE, **overrides: Any) -> Stage:
        """A stage whose keys and sources the sensor has told Dagster of."""
        stages.append(Stage(studio=Studio.open(tmp_path, rows, **overrides), instance=dg.DagsterInstance.ephemeral()))
        stages[-1].follow()
        return stages[-1]

    yield open_one
    for stage in stages:
        stage.instance.dispose()
        stage.studio.close()


@pytest.fixture
def stage(open_stage: Opener) -> Stage:
    return open_stage()


@pytest.fixture(scope="session")
def repository() -> dg.RepositoryDefinition:
    return defs.get_repository_def()
