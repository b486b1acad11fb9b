"""A studio, a Dagster instance with its partitions, and short ways to materialize."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from gather_pipeline import bootstrap
from gather_pipeline.definitions import defs
from gather_pipeline.defs.assets import departments, drafts, embeddings, gather_items, metrics, quality_scores
from gather_pipeline.defs.checks import asset_checks
from gather_pipeline.defs.jobs.automation import automated_gather_creation
from gather_pipeline.defs.jobs.refresh import refresh_departments
from gather_pipeline.defs.resources import Gather
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.projects import project_database
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.records.marks import Touched
from gather_pipeline.records.registry import Projects
from gather_pipeline_tests.harness import PROJECT, THREE, Studio

ASSETS = {
    "departments": departments.departments,
    "gather_items": gather_items.gather_items,
    "embeddings": embeddings.embeddings,
    "quality_scores": quality_scores.quality_scores,
    "drafts": drafts.drafts,
    "metrics": metrics.metrics,
}
JOBS = {job.name: job for job in (automated_gather_creation, refresh_departments)}
FRESH = dict.fromkeys(("gather_items", "embeddings", "quality_scores", "drafts"), "FRESH")
BEHIND = FRESH | dict.fromkeys(("embeddings", "quality_scores", "drafts"), "STALE")
RANGE = "dagster/asset_partition_range"
BY_DEPARTMENT = ("gather_items", "embeddings", "quality_scores", "drafts")


@dataclass(frozen=True)
class Stage:
    """The studio's project as Dagster sees it."""

    studio: Studio
    instance: dg.DagsterInstance

    @classmethod
    def open(cls, folder: Path, rows: Sequence[Mapping[str, Any]] = THREE, **overrides: Any) -> Self:
        """A project of these departments, with its partitions added."""
        instance = dg.DagsterInstance.ephemeral()
        instance.add_dynamic_partitions("projects", [PROJECT])
        instance.add_dynamic_partitions("departments", [row["slug"] for row in rows])
        return cls(studio=Studio.open(folder, rows, **overrides), instance=instance)

    def close(self) -> None:
        self.instance.dispose()
        self.studio.close()

    def gather(self) -> Gather:
        """The resource of a run: services of its own, with the studio's counting model."""
        services = self.studio.services
        return Gather(build=lambda: replace(bootstrap.build_services(services.settings), model=self.studio.model))

    def materialize(
        self, *names: str, partition_key: str | None = None, between: tuple[str, str] | None = None, checks: bool = False, **config: Any
    ) -> dg.ExecuteInProcessResult:
        """Materializes assets by name; `between` is the first and last key of a range, as the daemon's backfill asks for it."""
        tags = {} if between is None else {f"{RANGE}_start": between[0], f"{RANGE}_end": between[1]}
        return dg.materialize(
            [*(ASSETS[name] for name in names), *(asset_checks if checks else ())],
            selection=dg.AssetSelection.assets(*names) if checks else None,
            instance=self.instance,
            resources={"gather": self.gather()},
            partition_key=partition_key,
            tags=tags,
            run_config={"ops": {"gather_items": {"config": config}}} if config else None,
            raise_on_error=False,
        )

    def ask(self, sensor: dg.SensorDefinition, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
        """One tick of a sensor."""
        context = dg.build_sensor_context(instance=self.instance, cursor=cursor, resources={"gather": self.gather()})
        result = sensor(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """A run that a sensor or schedule asked for."""
        return JOBS[str(request.job_name)].execute_in_process(
            run_config=dict(request.run_config),
            instance=self.instance,
            resources={"gather": self.gather()},
            tags=dict(request.tags),
            raise_on_error=False,
        )

    def people(self) -> People:
        """The desk at which people change items."""
        services = self.studio.services
        return People(services.store, services.main_database, services.clock)

    def edit(self, slug: str, content: str, place: int = 0) -> Item:
        """Somebody gives an item of a department another text."""
        return self.people().edit(self.studio.repository.items(slug)[place].id, Texts(content=content), "ana")

    def break_a_project(self, id: str) -> None:
        """Adds a project whose database is none, with a mark on it."""
        services = self.studio.services
        Projects(services.store, services.main_database, services.clock).create("Broken", "A brief.", id)
        with Touched(services.store, services.main_database, services.clock).changing(id, "story"):
            (services.settings.home / "store" / f"{project_database(id)}.sqlite3").write_bytes(b"this is no database at all" * 100)

    def write_rows(self, *rows: Mapping[str, Any]) -> None:
        """Gives the source of departments another list."""
        self.studio.services.settings.departments.write_text(yaml.safe_dump([dict(row) for row in rows]), encoding="utf-8")

    def status(self, slug: str, project: str = PROJECT) -> dict[str, str]:
        """How Dagster shows each family of a partition, by data version."""
        graph, context = defs.resolve_asset_graph(), LoadingContextForTest(self.instance)
        resolver = CachingStaleStatusResolver(self.instance, graph, context)
        return {family: resolver.get_status(dg.AssetKey(family), key(slug, project)).value for family in BY_DEPARTMENT}

    def events(self, asset: str, *keys: str) -> list[dg.EventLogRecord]:
        """Materializations of an asset, oldest first."""
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=list(keys) or None)
        return list(self.instance.fetch_materializations(wanted, limit=100, ascending=True).records)

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


def configured(request: dg.RunRequest) -> tuple[str, list[str]]:
    """Project and departments that a run is asked to work on."""
    (op,) = request.run_config["ops"].values()
    return op["config"]["project_id"], op["config"]["departments"]


Opener = Callable[..., Stage]


@pytest.fixture
def open_stage(tmp_path: Path) -> Iterator[Opener]:
    stages: list[Stage] = []

    def open_one(rows: Sequence[Mapping[str, Any]] = THREE, **overrides: Any) -> Stage:
        stages.append(Stage.open(tmp_path, rows, **overrides))
        return stages[-1]

    yield open_one
    for stage in stages:
        stage.close()


@pytest.fixture
def stage(open_stage: Opener) -> Stage:
    return open_stage()


@pytest.fixture(scope="session")
def repository() -> dg.RepositoryDefinition:
    return defs.get_repository_def()
