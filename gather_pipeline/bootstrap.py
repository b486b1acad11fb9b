"""The one composition root: settings to services, every port's body chosen here.

Engines, and what only a run needs, are imported where they are chosen: a command that reads starts without them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.domain.routing import Provider, choose_provider, resolve_model
from gather_pipeline.errors import StoreError
from gather_pipeline.ports import Clock, DepartmentSource, Document, DocumentStore, Embedder, EventBus, LanguageModel, MetricsLog, Vectors
from gather_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    import pandas as pd

    from gather_pipeline.adapters.metrics.store import IngestReport
    from gather_pipeline.domain.item_lines import Format, Line
    from gather_pipeline.domain.projects import Project
    from gather_pipeline.report.tables import ReportTables
    from gather_pipeline.services import Services
    from gather_pipeline.tasks.catalogue import Catalogue

STORE_FOLDER, INCOMING = "store", "incoming"
EMBEDDED_SLOTS = 4  # requests at once: eight bring little more and quarter the context of each


def build_services(settings: Settings | None = None) -> Services:
    """Chooses every body: the real service where its setting is given, the embedded one where it is not.

    Args:
        settings: Read from the environment where None.

    Raises:
        InvalidInput: A setting is wrong.
    """
    from gather_pipeline.adapters.brain.local import LocalBrain
    from gather_pipeline.services import Services

    settings = settings or load_settings()
    store, embedder, provider = open_store(settings), _embedder(settings), _provider(settings)
    return Services(
        store=store,
        departments=department_source(settings),
        model=_model(settings, provider),
        resolve_model=model_resolver(settings),
        embedder=embedder,
        brain=LocalBrain(partial(_brain_rows, store, embedder.name), embedder),
        bus=_bus,
        metrics=partial(open_metrics, settings),
        catalogue=catalogue(),
        clock=SystemClock(),
        settings=settings,
    )


def open_store(settings: Settings) -> DocumentStore:
    """MongoDB where `MONGODB_URI` is set, else SQLite files under `GATHER_HOME`.

    Raises:
        StoreError: `GATHER_HOME` is there and is no folder.
    """
    if settings.home.exists() and not settings.home.is_dir():
        raise StoreError(f"GATHER_HOME is {str(settings.home)!r}, expected a folder")
    if settings.mongodb_uri is not None:
        from gather_pipeline.adapters.documents.mongo.store import MongoStore

        return MongoStore(settings.mongodb_uri.get_secret_value())
    from gather_pipeline.adapters.documents.sqlite.store import SqliteStore

    return SqliteStore(settings.home / STORE_FOLDER)


def system_clock() -> Clock:
    """The machine's own time."""
    return SystemClock()


def model_resolver(settings: Settings) -> Callable[[str | None], str]:
    """Model id that answers for the one a department names."""
    provider = _provider(settings)
    return partial(resolve_model, override=None, has_remote=provider is not None, provider=provider.name if provider else None)


def catalogue() -> Catalogue:
    """The packaged task definitions."""
    from gather_pipeline.tasks.catalogue import Catalogue

    return Catalogue.packaged()


def department_source(settings: Settings) -> DepartmentSource:
    """The file that `GATHER_DEPARTMENTS` names."""
    from gather_pipeline.adapters.files.departments import DepartmentFile

    return DepartmentFile(settings.departments)


def open_embedder(settings: Settings) -> Embedder:
    """The embedder that `GATHER_EMBEDDER` names."""
    return _embedder(settings)


def write_items(rows: Iterable[Mapping[str, Any]], format: Format, path: Path | None, stream: BinaryIO, title: str) -> None:
    """Writes items' lines to a file, whole or not at all; to the stream where there is no path."""
    from gather_pipeline.adapters.files.items import write_items

    write_items(rows, format, path, stream, title)


def write_whole(path: Path, text: str) -> None:
    """Writes a file whole or not at all; `OSError` where it cannot be written."""
    from gather_pipeline.adapters.files.whole import written_whole

    with written_whole(path) as file:
        file.write(text.encode())


def read_items(path: Path | None, format: Format, shown: str) -> Iterator[Line]:
    """The lines of a file of items; of standard input where there is no path."""
    from gather_pipeline.adapters.files.items import read_items

    return read_items(path, sys.stdin.buffer, format, shown)


def open_metrics(settings: Settings, task_id: str) -> MetricsLog:
    """The measurements of one run."""
    from gather_pipeline.adapters.metrics.log import JsonlMetricsLog

    return JsonlMetricsLog(settings.metrics_dir, task_id, SystemClock())


def ingest_metrics(settings: Settings) -> IngestReport:
    """Takes every waiting measurement into `metrics.duckdb`, exactly once."""
    from gather_pipeline.adapters.metrics.store import ingest

    return ingest(settings.metrics_database, settings.metrics_dir / INCOMING)


def query_metrics(settings: Settings, sql: str) -> pd.DataFrame:
    """Asks the metrics store, read-only."""
    from gather_pipeline.adapters.metrics.store import query

    return query(settings.metrics_database, sql)


def duplicate_threshold(settings: Settings, store: DocumentStore, project_id: str) -> str:
    """From which probability a project's texts are dropped and why, one clause."""
    from gather_pipeline.records.duplicates import threshold_of
    from gather_pipeline.records.project import GatherRepository

    repository = GatherRepository(store, project_id)
    everything, drops = repository.everything(), repository.dropped()
    return threshold_of(everything, drops, lambda: open_embedder(settings), settings.wrong_drop_cost).reason


def project_tables(settings: Settings, store: DocumentStore, project_id: str) -> ReportTables:
    """A project's figures, each department with its newest score, people's changes included, and with its present threshold."""
    from gather_pipeline.domain.quality import is_judged
    from gather_pipeline.records.project import SCORES, GatherRepository
    from gather_pipeline.report.tables import report_tables

    repository = GatherRepository(store, project_id)
    scores = {row["_id"]: row for row in repository.rows(SCORES)}
    thresholds = {slug: row["threshold"] for slug, row in scores.items()}
    thresholds |= {department.slug: department.threshold for department in department_source(settings).departments()}
    now = {}
    for slug, last in {iteration.department: iteration for iteration in repository.iterations()}.items():
        score = scores.get(slug)
        newest = score if score and score["evaluated_at"] >= last.ended_at else last.quality
        now[slug] = {"quality": newest["value"], "judged": is_judged(newest)}
        if slug in thresholds:
            now[slug] |= {"threshold": thresholds[slug], "reached": newest["value"] >= thresholds[slug]}
    return report_tables(partial(query_metrics, settings), project_id, now)


def project_page(settings: Settings, store: DocumentStore, project: Project, tables: ReportTables) -> str:
    """A project's report as one HTML page with plots, from its figures and its items."""
    from gather_pipeline.domain.departments import Department
    from gather_pipeline.records.project import DEPARTMENTS, GatherRepository
    from gather_pipeline.report.page import render_page

    repository = GatherRepository(store, project.id)
    stored = sorted(repository.rows(DEPARTMENTS), key=lambda row: row["place"])
    return render_page(
        project=project,
        tables=tables,
        departments=[Department.model_validate(row) for row in stored],
        items=repository.items(),
        drops=repository.dropped(),
        threshold=duplicate_threshold(settings, store, project.id),
        generated_at=system_clock().now(),
    )


def fetch_weights(settings: Settings, progress: Callable[[str], None]) -> Path:
    """Fetches the embedded model's weights where they are missing; the only thing that ever downloads."""
    from gather_pipeline.adapters.models.weights import ensure_weights

    return settings.model_path or ensure_weights(settings.models_dir, progress=progress)


def weights_file(settings: Settings) -> Path:
    """Where the embedded model's weights are or would be: `MODEL_PATH`, else the packaged model's place."""
    from gather_pipeline.adapters.models.weights import weights_path

    return settings.model_path or weights_path(settings.models_dir)


def _provider(settings: Settings) -> Provider | None:
    return choose_provider(
        base_url=settings.openai_base_url,
        openrouter_key=settings.openrouter_api_key.get_secret_value() if settings.openrouter_api_key else None,
        openai_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
    )


def _model(settings: Settings, provider: Provider | None) -> LanguageModel:
    from gather_pipeline.adapters.models.embedded import EmbeddedModel
    from gather_pipeline.adapters.models.openai_client import OpenAiModel
    from gather_pipeline.adapters.models.routes import ModelRouter
    from gather_pipeline.adapters.models.scripted import ScriptedModel

    clock = SystemClock()

    def local_client(base_url: str) -> LanguageModel:
        return OpenAiModel(
            base_url=base_url, api_key="", provider="embedded", clock=clock, concurrency=EMBEDDED_SLOTS, prefill=True, sampling=True
        )

    remote: LanguageModel | None = None
    if provider is not None:
        remote = OpenAiModel(
            base_url=provider.base_url,
            api_key=provider.api_key,
            provider=provider.name,
            clock=clock,
            concurrency=settings.concurrency,
            prices=settings.prices,
        )
    return ModelRouter(
        embedded=EmbeddedModel(weights_file(settings), client=local_client, slots=EMBEDDED_SLOTS),
        scripted=ScriptedModel(latency_s=settings.script_latency_s),
        remote=remote,
        provider=provider.name if provider else None,
    )


def _embedder(settings: Settings) -> Embedder:
    if settings.embedder == "hashing":
        from gather_pipeline.adapters.embedders.hashing import HashingEmbedder

        return HashingEmbedder()
    from gather_pipeline.adapters.embedders.minilm import MiniLM

    return MiniLM()


def _bus(webhook_url: str | None) -> EventBus:
    from gather_pipeline.adapters.events.webhook import Silence, Webhook

    return Webhook(webhook_url) if webhook_url else Silence()


def _brain_rows(store: DocumentStore, model: str, project_id: str) -> tuple[list[Document], Vectors | None]:
    import numpy as np

    from gather_pipeline.records.project import GatherRepository

    repository = GatherRepository(store, project_id)
    items = repository.items()
    rows = [{"id": item.id, "content": item.content, "summary": item.summary, "department": item.department} for item in items]
    vectors = repository.vectors(items, model)
    return rows, np.stack([vectors[item.id] for item in items]) if items and len(vectors) == len(items) else None
