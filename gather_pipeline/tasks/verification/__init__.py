"""Checks of an output that was got: what a check sees, and what it must be (S004-VER).

A check is made from the parameters of its link in a definition's chain by a factory of its method's name, and is a callable from a
`Case` to a `Verdict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gather_pipeline.domain.verdicts import Budget, TrackRecord, Verdict

if TYPE_CHECKING:
    from gather_pipeline.ports import Clock, Embedder, ReviewQueue, WebService
    from gather_pipeline.tasks.definition import TaskDefinition, VerificationParameters


class Models(Protocol):
    """What a check may ask of models. Every call is charged to the execution and stands in its record.

    Every method raises `ModelUnavailable` or `ModelRefused` where the model cannot be had, `OutputInvalid` where its answers did not fit,
    and `BudgetExhausted` before a call where the execution's budget is spent.
    """

    @property
    def left(self) -> Budget:
        """What the execution may still spend."""

    async def ask(self, model: str) -> Any:
        """The output that a model gives for the same prompt as the writer's, in the form of the task's output."""

    async def revise(self, model: str, output: Any, complaint: str) -> Any:
        """The output that a model gives after it is told what is wrong with this one."""

    async def review(self, model: str, prompt: str, schema: Mapping[str, Any]) -> Any:
        """The answer of a model to a prompt of the check's own, in the form of the schema."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One output to check.

    Attributes:
        execution_id: The execution whose output it is.
        input: The input in full, with the schema's defaults.
        output: What the writer gave, or what an earlier check put in its place.
        writer: Model that wrote it.
        candidates: Models that may be asked, the highest ranked first; the writer is one of them.
        prompt: The user's turn of the prompt, as it was sent.
        models: Asks models.
        record: Tells how the writer has done at this task; None where nothing is known. Asked only by who needs it, for it reads the log.
        earlier: Verdicts of the checks before this one.
    """

    execution_id: str
    definition: TaskDefinition
    input: Mapping[str, Any]
    output: Any
    writer: str
    candidates: Sequence[str]
    prompt: str
    models: Models
    record: Callable[[], TrackRecord | None] = lambda: None
    earlier: Sequence[Verdict] = ()


class Verifier(Protocol):
    """A check of outputs."""

    async def __call__(self, case: Case) -> Verdict:
        """What it says of one; `undecided` where it cannot tell, an error only where the execution is to end."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a check may be built with, beside models.

    Attributes:
        embedder: Texts to vectors, for similarity by meaning.
        reviews: Where outputs wait for a person; None where nobody could be asked.
        web: Reaches services; None where none may be.
    """

    embedder: Embedder
    clock: Clock
    reviews: ReviewQueue | None = None
    web: WebService | None = None


Factory = Callable[["VerificationParameters", Tools], Verifier]  # raises `ValueError` where the parameters are not the method's
