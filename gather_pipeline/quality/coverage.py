"""Coverage: which aspects the notes address, and with how much that the aspect's own words do not say (S001-QUAL-02).

A note that only names its aspect covers nothing: credit is nearness to the aspect times what is told besides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.quality.caps import FOREIGN, Ground, Worth, fault_reasons
from gather_pipeline.quality.notes import ramp

SECOND_SHARE = 0.5  # of what the best note leaves open, by the next best: two notes say more than one, ten not ten times as much
NOTE_ASPECTS, BESIDES = 2, 0.4  # a note is about one aspect or two, and touches others
FULL_DETAIL = 0.75  # detail of a note from which its aspect is covered as well as one note can
COVERED = 50.0
SHARPNESS = 2.5  # of fit: a note that lies half way to an aspect is mostly about another department's


def coverage(found: Sequence[Worth], ground: Ground) -> tuple[Part, tuple[str, ...]]:
    """The part, and the aspects from least to best covered."""
    aspects = ground.topic.aspects
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so no aspect is covered.",)), aspects
    if not aspects:
        return Part(value=None, reasons=("Unknown: nothing says what the notes should cover.",)), ()
    fits = np.stack([ground.fits(one.note) for one in found])  # foreign matter is in the fit, so that the fault is not charged twice
    share = np.array([_substance(one) for one in found])
    own = fits**SHARPNESS * np.where((-fits).argsort(axis=1).argsort(axis=1) < NOTE_ASPECTS, 1.0, BESIDES)
    credit = np.sort(own * share[:, None], axis=0)[::-1]
    each = credit[0] if len(credit) == 1 else credit[0] + SECOND_SHARE * credit[1] * (1 - credit[0])
    best = (own * share[:, None]).argmax(axis=0)
    order = sorted(range(len(aspects)), key=lambda place: float(each[place]))
    covered = [place for place in order if 100 * each[place] >= COVERED]
    missing = [f"'{aspects[place]}' ({100 * each[place]:.0f})" for place in order if 100 * each[place] < COVERED]
    reasons = [f"{len(covered)} of {len(aspects)} aspects are covered beyond their own words."]
    if missing:
        reasons.append(f"Least covered, of 100: {', '.join(missing[:5])}.")
    evidence = dict.fromkeys(found[int(best[place])].note.id for place in reversed(covered))
    value = round(100 * float(np.mean(each)), 2)
    part = Part(value=value, reasons=(*reasons, *fault_reasons(found)), evidence=tuple(evidence))
    return part, tuple(aspects[place] for place in order)


def _substance(one: Worth) -> float:
    own = float(np.prod([1 - share for name, share in one.faults.items() if name != FOREIGN]))
    return own * ramp(one.note.detail, 0.0, FULL_DETAIL)
