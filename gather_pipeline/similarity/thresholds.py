"""From which probability a text is dropped: what mistakes cost, and what people of the project have said of pairs (N05)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WRONG_DROP_COST = 2.0  # a note that is set aside and must be found again, in doubles that somebody has to read
FLOOR_OF_EVIDENCE = 5  # pairs: fewer tell more about chance than about the project
PRIOR_DEVIATION = 1.0  # log odds by which projects are taken to differ
LOWEST, HIGHEST = 0.35, 0.95


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """The probability from which texts are dropped, and where it comes from.

    Attributes:
        usual: What it would be without anybody's word.
        restored, marked: Pairs that a person said are two notes, and pairs that a person said are one.
    """

    value: float
    usual: float
    restored: int = 0
    marked: int = 0

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        told = f"{self.restored} restored and {self.marked} marked as the same"
        if self.value == self.usual:
            return f"dropped from {self.value:.0%}" + (f"; {told}, {FLOOR_OF_EVIDENCE} move it" if self.restored + self.marked else "")
        return f"dropped from {self.value:.0%} instead of {self.usual:.0%}, because of {told}"


def usual_threshold(wrong_drop_cost: float = WRONG_DROP_COST) -> float:
    """The threshold at which a wrong drop and a kept double cost the same on average: cost / (cost + 1)."""
    return wrong_drop_cost / (wrong_drop_cost + 1)


def learned_threshold(usual: float, restored: Sequence[float], marked: Sequence[float]) -> Threshold:
    """The threshold of a project, moved by what people said of its pairs.

    The log odds of the rules are shifted by one number, the most probable one under a normal prior around 0: with few pairs it moves
    little. The threshold moves the other way, within bounds.

    Args:
        usual: The threshold without anybody's word.
        restored: What the rules had said of pairs that a person said are two notes, 0 to 1.
        marked: The same of pairs that a person said are one.
    """
    odds = [_logit(probability) for probability in (*restored, *marked)]
    same = [False] * len(restored) + [True] * len(marked)
    shift = 0.0
    for _ in range(50):  # Newton's method on a concave function
        predicted = [logistic(own + shift) for own in odds]
        slope = sum(one - share for one, share in zip(same, predicted, strict=True)) - shift / PRIOR_DEVIATION**2
        bend = sum(share * (1 - share) for share in predicted) + 1 / PRIOR_DEVIATION**2
        shift += slope / bend
    value = round(min(HIGHEST, max(LOWEST, logistic(_logit(usual) - shift))), 3)
    return Threshold(value=value, usual=usual, restored=len(restored), marked=len(marked))


def logistic(log_odds: float) -> float:
    """Log odds to probability."""
    return 1 / (1 + math.exp(-log_odds))


def _logit(probability: float) -> float:
    clipped = min(0.999, max(0.001, probability))
    return math.log(clipped / (1 - clipped))
