"""Depth: how much the notes tell that neither the brief nor the aspects nor another note had said (S001-QUAL-03).

The count of distinct telling words beyond what was known, rarer ones for more, is what people's ratings of specificity, interest and
informativeness follow most steadily, set after set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.quality.caps import Worth, fault_reasons

DETAILED = 0.6


def depth(found: Sequence[Worth]) -> Part:
    """The mean detail of the notes, each by what it is worth."""
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so there is no detail.",))
    values = [one.value * one.note.detail for one in found]
    rich = sorted((one for one in found if one.value * one.note.detail >= DETAILED), key=lambda one: -one.note.detail)
    poor = min(zip(values, found, strict=True), key=lambda pair: pair[0])[1]
    reasons = [f"{len(rich)} of {len(found)} notes bring much that was not said before."]
    if len(rich) < len(found):
        reasons.append(f"The least is in {poor.note.quote()}.")
    evidence = tuple(one.note.id for one in rich[:3])
    return Part(value=round(100 * float(np.mean(values)), 2), reasons=(*reasons, *fault_reasons(found)), evidence=evidence)
