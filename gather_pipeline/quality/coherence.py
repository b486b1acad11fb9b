"""Coherence: whether notes agree is for a judge; what can be counted is whether they turn in circles (S001-QUAL-04).

Drifting prose comes back to its own last words ("the pipe holds the page and the page holds the pipe"). As a part of the score that was
worth less than nothing on arguments and essays that people rated, so it is a fault of a note, and without a judge coherence is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.quality.caps import Worth, fault_reasons
from gather_pipeline.quality.notes import circling

CIRCLES = 0.5


def coherence(found: Sequence[Worth]) -> Part:
    """Unknown without a judge, with what can be told; 0 where there are no notes."""
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so nothing hangs together.",))
    rounds = [one.note for one in found if circling(one.note) >= CIRCLES]
    reasons = ["Unknown: whether the notes agree with one another was not judged."]
    if rounds:
        reasons.append(f"{len(rounds)} of {len(found)} notes come back to their own words, e.g. {rounds[0].quote()}.")
    return Part(value=None, reasons=(*reasons, *fault_reasons(found)), evidence=tuple(note.id for note in rounds[:3]))


def soundness(found: Sequence[Worth]) -> float:
    """What can be counted of coherence, 0 to 100: the notes' worth, less where they turn in circles."""
    return round(100 * float(np.mean([one.value * (1 - circling(one.note)) for one in found])), 2) if found else 0.0
