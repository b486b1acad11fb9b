"""Notes by a model that follows instructions: JSON from the task `gather_item`, or `gather_items_batch` for several notes a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import NewItem
from gather_pipeline.gather.prompt_context import AVOIDED, Contexts, assemble
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.writers import Ask, Assignment, Slot, note
from gather_pipeline.ports import Distiller
from gather_pipeline.tasks.runner import TaskResult
from gather_pipeline.upkeep.inputs import BATCH_TASK, definition_for


class RemoteWriter:
    """The body of `Writer` for every model but the embedded one."""

    def context(
        self, session: Session, department: Department, before: Sequence[Department], model: str, distiller: Distiller | None = None
    ) -> Contexts:
        """As much as fits into the budget of tokens."""
        services = session.services
        return assemble(session, department, before, services.settings.gather_context_tokens, services.counter_of(model), distiller)

    def slots(self, session: Session, work: Assignment) -> list[Slot]:
        """A call for each aspect, or for as many as `GATHER_ITEMS_PER_CALL` says."""
        size, aspects = session.services.settings.items_per_call, work.plan.aspects
        return [self._slot(session, work, place, aspects[place : place + size]) for place in range(0, len(aspects), size)]

    def _slot(self, session: Session, work: Assignment, place: int, aspects: tuple[str, ...]) -> Slot:
        task, context = definition_for(session.services, work.model), work.context.about(aspects)
        inputs: dict[str, Any] = {
            "project_name": session.project.name,
            "brief": context.brief,
            "department_name": work.department.name,
            "department_description": work.department.description,
            "own_items": context.own,
            "predecessors": context.predecessors,
            "brain": context.brain,
            "avoid": context.avoid,
        }
        inputs |= {"aspects": list(aspects), "count": len(aspects)} if task == BATCH_TASK else {"aspect": aspects[0]}
        ask = Ask(task=task, inputs=inputs, seed=work.seed(place), conditions=("longer",) if work.plan.longer else ())
        return Slot(place=place, aspects=aspects, asks=(ask,))

    def aware(self, slot: Slot, unseen: Sequence[NewItem]) -> Slot:
        """Adds their summaries to what is to be avoided."""
        avoid = [note.summary for note in unseen]
        asks = (replace(ask, inputs={**ask.inputs, "avoid": [*ask.inputs["avoid"], *avoid][-AVOIDED:]}) for ask in slot.asks)
        return replace(slot, asks=tuple(asks)) if avoid else slot

    async def read(self, session: Session, work: Assignment, slot: Slot, results: Sequence[TaskResult]) -> list[NewItem]:
        """The notes as the answer has them."""
        (result,) = results
        rows = result.output["items"] if result.execution.task_id == BATCH_TASK else [result.output]
        context = work.context.about(slot.aspects)
        return [note(row, slot.aspects[min(at, len(slot.aspects) - 1)], context, result.execution) for at, row in enumerate(rows)]
