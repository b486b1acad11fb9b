"""The calls of iterations while they are under way: made together, taken up one by one as they are answered (S001-GEN)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import pairwise
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

Results = list[TaskResult | BaseException]


class Batch:
    """The calls of an iteration, one slot or all of them begun at once; the model's own limit says how many are made at a time.

    What has arrived is kept here, so that an interruption loses nothing.

    Args:
        after: Batches of the iterations before it that were not committed when its prompts' context was put together.

    Attributes:
        size: Slots in all.
        faults: What went wrong, one sentence a call.
        done: Slots that came to an end.
        unreached: Those of them whose model server was not met.
    """

    def __init__(self, session: Session, writer: Writer, work: Assignment, runner: TaskRunner, after: Sequence[Batch] = ()) -> None:
        self._session, self._writer, self._work, self._runner, self._after = session, writer, work, runner, tuple(after)
        self._waiting = {slot.place: slot for slot in writer.slots(session, work)}
        self._begun: dict[Future[Results], Slot] = {}
        self._notes: dict[int, list[NewItem]] = {}
        self._embedding: dict[Future[Any], int] = {}
        self.size = len(self._waiting)
        self.faults: list[str] = []
        self._told = self.done = self.unreached = 0
        self._stopped: Stopped | None = None

    def begin(self, place: int) -> bool:
        """Begins a slot, where there is one that is not begun yet; returns whether it was.

        Its prompt knows the notes of that place in the batches before.
        """
        slot = self._waiting.pop(place, None)
        if slot is None:
            return False
        slot = self._writer.aware(slot, [note for batch in self._after for note in batch._notes.get(place, [])])
        self._begun[self._session.portal.start_task_soon(self._ask, slot)] = slot
        return True

    def begin_all(self) -> None:
        """Begins every slot that is not begun yet."""
        for place in list(self._waiting):
            self.begin(place)

    @property
    def notes(self) -> list[NewItem]:
        """What has arrived, in the order of the slots."""
        return [note for place in sorted(self._notes) for note in self._notes[place]]

    @property
    def vectors(self) -> Vectors:
        """Embeddings of `notes`, row by row."""
        return self._session.services.embedder.embed([note.content for note in self.notes])

    @property
    def begun(self) -> int:
        """Slots whose calls were begun, answered or not."""
        return len(self._begun) + self.done

    def discard(self) -> None:
        """Lets go of every call, answered or not."""
        for future in self._begun:
            future.cancel()
        self._begun.clear()
        self._waiting.clear()

    def cancel(self) -> None:
        """Lets go of the calls that are not answered, and takes up those that are.

        Nobody waits for an embedder that is still loading: answers without an embedding are kept, and the next run does not ask again.
        """
        self._take({future for future in list(self._begun) if not future.cancel()})
        self.discard()
        for future in self._session.late(self._embedding):
            del self._notes[self._embedding.pop(future)]

    async def _ask(self, slot: Slot) -> Results:
        async with self._session.gate:
            self._session.control.check_budget()
            return await asyncio.gather(*(self._call(ask, slot) for ask in slot.asks), return_exceptions=True)

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

    def _take(self, answered: Collection[Future[Any]]) -> None:
        """Takes up those of the answered slots that are its own, in order."""
        for future in sorted(self._begun.keys() & answered, key=lambda one: self._begun[one].place):
            slot = self._begun.pop(future)
            try:
                notes = self._notes[slot.place] = self._read(slot, future.result())
                self._session.answered = True
                self._embedding[self._session.embed_soon([note.content for note in notes])] = slot.place
            except Stopped as reason:
                self._stopped = self._stopped or reason
            except GatherError as error:
                self.faults.append(str(error))
                self.unreached += isinstance(error, ModelUnreachable)
            self.done += 1

    def _tell(self) -> None:
        """Tells what is new: only of the iteration that is awaited, so that events keep the order of iterations.

        As long as no call has met its server, that is the department's to tell: once, not call by call.
        """
        department, announcer = self._work.department.slug, self._session.announcer
        if self.unreached < self.done:
            for fault in self.faults[self._told :]:
                logger.error("[AutoGather] A call for department %s failed: %s", department, fault, extra={TOLD_BY_EVENT: True})
                announcer.announce(
                    "model_fault", department=department, error=fault, model=self._work.model, iteration=self._work.iteration
                )
            self._told = len(self.faults)
        announcer.tick(department=department, phase="generate", done=self.done, total=self.size)

    def _read(self, slot: Slot, results: Results) -> list[NewItem]:
        given = [one for one in results if isinstance(one, TaskResult)]
        if not given:
            raise next(one for one in results if isinstance(one, BaseException))
        answers = [one for one in given if not one.execution.is_pending]
        if not answers:
            raise OutputRejected(f"a person is to decide on the note first: tlm review show {given[0].execution.waiting}")
        return self._writer.read(self._session, self._work, slot, answers)


def collect(batches: Sequence[Batch]) -> Stopped | None:
    """Begins the first batch and takes up answers as they come, until all of its own are there and embedded, or the run is to end.

    A slot that brought notes is followed at once by the slot of that place in the next batch: no slot stands idle, and which notes a
    prompt knows does not depend on how quickly answers come.

    Args:
        batches: Of the iteration that is awaited and of those begun ahead of it, in order.

    Returns:
        Why the run is to end where it is; what was answered by then is kept, the rest of the first batch cancelled.

    Raises:
        ProjectBusy: The lease is lost; `cancel` is the caller's business.
    """
    first, session = batches[0], batches[0]._session
    first.begin_all()
    _go_on(batches)
    while first._begun or first._embedding:
        under_way = [*first._embedding, *(future for batch in batches for future in batch._begun)]
        answered = wait(under_way, timeout=POLL_S / 2, return_when=FIRST_COMPLETED).done
        if answered:
            for batch in batches:
                batch._take(answered)
            _go_on(batches)
            for future in first._embedding.keys() & answered:
                del first._embedding[future]
        try:
            session.control.check()
        except Stopped as reason:
            if not first._begun and not session.late(first._embedding):
                break
            first.cancel()
            return reason
    return first._stopped


def _go_on(batches: Sequence[Batch]) -> None:
    first, session = batches[0], batches[0]._session
    first._tell()
    session.store_executions()
    for earlier, later in pairwise(batches):
        session.begun_ahead += sum(later.begin(place) for place in earlier._notes)
