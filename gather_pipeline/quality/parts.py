"""The four parts of a score as far as they can be counted, each 0 to 100 with reasons and evidence (S001-QUAL-02 to 04, 08, C30)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.errors import listed
from gather_pipeline.ports import Vectors
from gather_pipeline.quality.caps import FOREIGN, Ground, Worth, fault_reasons
from gather_pipeline.quality.statistics import ramp

SECOND_SHARE = 0.5  # of what the best note leaves open, by the next best: two notes say more than one, ten not ten times as much
NOTE_ASPECTS, BESIDES = 2, 0.4  # a note is about one aspect or two, and touches others
FULL_DETAIL = 0.75  # detail of a note from which its aspect is covered as well as one note can
COVERED = 50.0
SHARPNESS = 2.5  # of fit: a note that lies half way to an aspect is mostly about another department's
DETAILED = 0.6
CIRCLES = 0.5
DIRECTED_SHARE = 0.4  # of a note's usability; the rest is exactness, without which a duty is an intention


def coverage(found: Sequence[Worth], ground: Ground) -> tuple[Part, tuple[str, ...]]:
    """Which aspects the notes address, and with how much that the aspect's own words do not say; and the aspects, least covered first.

    A note that only names its aspect covers nothing: credit is nearness to the aspect times what is told besides.
    """
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
        reasons.append(f"Least covered, of 100: {listed(missing, 5)}.")
    evidence = tuple(dict.fromkeys(found[int(best[place])].note.id for place in reversed(covered)))
    part = Part(value=_scaled(each), reasons=(*reasons, *fault_reasons(found)), evidence=evidence)
    return part, tuple(aspects[place] for place in order)


def depth(found: Sequence[Worth]) -> Part:
    """How much the notes tell that neither the brief nor the aspects nor another note had said: their mean detail, by worth.

    The count of distinct telling words beyond what was known, rarer ones for more, is what people's ratings of specificity, interest
    and informativeness follow most steadily, set after set.
    """
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so there is no detail.",))
    values = [one.value * one.note.detail for one in found]
    rich = sorted((one for one in found if one.value * one.note.detail >= DETAILED), key=lambda one: -one.note.detail)
    reasons = [f"{len(rich)} of {len(found)} notes bring much that was not said before."]
    if len(rich) < len(found):
        reasons.append(f"The least is in {found[int(np.argmin(values))].note.quote()}.")
    return Part(value=_scaled(values), reasons=(*reasons, *fault_reasons(found)), evidence=tuple(one.note.id for one in rich[:3]))


def coherence(found: Sequence[Worth]) -> Part:
    """Unknown without a judge, with what can be told; 0 where there are no notes.

    Drifting prose comes back to its own last words ("the pipe holds the page and the page holds the pipe"). As a part of the score that
    was worth less than nothing on arguments and essays that people rated, so it is a fault of a note.
    """
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so nothing hangs together.",))
    rounds = [one.note for one in found if one.note.analysis.circling >= CIRCLES]
    reasons = ["Unknown: whether the notes agree with one another was not judged."]
    if rounds:
        reasons.append(f"{len(rounds)} of {len(found)} notes come back to their own words, e.g. {rounds[0].quote()}.")
    return Part(value=None, reasons=(*reasons, *fault_reasons(found)), evidence=tuple(note.id for note in rounds[:3]))


def soundness(found: Sequence[Worth]) -> float:
    """What can be counted of coherence, 0 to 100: the notes' worth, less where they turn in circles."""
    return _scaled([one.value * (1 - one.note.analysis.circling) for one in found]) if found else 0.0


def actionability(found: Sequence[Worth]) -> Part:
    """Whether the notes say what to do or show, exactly enough to begin: their mean usability, by worth."""
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to act on.",))
    directed = [one.note for one in found if one.note.analysis.directs]
    values = [one.value * one.note.detail * (1 - DIRECTED_SHARE * (not one.note.analysis.directs)) for one in found]
    reason = f"{len(directed)} of {len(found)} notes say what to do or how to stage it."
    return Part(value=_scaled(values), reasons=(reason, *fault_reasons(found)), evidence=tuple(note.id for note in directed[:3]))


def _scaled(shares: Sequence[float] | Vectors) -> float:
    return round(100 * float(np.mean(shares)), 2)


def _substance(one: Worth) -> float:
    own = float(np.prod([1 - share for name, share in one.faults.items() if name != FOREIGN]))
    return own * ramp(one.note.detail, 0.0, FULL_DETAIL)
