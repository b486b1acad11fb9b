"""How a task has done over a time: success, verdicts, time, tokens and cost, in all and by model, prompt, version and day (S004-CLI-04)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gather_pipeline.tasks.execution import Execution


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What some executions come to; sums are of what is known.

    Attributes:
        name: What they have in common.
        verified: Those whose output the checks accepted.
        unverified: Those whose output they did not accept.
        accepted: Those whose output people accepted.
        rejected: Those whose output people rejected.
        fitted: Share of executions whose first answer fitted; None where nothing was asked.
        p50_s: Median of the seconds that an execution took, kept answers left out; None where there is none, as the two after it.
        unknown_tokens: Executions whose tokens are unknown.
        unknown_cost: Executions whose cost is unknown.
    """

    name: str
    executions: int
    succeeded: int
    failed: int
    cancelled: int
    cached: int
    verified: int
    unverified: int
    accepted: int
    rejected: int
    fitted: float | None
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    tokens: int
    unknown_tokens: int
    cost: float
    unknown_cost: int

    @property
    def success(self) -> float | None:
        """Share of ended executions that gave an output, 0 to 1; None where all were cancelled."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else None


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A task's figures in all and by what they may depend on; days in order, the others by size.

    Attributes:
        halves: The earlier and the later half of the time.
    """

    total: Figures
    models: tuple[Figures, ...]
    prompts: tuple[Figures, ...]
    versions: tuple[Figures, ...]
    days: tuple[Figures, ...]
    halves: tuple[Figures, Figures]


def analyze(executions: Sequence[Execution], since: str, until: str) -> Analysis:
    """The figures of a task's executions from one time to another, both in UTC, ISO 8601."""

    def by(key: Callable[[Execution], str | None]) -> tuple[Figures, ...]:
        groups: dict[str, list[Execution]] = {}
        for one in executions:
            groups.setdefault(key(one) or "none", []).append(one)
        return tuple(sorted((_figures(*group) for group in groups.items()), key=lambda figures: (-figures.executions, figures.name)))

    begin, end = datetime.fromisoformat(since), datetime.fromisoformat(until)
    middle = (begin + (end - begin) / 2).isoformat(timespec="microseconds")
    return Analysis(
        total=_figures("all", executions),
        models=by(lambda one: one.final_model),
        prompts=by(lambda one: one.prompt_id),
        versions=by(lambda one: one.task_version),
        days=tuple(sorted(by(lambda one: one.timestamp[:10]), key=lambda figures: figures.name)),
        halves=(
            _figures("earlier", [one for one in executions if one.timestamp < middle]),
            _figures("later", [one for one in executions if one.timestamp >= middle]),
        ),
    )


def _figures(name: str, executions: Sequence[Execution]) -> Figures:
    asked = [one for one in executions if any(not call.cached for call in one.calls)]
    first = [one.calls[0].obtained is not None for one in asked if one.calls[0].answered_by is not None]
    times = [one.execution_time_s for one in asked]
    quantiles = [float(value) for value in np.quantile(times, [0.5, 0.9, 0.99])] if times else [None] * 3
    usages = [one.usage for one in executions]
    status, verified, accepted = (Counter(getattr(one, name) for one in executions) for name in ("status", "verified", "accepted"))
    return Figures(
        name=name,
        executions=len(executions),
        succeeded=status["succeeded"],
        failed=status["failed"],
        cancelled=status["cancelled"],
        cached=sum(one.cached for one in executions),
        verified=verified[True],
        unverified=verified[False],
        accepted=accepted[True],
        rejected=accepted[False],
        fitted=sum(first) / len(first) if first else None,
        p50_s=quantiles[0],
        p90_s=quantiles[1],
        p99_s=quantiles[2],
        tokens=sum(usage.tokens or 0 for usage in usages),
        unknown_tokens=sum(usage.tokens is None for usage in usages),
        cost=sum(usage.cost or 0.0 for usage in usages),
        unknown_cost=sum(usage.cost is None for usage in usages),
    )
