"""Depth: how much a department's notes tell, counted in rare words, names and numbers (S001-QUAL-03).

The count follows people: its rank correlation with their ratings of specificity is 0.72 to 0.79 on three public sets
(docs/decisions/0006-quality.md). Being long is no merit of its own; saying new and definite things is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.gather.score_notes import FILLER_STEMS, Note, faults, once, saturate
from gather_pipeline.gather.text_statistics import information, split_words

DETAIL_HALF, DETAIL_POWER = 24.0, 2.2  # information of a note at 50: some 30 words of concrete prose
BREADTH_HALF, BREADTH_POWER = 60.0, 1.3  # distinct information of all notes together at 50
NOTE_SHARE = 0.7  # weight of the single notes against what they tell together
EMPTY_MASS = 4.0  # a note with less information than this says nothing definite


def depth(notes: Sequence[Note]) -> Part:
    """Level of detail (S001-QUAL-03): what each note tells that is rare, named or counted, and what all tell together."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is no detail.",))
    details = [detail(note) for note in notes]
    told: dict[str, float] = {}
    for note in notes:
        for root, worth in note.text.content.items():
            if root not in FILLER_STEMS:
                told[root] = max(told.get(root, 0.0), worth * note.worth)
    together = saturate(sum(told.values()), BREADTH_HALF, BREADTH_POWER)
    value = 100 * (NOTE_SHARE * float(np.mean(details)) + (1 - NOTE_SHARE) * together)
    order = sorted(range(len(notes)), key=lambda place: -details[place])
    words = sum(len(note.text.words) for note in notes) / len(notes)
    names = len({name for note in notes for name in note.text.names})
    numbers = len({number for note in notes for number in note.text.numbers})
    reasons = [
        f"A note has {words:.0f} words on average; all together use {len(told)} different telling words, {names} names and "
        f"{numbers} numbers."
    ]
    best = notes[order[0]]
    if details[order[0]] > 0.3:
        plain = {word for name in best.text.names for word in split_words(name.casefold())}
        rare = sorted(
            (word for word, root in zip(best.text.words, best.text.stems, strict=True) if root not in FILLER_STEMS | plain),
            key=lambda word: -information(word, best.text.language),
        )
        shown = list(dict.fromkeys(word for word in rare if word not in plain))[:4]
        reasons.append(f"The most detailed note is {best.quote()}, with words such as {', '.join(shown)}.")
    empty = [note for note in notes if note.mass < EMPTY_MASS and note.general <= 0.5 and note.text.readable]
    if empty:
        reasons.append(f"Nothing definite: {len(empty)} of {len(notes)} notes, e.g. {empty[0].quote()}.")
    evidence = dict.fromkeys([notes[place].id for place in order[:3] if details[place] > 0.3] + [note.id for note in empty[:3]])
    return Part(value=round(value, 2), reasons=(*reasons, *faults(notes)), evidence=tuple(evidence))


@once
def detail(note: Note) -> float:
    """Detail of one note, 0 to 1."""
    return note.worth * saturate(note.mass, DETAIL_HALF, DETAIL_POWER)
