"""How a model writes notes: what it is asked, and how its answers become notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import NewItem
from gather_pipeline.gather.ladder import Plan
from gather_pipeline.gather.prompt_context import Contexts, PromptContext
from gather_pipeline.gather.session import Session
from gather_pipeline.ports import Distiller, Vectors
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.runner import TaskResult


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One iteration's work for one department.

    Attributes:
        fallback_models: Models to ask where `model` cannot answer, in order.
        kept: Embeddings of the department's items that the context was chosen from, shape (n, d); n may be 0.
    """

    department: Department
    iteration: int
    plan: Plan
    model: str
    fallback_models: Sequence[str]
    context: Contexts
    kept: Vectors

    def seed(self, place: int, candidate: int = 0) -> int:
        """A seed of its own for every call, the same on a rerun."""
        return (self.iteration * 100 + place) * 10 + candidate + 1


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One call to make, as `TaskRunner.run` takes it."""

    task: str
    inputs: Mapping[str, Any]
    seed: int
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Slot:
    """What is asked for one place of an iteration.

    Attributes:
        place: Its place, which gives its notes their order.
        aspects: Aspects that notes are wanted on.
        asks: Calls made together for it, one or more.
    """

    place: int
    aspects: tuple[str, ...]
    asks: tuple[Ask, ...]


class Writer(Protocol):
    """A way to have notes written by a model."""

    def context(
        self, session: Session, department: Department, before: Sequence[Department], model: str, distiller: Distiller | None = None
    ) -> Contexts:
        """What prompts see of the project; `before` are the departments that ran earlier, in order, `model` counts the tokens."""

    def slots(self, session: Session, work: Assignment) -> list[Slot]:
        """The calls of an iteration, by place."""

    def aware(self, slot: Slot, unseen: Sequence[NewItem]) -> Slot:
        """The slot with prompts that also know these notes, which are not committed yet, so that they are not written again."""

    async def read(self, session: Session, work: Assignment, slot: Slot, results: Sequence[TaskResult]) -> list[NewItem]:
        """The notes of a slot, from its calls that were answered, one at least.

        Raises:
            OutputInvalid: None of them is usable.
        """


def note(row: Mapping[str, str], aspect: str, context: PromptContext, execution: Execution) -> NewItem:
    """A note with how it came about."""
    model = execution.final_model
    return NewItem(
        content=row["content"].strip(),
        summary=row["summary"].strip(),
        context=row["context"].strip(),
        aspect=aspect,
        provenance={
            "generated_by": model,
            "model": model,
            "task": execution.task_id,
            "task_version": execution.task_version,
            "definition_hash": execution.definition_hash,
            "prompt_id": execution.prompt_id,
            "prompt_hash": execution.prompt_hash,
            "execution_id": execution.id,
            "parameters": dict(execution.parameters),
            "context_items": context.used,
        },
    )
