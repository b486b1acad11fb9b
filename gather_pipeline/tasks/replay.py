"""An execution done again in another way, side by side with what it was (N07): values alone; `upkeep.replaying` runs them."""

from __future__ import annotations

from dataclasses import dataclass

from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution

REPLAY_OF = "replay_of"  # tag of a replay: the id of what it replays
KEPT_TAGS = ("project_id", "department", "aspect")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is another than it was; None leaves it.

    Attributes:
        definition: Another version of the task, also one that is only suggested.
    """

    model: str | None = None
    definition: TaskDefinition | None = None
    prompt_id: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    budget: Budget = Budget()


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Two executions with the same input.

    Attributes:
        similarity: Of the outputs, 0 to 1, by the task's own function; None where one of them has none.
    """

    original: Execution
    again: Execution
    similarity: float | None
