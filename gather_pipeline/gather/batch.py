"""The calls of iterations while they are under way: made together, taken up one by one as they are answered (S001-GEN)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.items import NewItem
from gather_pipeline.errors import GatherError, ModelUnreachable, OutputRejected, Stopped
from gather_pipeline.gather.control import POLL_S
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.writers import Ask, Assignment, Slot, Writer
from gather_pipeline.ports import Vectors
from gather_pipeline.tasks.runner import TaskResult, TaskRunner

logger = logging.getLogger(__name__)


class Batch:
    """The calls of an iteration, begun one by one or all at once; the model's own limit says how many are made at a time.

    A slot that brought notes is followed at once by the slot of that place in the batch after this one, whatever the run's own thread is
    doing: so no call waits for judging and storing, and which notes a prompt knows does not depend on how quickly answers come. What has
    arrived is kept here, so that an interruption loses nothing.

    Args:
        after: Batches of the iterations before it that were not committed when its prompts' context was put together, in order.

    Attributes:
        size: Slots in all.
        faults: What went wrong, one sentence a call.
        unreached: Slots whose model server was not met.
    """

    def __init__(self, session: Session, writer: Writer, work: Assignment, runner: TaskRunner, after: Sequence[Batch] = ()) -> None:
        self._session, self._writer, self._work, self._runner, self._after = session, writer, work, runner, tuple(after)
        self._lock = threading.Lock()  # of the slots that wait and the calls that are begun, by this thread and by that of the calls
        self._waiting = {slot.place: slot for slot in writer.slots(session, work)}
        self._calls: dict[int, Future[list[NewItem] | GatherError]] = {}
        self._answers: dict[int, list[NewItem]] = {}
        self._embedding: dict[int, Future[None]] = {}
        self._next: Batch | None = None
        self._ended: set[int] = set()
        self._taken: set[int] = set()
        self.size = len(self._waiting)
        self.faults: list[str] = []
        self._told = self.unreached = 0
        self._stopped: Stopped | None = None
        if after:
            after[-1]._next = self
            for place in list(after[-1]._answers):
                self._begin(place)

    def begin_all(self) -> None:
        """Begins every slot that is not begun yet."""
        for place in list(self._waiting):
            self._begin(place)

    def _begin(self, place: int) -> None:
        """Begins a slot that is not begun yet; its prompt knows the notes of that place in the batches before."""
        with self._lock:
            slot = self._waiting.pop(place, None)
            if slot is not None:
                unseen = [note for batch in self._after for note in batch._answers.get(place, ())]
                self._calls[place] = self._session.begin(self._ask(self._writer.aware(slot, unseen)))
            if not self._waiting:
                self._after = ()  # else each batch would hold all before it

    @property
    def notes(self) -> list[NewItem]:
        """What has arrived, in the order of the slots."""
        return [note for place in sorted(self._taken) for note in self._answers[place]]

    @property
    def vectors(self) -> Vectors:
        """Embeddings of `notes`, row by row."""
        return self._session.services.embedder.embed([note.content for note in self.notes])

    @property
    def begun(self) -> int:
        """Slots whose calls were begun, answered or not."""
        return len(self._calls)

    def discard(self) -> None:
        """Lets go of every call that is not answered, and begins no other."""
        with self._lock:
            self._waiting.clear()
            self._calls = {place: call for place, call in self._calls.items() if not call.cancel()}

    def cancel(self) -> None:
        """Lets go of the calls that are not answered, and takes up those that are.

        Nobody waits for an embedder that is still loading: answers without an embedding are kept, and the next run does not ask again.
        """
        self.discard()
        self._take()
        late = self._session.late(self._unread())
        self._taken = {place for place in self._taken if self._embedding[place] not in late}

    async def _ask(self, slot: Slot) -> list[NewItem] | GatherError:
        """The notes of a slot, or why there are none."""
        try:
            async with self._session.gate:
                self._session.control.check_budget()
                results = await asyncio.gather(*(self._call(ask, slot) for ask in slot.asks), return_exceptions=True)
            notes = self._answers[slot.place] = await self._read(slot, results)
        except GatherError as error:
            return error
        self._embedding[slot.place] = self._session.read_soon([note.content for note in notes])
        if self._next is not None:
            self._next._begin(slot.place)
        return notes

    async def _call(self, ask: Ask, slot: Slot) -> TaskResult:
        work = self._work
        return await self._runner.run(
            ask.task,
            ask.inputs,
            model=work.model,
            conditions=ask.conditions,
            temperature=work.plan.temperature,
            seed=ask.seed,
            draw=self._session.draw(work.department, work.iteration),
            fallback_models=work.fallback_models,
            tags=self._session.tags(work.department, work.iteration) | {"aspect": ", ".join(slot.aspects)},
        )

    def _take(self) -> int:
        """Takes up the calls that have ended since the last time, in order; how many there were."""
        ended = [(place, call) for place, call in sorted(self._open().items()) if call.done()]
        for place, call in ended:
            self._ended.add(place)
            match call.result():
                case Stopped() as reason:
                    self._stopped = self._stopped or reason
                case GatherError() as error:
                    self.faults.append(str(error))
                    self.unreached += isinstance(error, ModelUnreachable)
                case _:
                    self._taken.add(place)
                    self._session.answered = True
        return len(ended)

    def _open(self) -> dict[int, Future[list[NewItem] | GatherError]]:
        """Calls that are begun and not taken up, by place."""
        with self._lock:
            return {place: call for place, call in self._calls.items() if place not in self._ended}

    def _unread(self) -> list[Future[None]]:
        """Of the notes taken up, those that are not embedded yet."""
        return [self._embedding[place] for place in self._taken if not self._embedding[place].done()]

    def _tell(self) -> None:
        """Tells what is new: only of the iteration that is awaited, so that events keep the order of iterations.

        As long as no call has met its server, that is the department's to tell: once, not call by call.
        """
        department, announcer = self._work.department.slug, self._session.announcer
        if self.unreached < len(self._ended):
            for fault in self.faults[self._told :]:
                logger.error("[AutoGather] A call for department %s failed: %s", department, fault, extra={TOLD_BY_EVENT: True})
                announcer.announce(
                    "model_fault", department=department, error=fault, model=self._work.model, iteration=self._work.iteration
                )
            self._told = len(self.faults)
        announcer.tick(department=department, phase="generate", done=len(self._ended), total=self.size)

    async def _read(self, slot: Slot, results: Sequence[TaskResult | BaseException]) -> list[NewItem]:
        given = [one for one in results if isinstance(one, TaskResult)]
        if not given:
            raise next(one for one in results if isinstance(one, BaseException))
        answers = [one for one in given if not one.execution.is_pending]
        if not answers:
            raise OutputRejected(f"a person is to decide on the note first: tlm review show {given[0].execution.waiting}")
        return await self._writer.read(self._session, self._work, slot, answers)


def collect(batches: Sequence[Batch]) -> Stopped | None:
    """Begins the first batch and takes up answers as they come, until all of its own are there and embedded, or the run is to end.

    Args:
        batches: Of the iteration that is awaited and of those begun ahead of it, in order.

    Returns:
        Why the run is to end where it is; what was answered by then is kept, the rest of the first batch cancelled.

    Raises:
        ProjectBusy: The lease is lost; `cancel` is the caller's business.
    """
    first, session = batches[0], batches[0]._session
    first.begin_all()
    first._tell()
    try:
        while True:
            session.control.check()
            if not first._open() and not first._unread():
                return first._stopped
            awaited: list[Future[Any]] = [*first._unread(), *(call for batch in batches for call in batch._open().values())]
            wait(awaited, timeout=POLL_S / 2, return_when=FIRST_COMPLETED)
            if sum(batch._take() for batch in batches):
                first._tell()
                session.store_executions()
    except Stopped as reason:
        first.cancel()
        return reason
