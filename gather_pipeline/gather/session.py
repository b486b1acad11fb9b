"""What the parts of one run share: engines, brakes, the project as it stands, and the model calls under way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
from anyio.from_thread import start_blocking_portal

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.events import Event, Progress
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.items import Item, distinct_pairs
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import Score
from gather_pipeline.errors import DeadlineReached, GatherError
from gather_pipeline.gather.announce import Announcer
from gather_pipeline.gather.control import ENDING_S, POLL_S, RunControl
from gather_pipeline.ports import Embedder, Remembered, Vectors
from gather_pipeline.quality.analysis import analyse
from gather_pipeline.records.lease import Lease
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.project import threshold_of
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.runner import TaskResult, TaskRunner
from gather_pipeline.upkeep import deliver
from gather_pipeline.upkeep.analyses import Analyses
from gather_pipeline.upkeep.embed import embedded
from gather_pipeline.upkeep.remember import ProjectBrain

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

READ_AT_ONCE = 8  # answers whose notes are embedded together; a run that ends waits for them


class Session:
    """One run of one project.

    Model calls are made on an event loop of a thread of their own, so that none waits while this thread judges and stores.

    Attributes:
        brain: The project's memory, asked by meaning.
        items: Committed, active items by department, in order.
        known: All of them in one matrix, for duplicates.
        history: Committed iterations by department, oldest first.
        scores: Each department's stored score.
        drafts: Each department's stored draft.
        highest: Highest iteration that an item ever had, by department: ids of imported and deleted items are never given again.
        analyses: What is counted of the notes by themselves.
        distinct: Pairs of content hashes that a person has said are no duplicates.
        threshold: Probability from which texts are dropped.
        read_at: When what people have done was last taken up.
        total_iterations: Iterations of this run so far.
        items_created: Items of this run so far.
        answered: Whether a model has written a note in this run.
        unsaved: Items by department and iteration that were accepted and are not committed.
        waits: Times in a row that the run has waited for a model server.
        gate: Limits the calls under way where the run has a brake: what is begun is paid, so no more is begun than may be at once.
        thrown_away: Model calls that were begun before it was sure that they are needed, and were not.
        embedding: The thread that embeds.
    """

    def __init__(
        self,
        services: Services,
        request: AutomationRequest,
        project: Project,
        records: ProjectRecords,
        announcer: Announcer,
        control: RunControl,
        calls: asyncio.AbstractEventLoop,
        lease: Lease,
    ) -> None:
        self.services, self.request, self.project, self.lease = services, request, project, lease
        self.task_id = lease.owner.task_id
        self.records, self.announcer, self.control = records, announcer, control
        self.answered, self.waits = False, 0
        self.total_iterations = self.items_created = self.thrown_away = 0
        self.history: dict[str, list[Iteration]] = {}
        self.unsaved: dict[tuple[str, int], list[Item]] = {}
        self.analyses = Analyses(records, project.brief)
        self._executions: SimpleQueue[Execution] = SimpleQueue()
        self._unread: SimpleQueue[Sequence[str]] = SimpleQueue()
        self._looked_at = self.services.clock.monotonic()
        self._calls, self._loop = calls, asyncio.Runner()
        self.embedding, self._is_loaded = ThreadPoolExecutor(1, "embedding"), False
        self._patience_s = ENDING_S
        self.brain = ProjectBrain(services, project.id, self._is_over)
        self.is_braked = request.max_tokens is not None or request.max_cost is not None
        self.gate: AbstractAsyncContextManager[Any] = asyncio.Semaphore(services.settings.concurrency) if self.is_braked else nullcontext()

    def load(self) -> None:
        """Reads the project from the store, as people have left it."""
        self.read_at = self.services.clock.now()
        self._cursor = self.records.position()
        view = self.services.view(self.project.id)
        everything = view.everything
        found = embedded(self.services, view, self._embed)
        self.history = {}
        for iteration in view.iterations:
            self.history.setdefault(iteration.department, []).append(iteration)
        self.scores: Mapping[str, Score] = view.scores
        self.drafts: Mapping[str, Draft] = view.drafts
        self.distinct = distinct_pairs(everything)
        self.threshold = threshold_of(everything, view.dropped, self.loaded_embedder, self.services.settings.wrong_drop_cost)
        self._revisions = {item.id: item.revision for item in everything}
        self.highest: dict[str, int] = {}
        for item in everything:
            self.highest[item.department] = max(item.iteration, self.highest.get(item.department, 0))
        self.items: dict[str, list[Item]] = {}
        self._vectors: dict[str, Vectors] = {}
        self.known = KnownItems()
        for department, group in groupby(found.items, key=attrgetter("department")):  # in order of department
            items, taken = list(group), len(self.known)
            self._take_up(department, items, found.vectors[taken : taken + len(items)])
        self.brain.replace(found.items, found.vectors)

    def catch_up(self) -> None:
        """Reads the project again where people have changed an item since the last look; looks at most twice a second."""
        now = self.services.clock.monotonic()
        if now - self._looked_at < POLL_S:
            return
        self._looked_at, read_at = now, self.services.clock.now()
        changed, self._cursor = self.records.changed_items(self._cursor)
        if any(self._revisions.get(id) != revision for id, revision in changed.items()):
            self.load()
        else:
            self.read_at = read_at

    def loaded_embedder(self) -> Embedder:
        """The embedder, once it is loaded: for what needs it before a model call is under way.

        Raises:
            TaskCancelled: Somebody asked for the end meanwhile; loading takes seconds and cannot be interrupted, so nobody waits for it.
        """
        if not self._is_loaded:
            self._embed([self.project.name])
        return self.services.embedder

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = self.embedding.submit(self.services.embedder.embed, texts)
        while wait([vectors], POLL_S / 2).not_done:
            with suppress(DeadlineReached):  # what there is to save is saved first
                self.control.check()
        self._is_loaded = self._is_loaded or bool(texts)
        return vectors.result()

    def read_soon(self, texts: Sequence[str]) -> Future[None]:
        """Has notes embedded and analysed in a thread of its own, under the model calls that are under way.

        The first ones load what that needs. Both are remembered, so that whoever asks for them later need not wait.
        """
        self._unread.put(texts)
        return self.embedding.submit(self._read)

    def _read(self) -> None:
        """Reads the notes that wait, several at once, in two thirds of the processor time that they take one by one.

        A note is read by its own turn at the latest, since each turn takes at least one answer from the queue.
        """
        waiting = [self._unread.get() for _ in range(min(READ_AT_ONCE, self._unread.qsize()))]
        texts = [text for texts in waiting for text in texts]
        self.services.embedder.embed(texts)
        for text in texts:
            analyse(text, self.project.brief)

    def late(self, embedding: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Which of these are not done in time: a run that ends waits `ENDING_S` for them, all such waits together."""
        began = time.monotonic()
        late = wait(embedding, max(0.0, self._patience_s)).not_done
        self._patience_s -= time.monotonic() - began
        return late

    def add(self, iteration: Iteration, items: Sequence[Item], vectors: Vectors) -> None:
        """Takes up a committed iteration, so that later prompts and decisions see what it made."""
        self.total_iterations += 1
        self.items_created += len(items)
        self.history.setdefault(iteration.department, []).append(iteration)
        if items:
            self._take_up(iteration.department, items, vectors)
            self.brain.add(items)

    def _take_up(self, department: str, items: Sequence[Item], vectors: Vectors) -> None:
        before = self._vectors.get(department)
        self._vectors[department] = vectors if before is None else np.concatenate([before, vectors])
        self.items.setdefault(department, []).extend(items)
        self._revisions |= {item.id: item.revision for item in items}
        self.known.append([item.id for item in items], [item.content for item in items], vectors)

    def vectors_of(self, department: str) -> Vectors:
        """Embeddings of shape (n, d) of the department's items; (0, 0) for none."""
        return self._vectors.get(department, np.empty((0, 0), dtype=np.float32))

    def as_here(self, found: Sequence[Remembered]) -> list[Remembered]:
        """What a brain found, with the present texts of the project's items and without deleted ones; what only the brain has stays."""
        here = {item.id: item for items in self.items.values() for item in items} if found else {}
        kept = (one for one in found if one.id in here or not self.is_ours(one.id))
        return [replace(one, content=here[one.id].content, summary=here[one.id].summary) if one.id in here else one for one in kept]

    def is_ours(self, id: str) -> bool:
        """Whether an item is or was one of the project's store."""
        return id in self._revisions

    def _is_over(self) -> bool:
        try:
            self.control.check()
        except GatherError:
            return True
        return False

    def hashes(self) -> dict[str, str]:
        """Content hash by id of every committed item."""
        return {item.id: item.hash for items in self.items.values() for item in items}

    def tags(self, department: Department, iteration: int) -> dict[str, Any]:
        """What the record of an execution is found by."""
        return {
            "project_id": self.project.id,
            "department": department.slug,
            "iteration": iteration,
            "automation_task_id": self.task_id,
        }

    def draw(self, department: Department, iteration: int) -> str:
        """Part of the key under which answers are kept: an iteration that repeats a killed one finds that one's answers."""
        return f"{self.project.id}|{department.slug}|{iteration}"

    def runner(self, on_usage: Callable[[Usage], None]) -> TaskRunner:
        """A task runner whose executions are stored and charged to the run."""

        def record(execution: Execution) -> None:
            # A call without an answer tells nothing of what it cost, and is left out, as is one whose answer was kept.
            spent = sum((call.usage for call in execution.calls if call.usage is not None and not call.cached), Usage())
            self.control.spend(spent)
            on_usage(spent)
            self._executions.put(execution)

        return TaskRunner(self.services.model, self.services.catalogue, self.services.clock, record, self.services.task_support)

    def begin(self, call: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Begins a model call, from whatever thread, and returns at once; the future's `cancel` ends it."""
        return asyncio.run_coroutine_threadsafe(call, self._calls)

    async def ask(self, runner: TaskRunner, task: str, inputs: Mapping[str, Any], **options: Any) -> TaskResult:
        """Makes one model call and waits for it in this thread.

        Raises:
            Stopped: The run is to end; the call is cancelled.
            GatherError: As `TaskRunner.run`.
        """
        answer = asyncio.wrap_future(self.begin(runner.run(task, inputs, **options)))
        try:
            while not (await asyncio.wait([answer], timeout=POLL_S / 2))[0]:
                self.control.check()
            return answer.result()
        finally:
            answer.cancel()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine of this thread to its end; an interrupt cancels it and leaves a fresh loop behind."""
        try:
            return self._loop.run(work)
        except Exception:
            raise
        except BaseException:
            self._loop.close()
            self._loop = asyncio.Runner()
            raise

    async def pause(self, seconds: float) -> None:
        """Waits; raises `Stopped` where the run is to end meanwhile."""
        end = self.services.clock.monotonic() + seconds
        while (left := end - self.services.clock.monotonic()) > 0:
            self.control.check()
            await self.services.clock.sleep(min(left, POLL_S))

    def store_executions(self) -> None:
        """Stores the calls that have ended since the last time: before a commit, so that it never lacks one of its own."""
        ended = [self._executions.get() for _ in range(self._executions.qsize())]
        self.services.executions.add(*ended, project_id=self.project.id)
        self.services.health.note(call for execution in ended for call in execution.calls)
        if (kept := self.services.task_support.kept) is not None:
            for execution in ended:
                kept.settle(execution)

    def close(self) -> None:
        """Stores the last executions; closes the event loop and the thread that embeds."""
        self.embedding.shutdown(wait=False, cancel_futures=True)
        self._loop.close()
        try:
            if not self.lease.is_lost():
                self.store_executions()
        except GatherError as error:  # what ended the run is what is to be told
            logger.info("[AutoGather] The records of the last calls could not be stored: %s", error)


@contextmanager
def open_session(
    services: Services,
    request: AutomationRequest,
    project: Project,
    lease: Lease,
    progress: Progress | None,
    cancelled: Callable[[], bool],
    owed: Sequence[Event] = (),
) -> Iterator[Session]:
    """The session of one run under its lease; the caller calls `load`. Everything is closed at the end.

    `owed` are stored events that no earlier run has delivered; they are delivered first.
    """
    records, task_id = services.project(project.id), lease.owner.task_id
    bus = deliver.bus(services, project.id, request.webhook_url)
    for event in owed:
        bus.publish(event)
    announcer = Announcer(records, lease, bus, services.clock, progress)
    control = RunControl(
        services.clock,
        timeout_s=services.settings.timeout_s,
        max_tokens=request.max_tokens,
        max_cost=request.max_cost,
        cancelled=cancelled,
        cancelled_here=lambda: services.runs.cancel_requested_here(task_id),
        lease_lost=lease.is_lost,
    )
    try:
        with services.store.waiting(control.left), start_blocking_portal() as portal:
            session = Session(services, request, project, records, announcer, control, portal.call(asyncio.get_running_loop), lease)
            try:
                lease.confirm()  # after the events' last number was read, so that no successor's is taken
                session.brain.begin()
                yield session
            finally:
                session.brain.close()
                try:
                    portal.call(services.model.aclose)
                finally:
                    session.close()
    finally:
        bus.close()
