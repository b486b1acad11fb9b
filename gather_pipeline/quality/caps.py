"""What no note earns anything by, whoever reads it: noise, jumbled words, lists, repetition, copying, filler and foreign matter.

Each fault is a share from 0 to 1 by which a note's worth falls. The statistics multiply by that worth; over a judge's reading it stands
as a ceiling, because notes can talk a judge into much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.quality.notes import Note, Topic
from gather_pipeline.quality.statistics import OWN_FAULTS, ramp
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

    def fits(self, note: Note) -> Vectors:
        """How surely the note addresses each aspect, 0 to 1, by its nearness against that of the brief's own sentences."""
        beyond: Vectors = np.clip((self.aspects @ note.vector - self.base - FIT_LOW) / (FIT_HIGH - FIT_LOW), 0.0, 1.0)
        return beyond


def repetition(note: Note, ground: Ground) -> float:
    """Said by an earlier note, in the same or other words."""
    return ramp(note.nearest, 0.75, 0.92)


def copying(note: Note, ground: Ground) -> float:
    """Taken word for word from the brief."""
    return note.analysis.copied


def filler(note: Note, ground: Ground) -> float:
    """Says what fits every film, by nearness to general sentences; exact notes are let off."""
    near = ramp(float((ground.general @ note.vector).max()), 0.24, 0.42)
    return near * (1 - note.detail**4)


def foreign(note: Note, ground: Ground) -> float:
    """About another matter: it addresses no aspect of the department."""
    return 1 - float(ground.fits(note).max()) if len(ground.aspects) else 0.0


FOREIGN = "About another matter than the department's aspects"
FAULTS: Mapping[str, Callable[[Note, Ground], float]] = {
    "Said by an earlier note": repetition,
    "Copied from the brief": copying,
    "Only general things": filler,
    FOREIGN: foreign,
}
TOLD_FROM = 0.5  # share from which a fault is told in the reasons


@dataclass(frozen=True, kw_only=True)
class Worth:
    """A note with the share of each fault, 0 to 1, and what they leave of it."""

    note: Note
    faults: Mapping[str, float]

    @cached_property
    def value(self) -> float:
        """What counts of the note, 0 to 1."""
        return float(np.prod([1 - fault for fault in self.faults.values()]))


def worth_of(notes: Sequence[Note], ground: Ground) -> list[Worth]:
    """Each note with its faults."""
    return [
        Worth(
            note=note,
            faults={
                **dict(zip(OWN_FAULTS, note.analysis.faults, strict=True)),
                **{name: fault(note, ground) for name, fault in FAULTS.items()},
            },
        )
        for note in notes
    ]


def fault_reasons(found: Sequence[Worth]) -> tuple[str, ...]:
    """One sentence a fault, with an example."""
    told = []
    for name in (*OWN_FAULTS, *FAULTS):
        bad = [one.note for one in found if one.faults[name] >= TOLD_FROM]
        if bad:
            told.append(f"{name}: {len(bad)} of {len(found)} notes, e.g. {bad[0].quote()}.")
    return tuple(told)


def ceiling(found: Sequence[Worth]) -> float:
    """The most that a judge's part can be, 0 to 100: 100 from a mean worth of `CEILING_FROM`, `LEAST_CEILING` where nothing counts."""
    mean = float(np.mean([one.value for one in found])) if found else 0.0
    return LEAST_CEILING + (100 - LEAST_CEILING) * ramp(mean, 0.0, CEILING_FROM)
