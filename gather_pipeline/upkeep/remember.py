"""The Brain of a run: the service where one is set and answers, else the local index; and a thread that indexes items in the service.

A question never waits for long and never fails: the local index answers where the service does not. What the service lacks is known from
the store (`records.indexing`), so that a later process can bring it there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import TypeVar

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.nodes import Coverage, Node
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import BrainRefused, BrainUnavailable, GatherError
from gather_pipeline.ports import Brain, BrainService, Remembered, Vectors
from gather_pipeline.records.indexing import IndexCursor
from gather_pipeline.services import Services
from gather_pipeline.upkeep.rounds import CLOSE_WAIT_S, LONGEST_WAIT_S, Rounds, go_on

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")

POLL_S = 0.1
AWAY_S = 30.0  # for which a service that did not answer is not asked
BATCH = 100  # nodes sent at once
MOST_REFUSED = 20  # items refused one by one, from which on the service counts as unusable


class Told:
    """Says once that the service is of no use now."""

    def __init__(self) -> None:
        self._lock, self.is_told = threading.Lock(), False

    def away(self, error: GatherError) -> None:
        """Says it, the first time."""
        with self._lock:
            if self.is_told:
                return
            self.is_told = True
        sentence = str(error)
        logger.warning(
            "[AutoGather] %s; the local index stands in, and items are indexed there once it is back", sentence[:1].upper() + sentence[1:]
        )


class Indexer(Rounds[IndexCursor]):
    """Indexes a project's items, edits and deletions in a Brain service, from a thread of its own."""

    noun, done, where = "item", "indexed", "in the Brain at"

    def __init__(self, services: Services, project_id: str, service: BrainService, told: Told) -> None:
        super().__init__("indexing in the Brain", project_id, services.indexing, service)
        self._service, self._told = service, told
        self._records, self._indexing = services.project(project_id), services.indexing
        self._refused: dict[str, str] = {}
        self._indexing.begin(project_id, service)
        self.start()

    def refused(self) -> str:
        """How many items the service refused, and why the first of them."""
        if not self._refused:
            return ""
        id, reason = next(iter(self._refused.items()))
        return f"{counted(len(self._refused), 'item')} refused, such as {id}: {reason}"

    def round(self, cursor: IndexCursor, last: bool) -> float | None:
        """Indexes what has changed since the last round."""
        nodes, items, iterations = self._indexing.pending(cursor, self._records)
        self.left, told = len(nodes), {node.id for node in nodes}
        try:
            for start in range(0, len(nodes), BATCH):
                if time.monotonic() > self.until:
                    self._indexing.leave(cursor, done=False)
                    return LONGEST_WAIT_S
                self._index(nodes[start : start + BATCH])
        except BrainUnavailable as error:
            self._told.away(error)
            if last:
                self._indexing.leave(cursor, done=False)
            return max(self.delay(), min(error.retry_after_s or 0.0, LONGEST_WAIT_S))
        self.failures = 0
        before = {id: why for id, why in cursor.refused.items() if id not in told}
        moved = self._indexing.move(cursor, items=items, iterations=iterations, refused=before | self._refused)
        if moved is None:
            return 0.0  # another process indexes by now
        if last:
            self._indexing.leave(moved, done=True)
        return None

    def _index(self, nodes: Sequence[Node]) -> None:
        """Indexes nodes; refused ones are tried again by halves, so that one that cannot be taken keeps back no other."""
        try:
            self._service.index(self._project_id, nodes)
        except BrainRefused as error:
            if len(nodes) == 1:
                self._refused[nodes[0].id] = str(error)
                if len(self._refused) >= MOST_REFUSED:
                    raise BrainUnavailable(str(error)) from None
            else:
                self._index(nodes[: len(nodes) // 2])
                self._index(nodes[len(nodes) // 2 :])
                return
        else:
            self.taken += len(nodes)
            for node in nodes:
                self._refused.pop(node.id, None)  # an earlier version of it was refused
        self.left -= len(nodes)


class ProjectBrain:
    """A Brain as a run uses it; `is_over` says whether answers are no longer wanted.

    Attributes:
        seconds: Spent waiting for answers, the local index's too.
    """

    def __init__(self, services: Services, project_id: str, is_over: Callable[[], bool]) -> None:
        self._local, self._service, self._project_id, self._is_over = services.brain, services.brain_service, project_id, is_over
        self._services, self._told, self._not_before, self.seconds = services, Told(), 0.0, 0.0
        self._indexer: Indexer | None = None

    def begin(self) -> None:
        """Begins to index in the service what is stored."""
        if self._service is not None:
            self._indexer = Indexer(self._services, self._project_id, self._service, self._told)

    def replace(self, items: Sequence[Item], vectors: Vectors) -> None:
        """Gives the local index all that is known of the project."""
        self._local.replace(self._project_id, [Node.of(item) for item in items], vectors)
        self._wake()

    def add(self, items: Sequence[Item]) -> None:
        """Takes up items that were committed."""
        self._local.index(self._project_id, [Node.of(item) for item in items])
        self._wake()

    def context(self, query: str, *, department: str, limit: int) -> list[Remembered]:
        """Items nearest to a question."""

        def call(brain: Brain) -> list[Remembered]:
            return brain.context(self._project_id, query, department=department, limit=limit)

        answer = self._ask([call])
        return self._timed(partial(call, self._local)) if answer is None else answer[0]

    def duplicates(self, contents: Sequence[str]) -> list[list[Remembered]]:
        """What the service holds to say the same as each text; nothing where there is none or it does not answer: the rules do without."""

        def call(brain: Brain, content: str) -> list[Remembered]:
            return brain.duplicates(self._project_id, content)

        return self._ask([partial(call, content=content) for content in contents]) or []

    def coverage(self, department: Department, items: Sequence[Item]) -> Coverage | None:
        """How far the service sees a department covered; None where there is none or it does not answer."""
        nodes = [Node.of(item) for item in items]
        answer = self._ask([lambda brain: brain.coverage(self._project_id, department, nodes)])
        return answer[0] if answer else None

    def close(self) -> None:
        """Waits a little for what is still to be indexed, and says in one line what is not, where nothing was said before."""
        if self._indexer is not None and (said := self._indexer.end(CLOSE_WAIT_S)):
            logger.log(logging.INFO if self._told.is_told else logging.WARNING, "[AutoGather] %s", said[:1].upper() + said[1:])

    def _wake(self) -> None:
        if self._indexer is not None:
            self._indexer.wake()

    def _ask(self, calls: Sequence[Callable[[Brain], Answer]]) -> list[Answer] | None:
        """Answers of the service to calls made at once; None where it gives none, was away just now, or they are no longer wanted."""
        if self._service is None or not calls or time.monotonic() < self._not_before:
            return None
        return self._timed(partial(self._answers, self._service, calls))

    def _timed(self, call: Callable[[], Answer]) -> Answer:
        began = time.monotonic()
        try:
            return call()
        finally:
            self.seconds += time.monotonic() - began

    def _answers(self, service: BrainService, calls: Sequence[Callable[[Brain], Answer]]) -> list[Answer] | None:
        answers = [_aside(partial(call, service)) for call in calls]
        while wait(answers, POLL_S).not_done:
            if self._is_over():
                return None
        try:
            return [answer.result() for answer in answers]
        except (BrainUnavailable, BrainRefused) as error:
            self._told.away(error)
            self._not_before = time.monotonic() + max(AWAY_S, getattr(error, "retry_after_s", None) or 0.0)
            return None


def resume(services: Services, until: float) -> list[str]:
    """Indexes in the Brain service what earlier processes left behind, and what people changed; see `rounds.go_on`."""
    service = services.brain_service
    if service is None:
        return []
    services.indexing.begin_changed(service, services.marks)
    lacking = services.indexing.behind(receiver=service.key)
    return go_on(lacking, services.leases, until, lambda project_id: Indexer(services, project_id, service, Told()))


def _aside(call: Callable[[], Answer]) -> Future[Answer]:
    """Makes a call in a thread that keeps no process from ending."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # whatever it is, whoever waits is told
            answer.set_exception(error)

    threading.Thread(target=run, name="brain", daemon=True).start()
    return answer
