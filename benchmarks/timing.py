"""Paired timings: every contender once a round, in turn, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a benchmark's table.

    Attributes:
        what: What was measured.
        baseline: What it is held against.
        ratio: Seconds over the baseline's seconds.
        aim: Highest ratio that is good enough, None where there is none.
        note: Anything a reader needs beside it.
    """

    what: str
    baseline: str
    ratio: float
    aim: float | None = None
    note: str = ""


def paired(
    contenders: Mapping[str, Callable[[], object]], rounds: int = 7, *, before: Callable[[str], object] | None = None
) -> dict[str, list[float]]:
    """Seconds by contender and round; one round before the first is not counted.

    Args:
        contenders: What to time, by name.
        rounds: How often.
        before: Is called with the contender's name before each of its turns, off the clock.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, work in contenders.items():
            if before is not None:
                before(name)
            gc.collect()
            began = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(seconds: Sequence[float], baseline: Sequence[float]) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(ours / theirs for ours, theirs in zip(seconds, baseline, strict=True))


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """The table, with a word on each aim."""
    print(title)
    print(f"{'what':<44} {'against':<34} {'ratio':>7} {'aim':>6}")
    for row in rows:
        aim = "" if row.aim is None else f"{row.aim:g}"
        verdict = "" if row.aim is None else ("met" if row.ratio <= row.aim else "missed")
        print(f"{row.what:<44} {row.baseline:<34} {row.ratio:>7.2f} {aim:>6}  {' '.join(part for part in (verdict, row.note) if part)}")
