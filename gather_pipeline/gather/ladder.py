"""Pure rules of how long a department goes on: shares of the iterations, stagnation, and what to change when it stagnates.

The step reached is derived from the scores alone, so that a run after a crash stands on the same step (S001-MET-06, C27).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Literal

from gather_pipeline.domain.routing import EMBEDDED

GAIN = 0.5  # quality points; less is noise of a score that has one decimal and up to ten new items in it
PATIENCE = 3  # iterations without gain that count as stagnation (S001-MET-06)
FIRST_REACH = 75.0  # quality points: ten departments of careful notes came to 33 to 71 with their first six (benchmarks/material)
NEXT_GAIN = 15.0  # points: the next six brought at most 13 more
HEAT = 0.2  # added to the temperature on that step
BATCH_MIN, BATCH_MAX = 5, 10  # items an iteration (S001-GEN-02)

Step = Literal["aim", "temperature", "model", "longer", "stop"]

SENTENCES: dict[Step, str] = {
    "aim": "aims at the least covered aspects",
    "temperature": "raises the temperature",
    "model": "asks the next model of the chain",
    "longer": "asks for fewer and longer items",
    "stop": "stops",
}


def steps(chain: int) -> tuple[Step, ...]:
    """The ladder for a chain of that many models: with one model there is no next one to ask."""
    return ("aim", "temperature", "model", "longer", "stop") if chain > 1 else ("aim", "temperature", "longer", "stop")


def rung(scores: Sequence[float], ladder: Sequence[Step]) -> int:
    """How many steps of the ladder are climbed after these scores.

    After three iterations without gain every further one climbs a step; a gain starts the count anew and keeps the steps climbed.
    """
    best, flat, climbed = -inf, 0, 0
    for score in scores:
        if score >= best + GAIN:
            best, flat = score, 0
        else:
            flat += 1
            climbed += flat >= PATIENCE
    return min(climbed, len(ladder))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the next iteration asks for.

    Attributes:
        aspects: One for each call, 5 to 10.
        temperature: 0 to 1.
        model: Place in the chain of models.
        longer: Fewer and longer items.
    """

    aspects: tuple[str, ...]
    temperature: float
    model: int
    longer: bool


def plan(aspects: Sequence[str], least_covered: Sequence[str], number: int, climbed: Sequence[Step], temperatures: Sequence[float]) -> Plan:
    """Decides aspects, temperature, model and length of an iteration.

    Args:
        aspects: Aspects of the department.
        least_covered: The same from least to best covered, empty before the first score.
        number: Number of the iteration, so that a long list is walked through.
        climbed: Steps of the ladder climbed so far.
        temperatures: The usual temperature of each model of the chain.
    """
    ranked = [aspect for aspect in least_covered if aspect in aspects]
    ranked += [aspect for aspect in aspects if aspect not in ranked]
    if not least_covered:
        turn = (number - 1) * BATCH_MAX % len(ranked)
        ranked = ranked[turn:] + ranked[:turn]
    if "aim" in climbed:
        ranked = ranked[: max(1, ceil(len(ranked) / 2))]
    size = batch_size(len(aspects), climbed)
    model = min(1, len(temperatures) - 1) if "model" in climbed else 0
    return Plan(
        aspects=tuple(ranked[place % len(ranked)] for place in range(size)),
        temperature=min(1.0, temperatures[model] + HEAT) if "temperature" in climbed else temperatures[model],
        model=model,
        longer="longer" in climbed,
    )


def asked(chain: Sequence[str], place: int, left_out: Collection[str]) -> list[str]:
    """Models of an iteration in the order in which they are asked: the plan's, then the others, those that have just failed behind them.

    The embedded model keeps the place that the plan gives it, and never stands in for another one.
    """
    planned = chain[place]
    models = [planned, *(model for model in chain if model not in (planned, EMBEDDED))]
    return models if planned == EMBEDDED else sorted(models, key=lambda model: model in left_out)


def batch_size(aspects: int, climbed: Sequence[Step]) -> int:
    """Notes that an iteration asks for, in a department of that many aspects."""
    aimed = max(1, ceil(aspects / 2)) if "aim" in climbed else aspects
    return BATCH_MIN if "longer" in climbed else max(BATCH_MIN, min(BATCH_MAX, aimed))


def may_begin_ahead(scores: Sequence[float], threshold: float, ladder: Sequence[Step], left: int, ahead: int) -> bool:
    """Whether another iteration is sure to be wanted after those under way, so that its calls may be begun before they are judged.

    Not where they are the last allowed, where they could end the department by stagnation, or where they could reach the threshold: a
    first iteration reaches `FIRST_REACH` at most, a later one gains as much as the last one did, and `NEXT_GAIN` at most.

    Args:
        scores: Of the department's iterations so far, oldest first.
        threshold: Quality that ends the department.
        ladder: Its steps against stagnation.
        left: Iterations allowed after `scores`.
        ahead: Iterations under way.
    """
    without_gain = [scores[-1] if scores else 0.0] * ahead
    if left <= ahead or rung([*scores, *without_gain], ladder) == len(ladder):
        return False
    if not scores:
        return FIRST_REACH + (ahead - 1) * NEXT_GAIN < threshold
    gain = scores[-1] - max(scores[:-1], default=0.0)
    return scores[-1] + ahead * min(max(gain, GAIN), NEXT_GAIN) < threshold


def share(remaining: int, departments_left: int) -> int:
    """Most iterations of the next department: a fair part of what is left, rounded up; what it leaves rolls over (C27)."""
    return ceil(remaining / departments_left) if departments_left else 0
