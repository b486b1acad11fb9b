"""How far work will go before it is done: an estimate, and by how much such estimates have missed so far (N03).

What an estimate is made of is the caller's business: that of a run stands in `gather.forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.execution import Execution

COVERAGE = 0.8  # of the works to come, so many shall end within a range
KNOWN = 10  # past works from which on they say how wide a range is
COLD = 3.0  # before that a range goes from a third to three times what is expected
WIDEST = 3.0  # times that a range's end is its beginning once enough is known: a wider one tells nobody anything
NARROWEST = 0.12  # least distance, as a logarithm, of a range's ends from its middle: the next work is never quite like the past ones

LEAST_SPREAD = 0.15  # of any guess, as a standard deviation of a logarithm


@dataclass(frozen=True, kw_only=True)
class Range:
    """What is expected of a quantity, and between what it will be in four of five cases."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What a work will take.

    Attributes:
        calls: Requests to models, re-asks and judges included.
        tokens: None, like `cost` in US dollars, where it cannot be known.
        known: Past works that it rests on.
        notes: What a reader should know: why something is unknown, what was assumed.
    """

    calls: Range
    tokens: Range | None
    cost: Range | None
    seconds: Range
    known: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a quantity will be as far as it can be worked out.

    Attributes:
        value: From 0 up.
        spread: How uncertain the working itself leaves it, as a standard deviation of its logarithm.
    """

    value: float
    spread: float = 0.0

    @property
    def scale(self) -> float:
        """What a miss is measured by."""
        return math.hypot(self.spread, LEAST_SPREAD)

    def miss(self, actual: float) -> float | None:
        """By how many of its scales it missed; None where it or the actual value was nothing."""
        return math.log(actual / self.value) / self.scale if actual > 0 and self.value > 0 else None


def ranged(guess: Guess, misses: Sequence[float | None], *, whole: bool = False, narrowest: float = NARROWEST) -> Range:
    """The range of a quantity from a guess and from what past guesses, made likewise, missed.

    From `KNOWN` past works on the ends are those of split conformal prediction: the order statistics that leave a tenth out on either side,
    with its correction for small numbers. Where they lie further apart than `WIDEST`, the window of that width that holds the most misses.

    Args:
        guess: Of the quantity.
        misses: See `Guess.miss`; None counts for nothing.
        whole: The quantity is counted.
        narrowest: See `NARROWEST`.
    """
    if guess.value <= 0:
        return Range(low=0, expected=0, high=0)
    known = sorted(one * guess.scale for one in misses if one is not None)
    middle = median(known) if known else 0.0
    is_known = bool(known) and len(misses) >= KNOWN
    if not is_known:
        middle *= len(known) / KNOWN  # one work says little of the next
        low, high = middle - math.log(COLD), middle + math.log(COLD)
    else:
        out = (1 - COVERAGE) / 2 * (len(known) + 1)
        low, high = known[max(0, math.floor(out) - 1)], known[min(len(known), math.ceil(len(known) + 1 - out)) - 1]
        low, high = min(low, middle - narrowest), max(high, middle + narrowest)
        if high - low > math.log(WIDEST):
            low, high = _fullest(known, middle)
    ends = [guess.value * math.exp(min(max(one, low), high)) for one in (low, middle, high)]
    if is_known:
        ends[2] = min(ends[2], WIDEST * ends[0])
    found = Range(low=ends[0], expected=min(ends[1], ends[2]), high=ends[2])
    return counted(found) if whole else found


def forecast_task(executions: Sequence[Execution], *, count: int = 1) -> Forecast:
    """What executing a task so often will take, from what it took before, one execution after the other.

    Raises:
        InvalidInput: It was never executed.
    """
    if not executions:
        raise InvalidInput("the task was never executed here, expected one execution or more to forecast from")
    asked = [one for one in executions if one.calls and not one.cached]
    usages = [one.usage for one in asked]
    ranges = {
        "calls": _usual([float(one.attempts) for one in asked]),
        "tokens": _usual([one.tokens for one in usages]),
        "cost": _usual([one.cost for one in usages]),
        "seconds": _usual([one.execution_time_s for one in asked]),
    }
    notes = [f"past executions do not tell their {name}, so it is not forecast" for name in ("tokens", "cost") if ranges[name] is None]
    if len(asked) < KNOWN:
        notes.append(f"only {len(asked)} executions are known, so the ranges are wide defaults")
    whole = {name: one and scaled(one, count) for name, one in ranges.items()}
    whole |= {name: counted(one) for name in ("calls", "tokens") if (one := whole[name])}
    return Forecast(**whole, known=len(asked), notes=tuple(notes))  # type: ignore[arg-type]


def _usual(values: Sequence[float | None]) -> Range | None:
    """The range of one more value like these; None where too few of them are known."""
    told = [one for one in values if one is not None]
    if len(told) * 2 < len(values):
        return None
    guess = Guess(value=median(told) if told else 0.0)
    return ranged(guess, [guess.miss(one) for one in told])


def scaled(one: Range, factor: float) -> Range:
    """The range of a part of the quantity."""
    return Range(low=one.low * factor, expected=one.expected * factor, high=one.high * factor)


def counted(one: Range) -> Range:
    """The range in whole numbers, at least one of what there is at all; one that was not too wide is not made so."""
    if one.expected <= 0:
        return one
    low, expected, high = max(1, math.floor(one.low)), max(1, round(one.expected)), max(1, math.ceil(one.high - 1e-9))
    if one.high <= WIDEST * one.low * (1 + 1e-9):
        high = min(high, round(WIDEST * low))
    return Range(low=low, expected=min(expected, high), high=high)


def _fullest(known: Sequence[float], middle: float) -> tuple[float, float]:
    """The window of the greatest width that holds the most misses; of several, the one nearest to the middle."""
    width = math.log(WIDEST)

    def worth(low: float) -> tuple[int, float]:
        return sum(low <= one <= low + width for one in known), -abs(low + width / 2 - middle)

    low = max([*known, *(one - width for one in known), middle - width / 2], key=worth)
    return low, low + width
