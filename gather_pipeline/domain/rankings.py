"""How good models are at a task, with how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["judged", "fit"]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 90% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ModelRank:
    """A model's place at a task.

    Attributes:
        samples: Executions that count, an old one in part.
        quality: Share accepted (or fitting), 0 to 1.
        latency_s: Seconds; geometric mean. None where no answer came, as the one after it where no cost is known.
        cost: Mean US dollars of an execution.
        score: Quality and speed by the task's priorities, 0 to 1.
    """

    model: str
    samples: float
    quality: Estimate
    latency_s: Estimate | None
    cost: float | None
    score: float


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The models of a task, or of a department's executions of it, the best first.

    Attributes:
        department: None for all of them.
        kind: What quality is: the share of executions with an output that people or checks accept, or of first answers that fit.
        reasons: What was changed, and what was not and why, each a sentence.
        changed: Whether the order is another one than before.
    """

    task_id: str
    department: str | None
    kind: Kind
    updated_at: str
    models: tuple[ModelRank, ...]
    reasons: tuple[str, ...] = ()
    changed: bool = False
