"""A department's quality: four parts, their weights, and the evidence for each (S001-QUAL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WEIGHTS: Mapping[str, float] = {"coverage": 0.4, "depth": 0.3, "coherence": 0.2, "actionability": 0.1}  # S001-QUAL-05 to 08
SCORER_VERSION = "2"  # of the rules in `quality`; here, because whoever asks what is behind needs no scorer


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What is counted of one note, whatever other notes there are.

    Attributes:
        worths: The distinct lemmas of its telling words, with what each is worth where it is new.
        faults: Share of each fault of the text by itself, 0 to 1, in the order of the scorer's table.
        copied: Share that is taken word for word from the brief.
        circling: How far it comes back to its own last words, 0 to 1.
        directs: Whether it tells people what to do.
        clashes: What it contradicts of the brief: its own sentence, the kind of fact, and one sentence that names both places.
    """

    worths: Mapping[str, float]
    faults: tuple[float, ...]
    copied: float
    circling: float
    directs: bool
    clashes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a score.

    Attributes:
        value: 0 to 100; None where it is unknown, which is not zero.
        reasons: Sentences a reader can check against the items.
        evidence: Ids (or, for unsaved items, positions as text) of the items that the reasons point to.
    """

    value: float | None
    reasons: tuple[str, ...]
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A department's score on the scale 0 to 100, with the scorer that gave it (C32).

    Attributes:
        parts: The four parts by name, in the order of `WEIGHTS`.
        scorer: Name of the scorer: ``text-statistics``, with ``+brain`` and ``+judge`` where these had a part.
        version: Version of the scorer's rules.
        least_covered: Aspects from least to best covered, for the next iteration to aim at.
        unjudged: Value of the text statistics alone where a judge or a Brain had a part; None where neither had.
        contradictions: One sentence each; they cost `deduction` together.
        deduction: Points taken off the weighted sum.
    """

    parts: Mapping[str, Part]
    scorer: str
    version: str
    least_covered: tuple[str, ...] = ()
    unjudged: float | None = None
    contradictions: tuple[str, ...] = ()
    deduction: float = 0.0

    @property
    def judged(self) -> bool:
        """Whether a judge read the notes; text statistics alone claim less."""
        return self.unjudged is not None and not self.scorer.endswith("+brain")

    @property
    def weakest(self) -> str | None:
        """Name of the part with the lowest value; None where every part is unknown."""
        known = {name: part.value for name, part in self.parts.items() if part.value is not None}
        return min(known, key=known.__getitem__) if known else None

    @property
    def value(self) -> float:
        """Weighted sum of the known parts less the deduction, 0 to 100, rounded to one decimal."""
        return total({name: part.value for name, part in self.parts.items()}, self.deduction)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A department's quality as it is kept: what was measured, of which items, held against what (S001-EVAL).

    Attributes:
        department_number: Its `codeDepNumber`.
        value: 0 to 100, as it was stored.
        threshold: Quality at which the department was good enough when it was scored.
        data_version: Version of the items that were scored, see `items.version_of`.
        asked: Hash of what they were held against, see `iterations.asked_of`.
        auto_triggered: Whether the end of a department asked for it, or a person.
        user_id: Who asked, None where nobody is known.
        task_id: Run that it was made in, None for none.
        revision: How often the department's score was written.
        read_at: When its items were read, None in rows of earlier releases.
        items: How many they were.
    """

    department: str
    department_number: int | None
    value: float
    quality: Quality
    threshold: float
    data_version: str
    asked: str | None
    auto_triggered: bool
    user_id: str | None
    task_id: str | None
    evaluated_at: str
    revision: int = 0
    read_at: str | None = None
    items: int = 0

    @property
    def reached(self) -> bool:
        """Whether the department was good enough."""
        return self.value >= self.threshold


def total(parts: Mapping[str, float | None], deduction: float = 0.0) -> float:
    """The known part values (0 to 100) under their weights, which are scaled up to 1 where a part is unknown, less the deduction.

    Rounded to one decimal, not below 0; 0 where every part is unknown.
    """
    known = {name: value for name, value in parts.items() if value is not None and name in WEIGHTS}
    weight = sum(WEIGHTS[name] for name in known)
    return round(max(0.0, sum(WEIGHTS[name] * value for name, value in known.items()) / weight - deduction), 1) if known else 0.0


def told(value: float, judged: bool) -> str:
    """A score as people read it: ``71.5``, or ``71.5 (unjudged)`` where text statistics alone gave it."""
    return f"{value:g}" if judged else f"{value:g} (unjudged)"
