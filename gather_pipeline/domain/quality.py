"""A department's quality: four parts, their weights, and the evidence for each (S001-QUAL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WEIGHTS: Mapping[str, float] = {"coverage": 0.4, "depth": 0.3, "coherence": 0.2, "actionability": 0.1}  # S001-QUAL-05 to 08


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a score.

    Attributes:
        value: 0 to 100.
        reasons: Sentences a reader can check against the items.
        evidence: Ids (or, for unsaved items, positions as text) of the items that the reasons point to.
    """

    value: float
    reasons: tuple[str, ...]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A department's score on the scale 0 to 100, with the scorer that gave it (C32).

    Attributes:
        parts: The four parts by name, in the order of `WEIGHTS`.
        scorer: Name of the scorer, e.g. ``text-statistics`` or ``text-statistics+judge``.
        version: Version of the scorer's rules.
        least_covered: Aspects from least to best covered, for the next iteration to aim at.
        unjudged: The value without the judge's part, None where no judge had one.
    """

    parts: Mapping[str, Part]
    scorer: str
    version: str
    least_covered: tuple[str, ...] = ()
    unjudged: float | None = None

    @property
    def value(self) -> float:
        """Weighted sum of the parts, 0 to 100, rounded to one decimal."""
        return weighted({name: part.value for name, part in self.parts.items()})

    def to_document(self) -> dict[str, Any]:
        """JSON-able form, kept in iterations and in `quality_scores`."""
        return {
            "value": self.value,
            "scale": "0-100",
            "parts": {
                name: {
                    "value": part.value,
                    "weight": WEIGHTS[name],
                    "reasons": list(part.reasons),
                    "evidence": list(part.evidence),
                }
                for name, part in self.parts.items()
            },
            "scorer": self.scorer,
            "version": self.version,
            "least_covered": list(self.least_covered),
            "unjudged": self.unjudged,
        }


def weighted(parts: Mapping[str, float]) -> float:
    """The four part values (0 to 100) under their weights, rounded to one decimal."""
    return round(sum(WEIGHTS[name] * parts[name] for name in WEIGHTS), 1)
