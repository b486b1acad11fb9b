"""What `GET /metrics` exports: the metrics of S001 as the store has them, and how this server does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Histogram, PlatformCollector, ProcessCollector
from prometheus_client import Gauge as OwnGauge
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.core import SummaryMetricFamily as Summary
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gather_pipeline.api.live import Live
from gather_pipeline.errors import GatherError, UnknownEntity
from gather_pipeline.ports import Metrics

logger = logging.getLogger(__name__)

FRESH_S = 10.0  # for which samples of the store are good
UP = "Whether the metrics database could be read; where not, what is told of the store is what it was before"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
DEPARTMENT, CALL = ("project", "department"), ("project", "department", "definition", "model")


class Family(NamedTuple):
    """A metric of the store; `help` begins with its requirement, where there is one, and `labels` are columns of the view `exported`."""

    kind: type[Counter | Gauge | Summary]
    help: str
    labels: tuple[str, ...]


FAMILIES = {
    "gather_task_execution_seconds": Family(Summary, "S001-MET-07: how long tasks took", ("project", "status")),
    "gather_tasks_total": Family(Counter, "S001-MET-08: tasks by how they ended, running ones too", ("project", "status")),
    "gather_task_success_ratio": Family(Gauge, "S001-MET-08: share of a project's ended tasks that completed", ("project",)),
    "gather_task_failure_ratio": Family(Gauge, "S001-MET-08: share of a project's ended tasks that failed", ("project",)),
    "gather_retries_total": Family(Counter, "S001-MET-09: requests beyond the first of a model call", CALL),
    "gather_reasks_total": Family(Counter, "S001-MET-09: answers asked for again because they did not fit", CALL),
    "gather_calls_given_up_total": Family(Counter, "S001-MET-09: model calls that failed for good", CALL),
    "gather_queue_wait_seconds": Family(Summary, "S001-MET-10: how long tasks waited in the queue", ("project",)),
    "gather_iterations_per_department": Family(Gauge, "S001-MET-11: iterations of a department in a run", (*DEPARTMENT, "statistic")),
    "gather_iterations_total": Family(Counter, "S001-MET-11: iterations", DEPARTMENT),
    "gather_items_created_total": Family(Counter, "S001-MET-12: items created", DEPARTMENT),
    "gather_items_per_iteration": Family(Gauge, "S001-MET-12: items that an iteration created", (*DEPARTMENT, "statistic")),
    "gather_quality_score": Family(Gauge, "S001-MET-13: newest quality of a department, 0 to 100", DEPARTMENT),
    "gather_quality_threshold": Family(Gauge, "S001-MET-13: quality that the department is to reach", DEPARTMENT),
    "gather_duplicate_ratio": Family(Gauge, "S001-MET-14: share of generated texts dropped as duplicates", DEPARTMENT),
    "gather_time_to_threshold_seconds": Family(Gauge, "S001-MET-15: work until the threshold was first reached", DEPARTMENT),
    "gather_store_query_seconds": Family(Summary, "S001-MET-16: the store takes what an iteration made", ("project",)),
    "gather_brain_response_seconds": Family(Summary, "S001-MET-17: an iteration's wait for what the brain answers", ("project",)),
    "gather_llm_generation_seconds": Family(Summary, "S001-MET-18: model calls, from request to answer", CALL),
    "gather_deduplication_seconds": Family(Summary, "S001-MET-19: finding duplicates among an iteration's texts", DEPARTMENT),
    "gather_tokens_total": Family(Counter, "Tokens of model calls, as far as they are known", (*DEPARTMENT, "model")),
    "gather_cost_dollars_total": Family(Counter, "US dollars of model calls, as far as they are known", (*DEPARTMENT, "model")),
}


class OfStore(Collector):
    """Samples of the metrics database, which takes in the newest measurements first; kept for `FRESH_S`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics, self._lock = metrics, threading.Lock()
        self._at, self._kept, self._is_up = -FRESH_S, list[Metric](), True

    def collect(self) -> Iterable[Metric]:
        """Every family of the store, and whether the database could be read."""
        with self._lock:
            if time.monotonic() - self._at >= FRESH_S:
                try:
                    self._kept, self._is_up = [*_families(self._metrics)], True
                except GatherError as error:
                    if self._is_up:  # once an outage
                        logger.warning("[AutoGather] /metrics tells of the store as it was: %s", error)
                    self._is_up = False
                self._at = time.monotonic()
            return [*self._kept, Gauge("gather_metrics_up", UP, value=self._is_up)]


def _families(metrics: Metrics) -> Iterator[Metric]:
    made = {name: family.kind(name, family.help, labels=family.labels) for name, family in FAMILIES.items()}
    try:
        metrics.ingest()
        rows = metrics.query("FROM exported").to_dict("records")
    except UnknownEntity:  # nothing was measured yet
        rows = []
    for row in rows:
        one, labels = made[row["metric"]], [row[label] for label in FAMILIES[row["metric"]].labels]
        if isinstance(one, Summary):
            one.add_metric(labels, row["events"], row["value"])
        else:
            one.add_metric(labels, row["value"])
    yield from made.values()


class OfServer:
    """Requests by route, and connected clients; `registry` is of everything that is exported."""

    def __init__(self, metrics: Metrics, live: Live) -> None:
        self.registry = registry = CollectorRegistry()
        registry.register(OfStore(metrics))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.requests = Histogram(
            "gather_http_request_duration_seconds",
            "Time until an answer began, by route",
            ("method", "route", "status"),
            registry=registry,
        )
        self.in_flight = OwnGauge("gather_http_requests_in_flight", "Requests whose answer has not ended, streams too", registry=registry)
        clients = OwnGauge("gather_live_clients", "Clients of live events", ("way",), registry=registry)
        for way in ("websocket", "sse"):
            clients.labels(way).set_function(lambda way=way: live.clients[way])  # type: ignore[misc]


class Measuring:
    """Middleware that measures requests."""

    def __init__(self, app: ASGIApp, of_server: OfServer) -> None:
        self._app, self._of_server = app, of_server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Notes how long the answer took to begin; where the application fails before it, the server answers 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, method, has_begun = time.perf_counter(), scope["method"], False

        def note(status: int) -> None:
            route = getattr(scope.get("route"), "path", "none")  # the template, so that there are as many as there are routes
            labels = (method if method in METHODS else "other", route, str(status))
            self._of_server.requests.labels(*labels).observe(time.perf_counter() - began)

        async def noting(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                note(message["status"])
            await send(message)

        with self._of_server.in_flight.track_inprogress():
            try:
                await self._app(scope, receive, noting)
            except Exception:
                if not has_begun:
                    note(500)
                raise
