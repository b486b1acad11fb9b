"""Coherence: how well each note reads, and whether the notes belong together (S001-QUAL-04).

Which measures of a text count was chosen against public ratings of coherence by people (docs/decisions/0006-quality.md).
Contradictions are out of reach without a judge: a fluent text that denies itself scores too high here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gather_pipeline.domain.quality import Part
from gather_pipeline.gather.score_notes import FILLER_STEMS, SHORT_NOTE, Note, faults, once, ramp, rise, saturate
from gather_pipeline.gather.text_statistics import Text, runs, stem

# Exponents, so that one bad measure pulls a note down. Repetition and choppy sentences weigh most because they told most about
# people's ratings of coherence; word order weighs as much because nothing else sees a shuffled sentence.
FLOW_WEIGHTS = {"order": 0.45, "sound": 0.2, "linked": 0.25, "fresh": 0.2, "economy": 0.5, "form": 0.25, "substance": 0.15, "dense": 0.2}
ECONOMY_WINDOW = 30  # telling words back: a word said again after that is no repetition
DENSITY_HALF = 0.45  # information a word at which half of a text is padding; plain prose has 0.6 to 1.0
SUBSTANCE_HALF = 10.0  # information at which a note is half long enough to show any flow
LINK_COSINE, LINK_WIDTH = 0.2, 0.05  # unrelated sentences lie at 0.0 to 0.15, neighbours in good prose at 0.25 to 0.6
SAME_SUBJECT_COSINE, SAME_SUBJECT_WIDTH = 0.27, 0.06  # of a note to the mean of the others
LINKED_ENOUGH = 0.5  # more links than this did not raise people's ratings; far fewer mean a heap of sentences
LOOK_BACK = 40  # sentences; keeps the work of a very long note linear
ALONE = 0.9  # connection of a sentence that has no other to connect with
CONTEXT_SHARE = 0.35  # weight of "notes stay with one subject" against the flow of each
REFERRING = re.compile(
    r"(he|she|it|they|this|that|these|those|his|her|its|their|there|then|but|and|so|yet|still|however|because|after|when|while|"
    r"as|until|before|instead|only|both|neither|each|inside|outside|meanwhile|later|now|once|by)\b",
    re.IGNORECASE,
)


def coherence(notes: Sequence[Note]) -> Part:
    """Consistency and logical flow (S001-QUAL-04): within each note, and between the notes."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to hang together.",))
    flows = [flow(note) for note in notes]
    reasons = [f"{sum(value >= 0.6 for value in flows)} of {len(notes)} notes read as connected, well-formed text."]
    worst = min(range(len(notes)), key=lambda place: flows[place])
    if flows[worst] < 0.4:
        reasons.append(f"The least connected note is {notes[worst].quote()}: {_why(notes[worst])}.")
    value = float(np.mean(flows))
    evidence = [notes[worst].id] if flows[worst] < 0.4 else []
    if len(notes) > 1:
        nearness = _to_the_others(notes)
        together = np.array([rise(float(one), SAME_SUBJECT_COSINE, SAME_SUBJECT_WIDTH) for one in nearness])
        value = value ** (1 - CONTEXT_SHARE) * float(together.mean()) ** CONTEXT_SHARE * _variety(notes)
        strangers = [note for note, one in zip(notes, together, strict=True) if one < 0.3]
        if strangers:
            reasons.append(f"On another subject than the rest: {len(strangers)} of {len(notes)} notes, e.g. {strangers[0].quote()}.")
            evidence += [note.id for note in strangers[:3]]
        else:
            reasons.append(f"The notes stay with one subject (mean similarity of a note to the others {float(nearness.mean()):.2f}).")
    unknown = sum(note.text.language != "en" for note in notes)
    if unknown:
        reasons.append(f"The word order of {unknown} notes was not judged, because they are not in English.")
    best = max(range(len(notes)), key=lambda place: flows[place])
    if flows[best] >= 0.6:
        evidence.append(notes[best].id)
    return Part(value=round(100 * value, 2), reasons=(*reasons, *faults(notes)), evidence=tuple(dict.fromkeys(evidence)))


@once
def flow(note: Note) -> float:
    """How well one note reads as connected text, 0 to 1."""
    if not note.text.words or not note.text.readable:
        return 0.0
    found = 1.0
    for name, measure in measures_of_flow(note).items():
        found *= max(measure, 0.01) ** FLOW_WEIGHTS[name]
    return found * ramp(len(note.text.words), 0, SHORT_NOTE)


def measures_of_flow(note: Note) -> dict[str, float]:
    """Word order, connection and difference of sentences, economy of words, form and substance of one note, each 0 to 1."""
    texts = note.text.parts
    likeness = note.sentence_vectors @ note.sentence_vectors.T
    linked, alike = [], [0.0]
    for place in range(1, len(texts)):
        window = range(max(0, place - LOOK_BACK), place)
        before = likeness[place, window.start : place]
        shared = any(texts[place].content.keys() & texts[earlier].content.keys() - FILLER_STEMS for earlier in window)
        refers = REFERRING.match(texts[place].raw) is not None
        linked.append(max(rise(float(before.max()), LINK_COSINE, LINK_WIDTH), 0.85 * shared, 0.75 * refers))
        alike.append(max(_overlap(texts[place], texts[earlier], float(likeness[place, earlier])) for earlier in window))
    length = len(note.text.words) / max(1, len(texts))
    finished = 1.0 if note.text.raw.rstrip()[-1:] in ".!?\"'\u2019\u201d\u2026)\u3002\uff01\uff1f" else 0.75
    measured = 0.6 if note.order is None and note.text.language == "en" else note.order
    return {
        "order": 1.0 if measured is None else measured,
        "linked": min(1.0, float(np.mean(linked)) / LINKED_ENOUGH) if linked else ALONE,
        "fresh": 1 - max(alike),
        "economy": _economy(note.text),
        "form": finished * (0.2 + 0.8 * ramp(length, 2, 22)) * (1 - 0.7 * ramp(length, 45, 90)),
        "substance": saturate(note.mass, SUBSTANCE_HALF),
        "dense": saturate(note.mass / len(note.text.words), DENSITY_HALF, 2.0),
        "sound": note.soundness,
    }


def _economy(text: Text) -> float:
    """1 where no telling word and no pair of words is said again soon; names may be."""
    names = {stem(name.casefold(), text.language) for name in text.names}
    telling = [root for root in text.stems if root in text.content and root not in names]
    again = sum(root in telling[max(0, place - ECONOMY_WINDOW) : place] for place, root in enumerate(telling))
    pairs = runs(text.stems, 2)
    words = 1 - ramp(again / len(telling), 0.0, 0.7) if telling else 1.0
    return words * (1 - ramp(1 - len(set(pairs)) / len(pairs), 0.0, 0.4))


def _overlap(left: Text, right: Text, cosine: float) -> float:
    smaller = min(len(left.content), len(right.content))
    shared = len(set(left.content) & set(right.content)) / smaller if smaller >= 2 else 0.0
    return max(ramp(shared, 0.45, 1.0), ramp(cosine, 0.75, 0.98))


def _to_the_others(notes: Sequence[Note]) -> NDArray[np.float32]:
    """Cosine of each note to the mean direction of the others."""
    rows = np.stack([note.vector for note in notes])
    others = rows.sum(axis=0) - rows
    lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-6)
    near: NDArray[np.float32] = (rows * others).sum(axis=1) / lengths
    return near


def _variety(notes: Sequence[Note]) -> float:
    """1 where every note says something of its own, near 0 where they repeat one."""
    return 0.15 + 0.85 * float(np.mean([note.novelty for note in notes]))


def _why(note: Note) -> str:
    if not note.text.readable:
        return "its words are in no word list"
    if len(note.text.words) < SHORT_NOTE - 1:
        return "it is hardly a sentence"
    name = min(measured := measures_of_flow(note), key=lambda key: measured[key])
    return {
        "order": "its words stand in an order that English does not use",
        "linked": "its sentences have nothing to do with each other",
        "fresh": "it says the same thing again",
        "economy": "it uses the same words again and again",
        "substance": "it says too little to connect anything",
        "dense": "it is mostly words that tell nothing",
        "sound": "it is a list of words more than a text",
        "form": "its sentences are too short, endless or unfinished",
    }[name]
