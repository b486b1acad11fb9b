"""What the parts of one run share: engines, brakes, the project as it stands, and what has been said already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.domain.projects import Project
from gather_pipeline.gather.announce import Announcer
from gather_pipeline.gather.control import RunControl
from gather_pipeline.gather.metric_rows import answered_usage, call_row
from gather_pipeline.gather.scribe import Scribe
from gather_pipeline.ports import MetricsLog, Vectors
from gather_pipeline.records.duplicates import threshold_of
from gather_pipeline.records.project import EXECUTIONS, GatherRepository
from gather_pipeline.services import Services
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.thresholds import Threshold
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.runner import TaskRunner
from gather_pipeline.upkeep.embed import embedded

Result = TypeVar("Result")


@dataclass(kw_only=True)
class Session:
    """One run of one project.

    Attributes:
        items: Committed, active items by department, in order.
        vectors: Their embeddings by department, row by row.
        known: All of them in one matrix, for duplicates.
        distinct: Pairs of content hashes that a person has said are no duplicates.
        threshold: Probability from which texts are dropped, None before the first load.
        total_iterations: Iterations of this run so far.
        items_created: Items of this run so far.
    """

    services: Services
    request: AutomationRequest
    task_id: str
    project: Project
    repository: GatherRepository
    scribe: Scribe
    announcer: Announcer
    control: RunControl
    metrics: MetricsLog
    known: KnownItems
    items: dict[str, list[Item]] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)
    distinct: frozenset[frozenset[str]] = frozenset()
    threshold: Threshold | None = None
    total_iterations: int = 0
    items_created: int = 0

    def __post_init__(self) -> None:
        """Opens the event loop in which all model calls of the run are made."""
        self._loop = asyncio.Runner()
        self._cursor = ""
        self._revisions: dict[str, int] = {}
        self._highest: dict[str, int] = {}

    def load(self) -> None:
        """Takes up what is stored, as people have left it."""
        self.scribe.flush()
        self._cursor = self.repository.position()
        everything = self.repository.everything()
        found = embedded(self.services, self.repository, everything)
        self.items, self.vectors, self.known = {}, {}, KnownItems.empty()
        self.distinct = self.repository.distinct_pairs(everything)
        settings, embedder = self.services.settings, self.services.embedder
        self.threshold = threshold_of(everything, self.repository.dropped(), lambda: embedder, settings.wrong_drop_cost)
        self.services.brain.forget(self.project.id)
        self._revisions = {item.id: item.revision for item in everything}
        for item in everything:
            self._highest[item.department] = max(item.iteration, self._highest.get(item.department, 0))
        for department in dict.fromkeys(item.department for item in found.items):
            places = [place for place, item in enumerate(found.items) if item.department == department]
            self.add(department, [found.items[place] for place in places], found.vectors[places])

    def catch_up(self) -> None:
        """Takes up what people have changed since the last look; costs as much as changed."""
        documents, self._cursor = self.repository.changed_items(self._cursor)
        if any(self._revisions.get(document["_id"]) != document.get("revision", 1) for document in documents):
            self.load()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine to its end; an interrupt cancels what still runs and leaves a fresh loop behind."""
        try:
            return self._loop.run(work)
        except Exception:
            raise
        except BaseException:
            self._loop.close()
            self._loop = asyncio.Runner()
            raise

    def close(self) -> None:
        """Writes what records are waiting; lets go of model connections and of the event loop."""
        try:
            self._loop.run(self.services.model.aclose())
        finally:
            self._loop.close()
            self.scribe.close()

    def vectors_of(self, department: str) -> Vectors:
        """Embeddings of shape (n, d) of the department's items; (0, 0) for none."""
        return self.vectors.get(department, np.empty((0, 0), dtype=np.float32))

    def add(self, department: str, items: Sequence[Item], vectors: Vectors) -> None:
        """Takes up committed items, so that later prompts and decisions see them."""
        if not items:
            return
        before = self.vectors.get(department)
        self.vectors[department] = vectors if before is None else np.concatenate([before, vectors])
        self.items.setdefault(department, []).extend(items)
        self._revisions |= {item.id: item.revision for item in items}
        self.known.append([item.id for item in items], [item.content for item in items], vectors)

    @property
    def highest(self) -> Mapping[str, int]:
        """Highest iteration that an item ever had, by department: ids of imported and deleted items are never given again."""
        return self._highest

    def hashes(self) -> dict[str, str]:
        """Content hash by id of every committed item."""
        return {item.id: content_hash(item.content) for items in self.items.values() for item in items}

    def runner(self, on_usage: Callable[[Usage], None]) -> TaskRunner:
        """A task runner whose executions are stored, measured and charged to the run."""

        def record(execution: Execution) -> None:
            spent = answered_usage(execution)
            self.control.spend(spent)
            on_usage(spent)
            self.scribe.put(EXECUTIONS, execution.to_document())
            self.metrics.append("call", call_row(execution))

        return TaskRunner(self.services.model, self.services.catalogue, self.services.clock, record)
