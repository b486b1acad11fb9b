"""The four parts of a score as far as they can be counted, each 0 to 100 with reasons and evidence (S001-QUAL-02 to 04, 08, C30)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.errors import listed
from gather_pipeline.quality.caps import Ground, Worth, fault_reasons
from gather_pipeline.quality.statistics import Numbers, ramps

SECOND_SHARE = 0.5  # of what the best note leaves open, by the next best: two notes say more than one, ten not ten times as much
NOTE_ASPECTS, BESIDES = 2, 0.4  # a note is about one aspect or two, and touches others
FULL_DETAIL = 0.75  # detail of a note from which its aspect is covered as well as one note can
COVERED = 50.0
SHARPNESS = 2.5  # of fit: a note that lies half way to an aspect is mostly about another department's
DETAILED = 0.6
CIRCLES = 0.5
DIRECTED_SHARE = 0.4  # of a note's usability; the rest is exactness, without which a duty is an intention


def coverage(found: Worth, ground: Ground) -> tuple[Part, tuple[str, ...]]:
    """Which aspects the notes address, and with how much that the aspect's own words do not say; and the aspects, least covered first.

    A note that only names its aspect covers nothing: credit is nearness to the aspect times what is told besides.
    """
    aspects = ground.topic.aspects
    if not len(found):
        return Part(value=0.0, reasons=("There are no notes, so no aspect is covered.",)), aspects
    if not aspects:
        return Part(value=None, reasons=("Unknown: nothing says what the notes should cover.",)), ()
    fits, substance = found.fits, found.own * ramps(found.notes.detail, 0.0, FULL_DETAIL)  # foreign matter is in the fit, not charged twice
    own = fits**SHARPNESS * np.where((-fits).argsort(axis=1).argsort(axis=1) < NOTE_ASPECTS, 1.0, BESIDES) * substance[:, None]
    credit = np.sort(own, axis=0)[::-1]
    each = credit[0] if len(credit) == 1 else credit[0] + SECOND_SHARE * credit[1] * (1 - credit[0])
    best = own.argmax(axis=0)
    order = sorted(range(len(aspects)), key=lambda place: float(each[place]))
    covered = [place for place in order if 100 * each[place] >= COVERED]
    missing = [f"'{aspects[place]}' ({100 * each[place]:.0f})" for place in order if 100 * each[place] < COVERED]
    reasons = [f"{len(covered)} of {len(aspects)} aspects are covered beyond their own words."]
    if missing:
        reasons.append(f"Least covered, of 100: {listed(missing, 5)}.")
    evidence = tuple(dict.fromkeys(found.notes.ids[int(best[place])] for place in reversed(covered)))
    part = Part(value=_scaled(each), reasons=(*reasons, *fault_reasons(found)), evidence=evidence)
    return part, tuple(aspects[place] for place in order)


def depth(found: Worth) -> Part:
    """How much the notes tell that neither the brief nor the aspects nor another note had said: their mean detail, by worth.

    The count of distinct telling words beyond what was known, rarer ones for more, is what people's ratings of specificity, interest
    and informativeness follow most steadily, set after set.
    """
    if not len(found):
        return Part(value=0.0, reasons=("There are no notes, so there is no detail.",))
    values = found.value * found.notes.detail
    rich = sorted(np.flatnonzero(values >= DETAILED).tolist(), key=lambda place: -found.notes.detail[place])
    reasons = [f"{len(rich)} of {len(found)} notes bring much that was not said before."]
    if len(rich) < len(found):
        reasons.append(f"The least is in {found.notes.quote(int(values.argmin()))}.")
    return Part(value=_scaled(values), reasons=(*reasons, *fault_reasons(found)), evidence=_ids(found, rich))


def coherence(found: Worth) -> Part:
    """Unknown without a judge, with what can be told; 0 where there are no notes.

    Drifting prose comes back to its own last words ("the pipe holds the page and the page holds the pipe"). As a part of the score that
    was worth less than nothing on arguments and essays that people rated, so it is a fault of a note.
    """
    if not len(found):
        return Part(value=0.0, reasons=("There are no notes, so nothing hangs together.",))
    rounds = [place for place, analysis in enumerate(found.notes.analyses) if analysis.circling >= CIRCLES]
    reasons = ["Unknown: whether the notes agree with one another was not judged."]
    if rounds:
        reasons.append(f"{len(rounds)} of {len(found)} notes come back to their own words, e.g. {found.notes.quote(rounds[0])}.")
    return Part(value=None, reasons=(*reasons, *fault_reasons(found)), evidence=_ids(found, rounds))


def soundness(found: Worth) -> float:
    """What can be counted of coherence, 0 to 100: the notes' worth, less where they turn in circles."""
    straight = np.array([1 - analysis.circling for analysis in found.notes.analyses])
    return _scaled(found.value * straight) if len(found) else 0.0


def actionability(found: Worth) -> Part:
    """Whether the notes say what to do or show, exactly enough to begin: their mean usability, by worth."""
    if not len(found):
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to act on.",))
    directs = np.array([analysis.directs for analysis in found.notes.analyses])
    directed = np.flatnonzero(directs).tolist()
    values = found.value * found.notes.detail * (1 - DIRECTED_SHARE * ~directs)
    reason = f"{len(directed)} of {len(found)} notes say what to do or how to stage it."
    return Part(value=_scaled(values), reasons=(reason, *fault_reasons(found)), evidence=_ids(found, directed))


def _scaled(shares: Numbers) -> float:
    return round(100 * float(shares.mean()), 2)


def _ids(found: Worth, places: Sequence[int]) -> tuple[str, ...]:
    return tuple(found.notes.ids[place] for place in places[:3])
