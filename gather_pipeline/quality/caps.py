"""What no note earns anything by, whoever reads it: noise, jumbled words, lists, repetition, copying, filler and foreign matter.

Each fault is a share from 0 to 1 by which a note's worth falls. The statistics multiply by that worth; over a judge's reading it stands
as a ceiling, because notes can talk a judge into much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.quality.notes import Notes, Topic
from gather_pipeline.quality.statistics import OWN_FAULTS, Numbers, ramp, ramps
from gather_pipeline.text.sentences import sentences

# What anybody may say of any film. Filler of any wording lies at cosine 0.25 to 0.7 to the nearest, careful notes below 0.25.
GENERAL_SENTENCES = (
    "This is very important for the story and should be done well.",
    "Every scene should engage the audience and move the story forward.",
    "It is essential to create compelling characters and a strong emotional connection with the viewer.",
    "The film should be memorable, meaningful and visually stunning.",
    "We need to make sure that everything is good and interesting.",
    "A well-crafted element enhances the overall experience and leaves a lasting impression.",
    "Good planning and communication help the whole team to work safely and smoothly.",
)
BASE_SENTENCES = 4  # of the brief: as many as speak of one matter, out of some twenty
NO_BRIEF_BASE, LEAST_BASE, MOST_BASE = 0.25, 0.18, 0.5
FIT_LOW, FIT_HIGH = -0.12, 0.08  # around the base: notes of other departments lie half way, another subject below
CEILING_FROM = 0.5  # mean worth of a department's notes from which a judge is not capped
LEAST_CEILING = 20.0


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What faults are measured against, embedded once.

    Attributes:
        aspects: Embeddings of the aspects, row by row; no rows where nothing says what the notes are for.
        base: Mean cosine of each aspect to the sentences of the brief that touch it most; an aspect with names lies near to all of them.
    """

    topic: Topic
    aspects: Vectors
    base: Vectors
    general: Vectors

    @classmethod
    def of(cls, topic: Topic, embedder: Embedder) -> Ground:
        """The ground of a topic; one call of the embedder."""
        said = sentences(topic.brief)
        rows = embedder.embed([*topic.aspects, *GENERAL_SENTENCES, *said])
        first, second = len(topic.aspects), len(topic.aspects) + len(GENERAL_SENTENCES)
        aspects, general, brief = rows[:first], rows[first:second], rows[second:]
        touching = max(1, min(BASE_SENTENCES, len(said) // 3))
        near = np.sort(aspects @ brief.T, axis=1)[:, -touching:] if len(said) else np.full((first, 1), NO_BRIEF_BASE)
        base = np.clip(near.mean(axis=1), LEAST_BASE, MOST_BASE).astype(np.float32)
        return cls(topic=topic, aspects=aspects, base=base, general=general)

    def fits(self, vectors: Vectors) -> Numbers:
        """How surely each note addresses each aspect, 0 to 1, by its nearness against that of the brief's own sentences; a row a note."""
        return ramps(vectors @ self.aspects.T - self.base, FIT_LOW, FIT_HIGH)


FOREIGN = "About another matter than the department's aspects"
TOLD_FROM = 0.5  # share from which a fault is told in the reasons


@dataclass(frozen=True, kw_only=True)
class Worth:
    """A department's notes with what takes from their worth; every array has one row a note.

    Attributes:
        fits: How surely it addresses each aspect, shape (n, aspects).
        faults: Its share of each fault, 0 to 1, by name of the fault.
    """

    notes: Notes
    fits: Numbers
    faults: Mapping[str, Numbers]

    def __len__(self) -> int:
        return len(self.notes)

    @cached_property
    def own(self) -> Numbers:
        """What counts of each note whatever it is about, 0 to 1."""
        left: Numbers = np.prod([1 - shares for name, shares in self.faults.items() if name != FOREIGN], axis=0)
        return left

    @cached_property
    def value(self) -> Numbers:
        """What counts of each note, 0 to 1."""
        return self.own * (1 - self.faults[FOREIGN])


def worth_of(notes: Notes, ground: Ground) -> Worth:
    """The notes with their faults.

    Four come with a note's analysis. A note repeats an earlier one by its cosine; is general by its nearness to general sentences, from
    which exact notes are let off; is copied by the share that it has word for word from the brief; is foreign where it addresses no aspect.
    """
    if not len(notes):
        return Worth(notes=notes, fits=np.empty((0, len(ground.aspects))), faults={FOREIGN: np.empty(0)})
    fits = ground.fits(notes.vectors)
    general = (notes.vectors @ ground.general.T).max(axis=1)
    of_text = np.array([analysis.faults for analysis in notes.analyses]).T
    faults = {
        **dict(zip(OWN_FAULTS, of_text, strict=True)),
        "Said by an earlier note": ramps(notes.nearest, 0.75, 0.92),
        "Copied from the brief": np.array([analysis.copied for analysis in notes.analyses]),
        "Only general things": ramps(general, 0.24, 0.42) * (1 - notes.detail**4),
        FOREIGN: 1 - fits.max(axis=1) if len(ground.aspects) else np.zeros(len(notes)),
    }
    return Worth(notes=notes, fits=fits, faults=faults)


def fault_reasons(found: Worth) -> tuple[str, ...]:
    """One sentence a fault, with an example."""
    told = []
    for name, shares in found.faults.items():
        bad = np.flatnonzero(shares >= TOLD_FROM)
        if len(bad):
            told.append(f"{name}: {len(bad)} of {len(found)} notes, e.g. {found.notes.quote(int(bad[0]))}.")
    return tuple(told)


def ceiling(found: Worth) -> float:
    """The most that a judge's part can be, 0 to 100: 100 from a mean worth of `CEILING_FROM`, `LEAST_CEILING` where nothing counts."""
    mean = float(found.value.mean()) if len(found) else 0.0
    return LEAST_CEILING + (100 - LEAST_CEILING) * ramp(mean, 0.0, CEILING_FROM)
