"""Opens a run under its lease: clears what a killed run left, loads what is stored, sets the brakes; closes everything at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.projects import Project
from gather_pipeline.gather.announce import Announcer, Progress
from gather_pipeline.gather.control import RunControl
from gather_pipeline.gather.scribe import Scribe
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.timing import Stopwatch
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.services import Services
from gather_pipeline.similarity.known import KnownItems

logger = logging.getLogger(__name__)


@contextmanager
def open_session(
    services: Services,
    request: AutomationRequest,
    project: Project,
    task_id: str,
    stopwatch: Stopwatch,
    progress: Progress | None,
    cancelled: Callable[[], bool],
    lease_lost: Callable[[], bool],
) -> Iterator[Session]:
    """The session of one run, on engines whose calls are timed."""
    timed = replace(services, store=stopwatch.timed("store", services.store), brain=stopwatch.timed("brain", services.brain))
    repository = GatherRepository(timed.store, project.id)
    removed = repository.clear_uncommitted()
    if removed:
        logger.warning("[AutoGather] Cleared %d rows that an interrupted run had not committed", removed)
    bus, metrics = services.bus(request.webhook_url), services.metrics(task_id)
    scribe = Scribe(repository, lambda: not lease_lost())
    session = Session(
        services=timed,
        request=request,
        task_id=task_id,
        project=project,
        repository=repository,
        scribe=scribe,
        announcer=Announcer(repository, scribe, task_id, bus, metrics, services.clock, progress),
        control=RunControl(
            services.clock,
            timeout_s=services.settings.timeout_s,
            max_tokens=request.max_tokens,
            max_cost=request.max_cost,
            cancelled=cancelled,
            lease_lost=lease_lost,
        ),
        metrics=metrics,
        known=KnownItems.empty(),
    )
    try:
        session.load()
        yield session
    finally:
        session.close()
        bus.close()
        metrics.close()
