"""The calls of one iteration while they are under way: made together, taken up one by one as they are answered (S001-GEN)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

import numpy as np

from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline.domain.items import NewItem
from gather_pipeline.errors import GatherError, OutputInvalid, Stopped
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

    Attributes:
        size: Slots in all.
        faults: What went wrong, one sentence a call.
        unavailable: How many calls brought no answer at all, as against an answer that did not fit.
        done: Slots that came to an end.
    """

    def __init__(self, session: Session, writer: Writer, work: Assignment, runner: TaskRunner) -> None:
        self._session, self._writer, self._work, self._runner = session, writer, work, runner
        self._waiting = {slot.place: slot for slot in writer.slots(session, work)}
        self._begun: dict[Future[Results], Slot] = {}
        self._notes: dict[int, list[NewItem]] = {}
        self._vectors: dict[int, Vectors] = {}
        self.size = len(self._waiting)
        self.faults: list[str] = []
        self.unavailable = self.done = 0
        self._stopped: Stopped | None = None

    def begin(self, place: int, unseen: Sequence[NewItem] = ()) -> bool:
        """Begins a slot, unless it is begun already; returns whether it was.

        Args:
            place: Of the slot; nothing is done where there is none.
            unseen: Notes that were written since the prompts' context was put together.
        """
        slot = self._waiting.pop(place, None)
        if slot is None:
            return False
        slot = self._writer.aware(slot, unseen)
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
        """Embeddings of `notes`, row by row; shape (0, 0) for none."""
        self._embed()  # an interrupt may have come between an answer and its embedding
        rows = [self._vectors[place] for place in sorted(self._notes)]
        return np.concatenate(rows) if rows else np.empty((0, 0), dtype=np.float32)

    @property
    def under_way(self) -> int:
        """Slots that are begun and whose answers are not taken up."""
        return len(self._begun)

    def collect(self, meanwhile: Callable[[int, Sequence[NewItem]], None]) -> Stopped | None:
        """Begins what is not begun yet and takes up answers as they come, until all are there or the run is to end.

        Args:
            meanwhile: Is called after each answer, with the place of its slot and its notes.

        Returns:
            Why the run is to end where it is; what was answered by then is kept, the rest cancelled.

        Raises:
            ProjectBusy: The lease is lost; `cancel` is the caller's business.
        """
        self.begin_all()
        while self._begun:
            answered = wait(self._begun, timeout=POLL_S / 2, return_when=FIRST_COMPLETED).done
            if answered:
                places = self._take(answered)
                self._session.store_executions()
                for place in places:
                    meanwhile(place, self._notes.get(place, []))
                self._embed()  # after it, for the first answer loads the embedder
            try:
                self._session.control.check()
            except Stopped as reason:
                if not self._begun:
                    break
                self.cancel()
                return reason
        return self._stopped

    def discard(self) -> None:
        """Lets go of every call, answered or not."""
        for future in self._begun:
            future.cancel()
        self._begun.clear()
        self._waiting.clear()

    def cancel(self) -> None:
        """Lets go of the calls that are not answered, and takes up those that are."""
        self._take({future for future in list(self._begun) if not future.cancel()})
        self.discard()

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
            fallback_models=work.fallback_models,
            tags=self._session.tags(work.department, work.iteration) | {"aspect": ", ".join(slot.aspects)},
        )

    def _take(self, answered: set[Future[Results]]) -> list[int]:
        """Takes up answered slots, in order; returns their places."""
        futures = sorted(answered, key=lambda one: self._begun[one].place)
        slots = [self._begun.pop(future) for future in futures]
        for future, slot in zip(futures, slots, strict=True):
            try:
                self._notes[slot.place] = self._read(slot, future.result())
            except Stopped as reason:
                self._stopped = self._stopped or reason
            except GatherError as error:
                self._note_fault(error)
            self.done += 1
            self._session.announcer.tick(department=self._work.department.slug, phase="generate", done=self.done, total=self.size)
        return [slot.place for slot in slots]

    def _embed(self) -> None:
        """Embeds what has arrived and has no embedding yet."""
        fresh = [place for place in sorted(self._notes) if place not in self._vectors]
        rows = self._session.services.embedder.embed([note.content for place in fresh for note in self._notes[place]])
        for place in fresh:
            count = len(self._notes[place])
            self._vectors[place], rows = rows[:count], rows[count:]

    def _read(self, slot: Slot, results: Results) -> list[NewItem]:
        answers = [one for one in results if isinstance(one, TaskResult)]
        if not answers:
            raise next(one for one in results if isinstance(one, BaseException))
        return self._writer.read(self._session, self._work, slot, answers)

    def _note_fault(self, error: GatherError) -> None:
        department = self._work.department.slug
        self.faults.append(str(error))
        self.unavailable += not isinstance(error, OutputInvalid)
        logger.error("[AutoGather] A call for department %s failed: %s", department, error, extra={TOLD_BY_EVENT: True})
        self._session.announcer.announce(
            "model_fault", department=department, error=str(error), model=self._work.model, iteration=self._work.iteration
        )
