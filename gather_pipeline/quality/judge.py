"""What a judge's reading makes of a department's score: the reading decides, and no note can talk it above what counts of the notes.

The judge gets the notes in an order drawn from their content, so that a rerun asks the same, and without their scores. Coverage is computed
here from what it says of each aspect. Every contradiction that it names, with both places, costs `NAMED_COST` points of the whole. Near the
department's threshold a single reading could fall on either side, so it is asked again with another order, and the mean counts.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import WEIGHTS, Part, Quality, total
from gather_pipeline.quality.caps import Worth, ceiling, fault_reasons

logger = logging.getLogger(__name__)

QualityJudge = Callable[[Department, Sequence[Item]], Awaitable[Mapping[str, object] | None]]
"""Gives the output of task `judge_quality` for the notes in the order given; None where it could not judge, which is not zero."""

NAMED_COST = 15.0  # points of the whole for each contradiction that a judge names with its two places
NEAR_THRESHOLD = 5.0  # points: about what two readings of one judge differ by
UNKNOWN = "Unknown: the judge did not say, or not on the scale from 0 to 100."


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One answer of the judge, checked: score and reason by part, score by aspect, a sentence for each contradiction with both places."""

    parts: Mapping[str, tuple[float, str]]
    aspects: Mapping[str, float]
    contradictions: tuple[str, ...]

    @classmethod
    def of(cls, output: Mapping[str, object], department: Department) -> Reading:
        """The reading of an output of task `judge_quality`; what is off the scale is left out with a warning."""
        parts = {}
        for name in ("depth", "coherence", "actionability"):
            said = output.get(name)
            if isinstance(said, Mapping) and _on_scale(said.get("score")):
                parts[name] = (float(said["score"]), str(said.get("reason", "")).strip())
            else:
                logger.warning("[AutoGather] The judge's answer for %s is left out: not a value from 0 to 100", name)
        aspects, reasons = _aspects(output.get("aspects"), department)
        if aspects:
            parts["coverage"] = (sum(aspects.values()) / len(aspects), " ".join(reasons))
        else:
            logger.warning("[AutoGather] The judge's answer for coverage is left out: not a value from 0 to 100 for each aspect")
        return cls(parts=parts, aspects=aspects, contradictions=_contradictions(output.get("contradictions")))

    @property
    def deduction(self) -> float:
        """Points off the whole."""
        return NAMED_COST * len(self.contradictions)


async def readings(judge: QualityJudge, department: Department, items: Sequence[Item], found: Worth) -> list[Reading]:
    """The judge's reading, and a second one in another order where the first lands near the threshold; empty where it failed."""
    told: list[Reading] = []
    for turn in range(2):
        output = await judge(department, shuffled(items, turn))
        reading = None if output is None else Reading.of(output, department)
        if reading is None or not reading.parts:
            break
        told.append(reading)
        if abs(_value(reading, found) - department.threshold) > NEAR_THRESHOLD:
            break
    return told


def judged(quality: Quality, found: Worth, told: Sequence[Reading]) -> Quality:
    """The score by the judge's readings, their mean where there are two; `quality` unchanged where there is none.

    A part that no reading gave is unknown. A part is never above the ceiling of what counts of the notes (`caps.ceiling`).
    """
    if not told:
        return quality
    most = ceiling(found)
    parts = {name: _part(name, quality.parts[name], told, most, found) for name in WEIGHTS}
    clashes = tuple(dict.fromkeys(one for reading in told for one in reading.contradictions))
    whole = parts["coherence"]
    named = tuple(f"Contradiction: {one}" for one in clashes)
    values = [_value(reading, found) for reading in told]
    if len(values) > 1:
        named += (f"Near the threshold the judge was asked twice and gave {values[0]:.1f} and {values[1]:.1f}; the mean counts.",)
    parts["coherence"] = replace(whole, reasons=(*named, *whole.reasons))
    scores = {name: sum(one.aspects[name] for one in told if name in one.aspects) for name in quality.least_covered}
    complete = all(reading.aspects for reading in told)
    return replace(
        quality,
        parts=parts,
        scorer=f"{quality.scorer}+judge",
        least_covered=tuple(sorted(scores, key=scores.__getitem__)) if complete else quality.least_covered,
        unjudged=quality.value,
        contradictions=clashes,
        deduction=round(sum(reading.deduction for reading in told) / len(told), 2),
    )


def shuffled(items: Sequence[Item], turn: int) -> list[Item]:
    """The items in an order drawn from their contents and the turn, so that neither age nor rank speaks and a rerun asks the same."""
    contents = sorted(item.content for item in items)
    seed = sha256("\n".join([str(turn), *contents]).encode("utf-8", "surrogatepass")).hexdigest()
    order = sorted(items, key=lambda item: (item.content, item.id))
    random.Random(seed).shuffle(order)
    return order


def _part(name: str, own: Part, told: Sequence[Reading], most: float, found: Worth) -> Part:
    given = [reading.parts[name] for reading in told if name in reading.parts]
    if not given:
        return Part(value=None, reasons=(UNKNOWN,))
    value = sum(score for score, _ in given) / len(given)
    reasons = tuple(f"The judge gave {score:.0f}: {reason or 'without a reason'}" for score, reason in given)
    if value > most:
        reasons = (f"Held at {most:.0f}, whatever the judge gave, by what counts of the notes.", *fault_reasons(found), *reasons)
    said = () if own.value is None else (f"By text statistics alone {own.value:.0f}.",)
    return Part(value=round(min(value, most), 2), reasons=(*reasons, *said), evidence=own.evidence)


def _value(reading: Reading, found: Worth) -> float:
    most = ceiling(found)
    return total({name: min(score, most) for name, (score, _) in reading.parts.items()}, reading.deduction)


def _aspects(given: object, department: Department) -> tuple[dict[str, float], list[str]]:
    """Score by aspect, and what is said of each; empty where one is missing or off the scale."""
    wanted = department.aspects or (department.name,)
    by_name = {str(row.get("aspect", "")).strip().casefold(): row for row in _rows(given)}
    scores, reasons = {}, []
    for aspect in wanted:
        row = by_name.get(aspect.strip().casefold())
        if row is None or not _on_scale(row.get("score")):
            return {}, []
        scores[aspect] = float(row["score"])
        missing = str(row.get("missing", "")).strip()
        reasons.append(f"'{aspect}' {scores[aspect]:.0f}" + (f" (missing: {missing})." if missing else "."))
    return scores, reasons


def _contradictions(given: object) -> tuple[str, ...]:
    places = [(str(row.get("first", "")).strip(), str(row.get("second", "")).strip()) for row in _rows(given)]
    return tuple(f"{first}, against {second}." for first, second in places if first and second)


def _rows(given: object) -> list[Mapping[str, Any]]:
    return [row for row in given if isinstance(row, Mapping)] if isinstance(given, list | tuple) else []


def _on_scale(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 100
