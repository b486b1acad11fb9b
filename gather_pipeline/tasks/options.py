"""What a caller may ask for beside a task and its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.definition import MAX_TOKENS
from gather_pipeline.tasks.verification.parameters import read_form

Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # what every store can keep


class ExecutionOptions(BaseModel):
    """Options of one execution; what is left out follows from the definition and the settings.

    Attributes:
        model: Model to ask first.
        fallback_models: Models to ask where it cannot be had, and that checks may ask.
        draw: Executions that are the same and have the same draw get one answer, which is paid once; another draw asks anew.
        max_tokens: Most tokens of one answer.
        max_cost: Most US dollars of the whole execution, its checks and the tasks that run before it included.
        max_total_tokens: Most tokens of the whole execution, likewise.
        tags: Kept with the record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    fallback_models: tuple[str, ...] | None = None
    prompt_id: str | None = None
    conditions: tuple[str, ...] = ()
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    seed: Number | None = None
    draw: Number = 0
    max_cost: Annotated[float, Field(gt=0)] | None = None
    max_total_tokens: Annotated[int, Field(ge=1)] | None = None
    tags: Mapping[str, Any] = {}

    @classmethod
    def read(cls, given: ExecutionOptions | Mapping[str, Any] | None) -> ExecutionOptions:
        """The options that a caller gives as they are or as a mapping; raises `InvalidInput` with the name of one that is wrong."""
        if isinstance(given, ExecutionOptions):
            return given
        try:
            return read_form(cls, dict(given or {}), "option")
        except ValueError as error:
            raise InvalidInput(str(error)) from None

    @property
    def budget(self) -> Budget:
        """What the execution may spend."""
        return Budget(tokens=self.max_total_tokens, cost=self.max_cost)
