"""Coherence, as far as it can be counted: sound sentences that do not turn in circles (S001-QUAL-04).

Whether notes agree is for a judge. What holds up without one is that drifting prose comes back to its own last words ("the pipe holds the
page and the page holds the pipe"); nearness of neighbouring sentences, the textbook measure, told nothing on rated texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.quality.caps import Worth, fault_reasons
from gather_pipeline.quality.notes import Note, ramp

ECHO_WINDOW = 12  # telling words: about two sentences
ECHO_LOW, ECHO_HIGH = 0.03, 0.25  # careful notes lie at 0.0 to 0.06, drifting prose at 0.1 to 0.3
CALM = 0.5


def coherence(found: Sequence[Worth]) -> Part:
    """The mean of the notes' worth, less where a note echoes itself."""
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so nothing hangs together.",))
    calm = [1 - ramp(echo(one.note), ECHO_LOW, ECHO_HIGH) for one in found]
    circling = [one.note for one, share in zip(found, calm, strict=True) if share < CALM]
    reasons = ["Whether the notes agree with one another was not judged; counted are sound sentences that do not go round in circles."]
    if circling:
        reasons.append(f"{len(circling)} of {len(found)} notes come back to their own words, e.g. {circling[0].quote()}.")
    value = round(100 * float(np.mean([one.value * share for one, share in zip(found, calm, strict=True)])), 2)
    return Part(value=value, reasons=(*reasons, *fault_reasons(found)), evidence=tuple(note.id for note in circling[:3]))


def echo(note: Note) -> float:
    """Share of telling words that stood among the `ECHO_WINDOW` before them."""
    words = [token.lemma for token in note.words if token.telling]
    again = sum(word in words[max(0, place - ECHO_WINDOW) : place] for place, word in enumerate(words))
    return again / len(words) if words else 0.0
