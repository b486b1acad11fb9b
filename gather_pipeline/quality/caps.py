"""What no note earns anything by, whoever reads it: noise, jumbled words, lists, repetition, copying, filler and foreign matter.

Each fault is a share from 0 to 1 by which a note's worth falls. The statistics multiply by that worth; over a judge's reading it stands
as a ceiling, because notes can talk a judge into much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import zip_longest

import numpy as np

from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.quality.notes import READ_TEXTS, Note, Topic, circling, ramp
from gather_pipeline.text.language import language_of
from gather_pipeline.text.sentences import sentences
from gather_pipeline.text.words import FUNCTION, frequency, raw_words, tokens

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
SENTENCE_ENDS = frozenset(".!?")
DETERMINERS = frozenset("a an the my your our their every its".split())
AFTER_DETERMINERS = frozenset("other own same one more most less least few many very only too quite again".split())
SHORT_NOTE = 6  # words: "The lamp goes out at midnight" can be a note, fewer words hardly
COPY_RUN = 6  # words: shorter runs are shared by chance between a brief and a note about it
BASE_SENTENCES = 4  # of the brief: as many as speak of one matter, out of some twenty
NO_BRIEF_BASE, LEAST_BASE, MOST_BASE = 0.25, 0.18, 0.5
FIT_LOW, FIT_HIGH = -0.12, 0.08  # around the base: notes of other departments lie half way, another subject below
CIRCLES_COST = 0.3
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

    @cached_property
    def runs(self) -> frozenset[tuple[str, ...]]:
        """Runs of `COPY_RUN` words of the brief."""
        return frozenset(_runs(self.topic.brief))

    def fits(self, note: Note) -> Vectors:
        """How surely the note addresses each aspect, 0 to 1, by its nearness against that of the brief's own sentences."""
        beyond: Vectors = np.clip((self.aspects @ note.vector - self.base - FIT_LOW) / (FIT_HIGH - FIT_LOW), 0.0, 1.0)
        return beyond


def unread(text: str) -> float:
    """In another language than English, which neither the embedding model nor the measures read."""
    return float(language_of(text) != "en")


def noise(text: str) -> float:
    """No words, or hardly any."""
    words = [token for token in tokens(text) if token.kind != "stop"]
    if not words:
        return 1.0
    real = sum(token.kind == "number" or token.name or max(frequency(token.text), frequency(token.lemma)) > 1.0 for token in words)
    variety = len({token.text for token in words}) / len(words)
    return 1 - ramp(real / len(words), 0.4, 0.75) * ramp(variety, 0.1, 0.3) * ramp(len(words), 0, SHORT_NOTE)


def jumble(text: str) -> float:
    """Words without grammar: a list of keywords, or a sentence whose words were shuffled.

    Shuffling puts "the" before "of", where English puts a word that carries content after a determiner in all but few cases; and small
    letters after full stops, in texts that know capitals.
    """
    found = tokens(text)
    words = [token for token in found if token.kind != "stop"]
    if not words:
        return 0.0
    function = sum(token.text in FUNCTION for token in words) / len(words)
    stops = sum(token.kind != "word" for token in found) / len(words)
    listed = 1 - ramp(function + 0.5 * stops, 0.0, 0.15)  # telegraphic notes have stops and numbers instead
    seen = wrong = 0
    capitals = any(token.start and token.capital for token in found)
    for token, after in zip_longest(found, found[1:]):
        if token.kind == "stop" and token.text in SENTENCE_ENDS and after is not None and after.kind == "word" and capitals:
            seen += 1
            wrong += not after.capital
        if token.text in DETERMINERS and not (token.start and token.capital and len(token.text) == 1):
            seen += 1
            wrong += after is None or after.kind == "stop" or (after.text in FUNCTION and after.text not in AFTER_DETERMINERS)
    shuffled = ramp((wrong - 0.5) / seen, 0.15, 0.4) if wrong else 0.0
    return max(0.8 * listed, 0.9 * shuffled)


def circles(text: str) -> float:
    """Comes back to its own last words, as prose does that drifts."""
    return CIRCLES_COST * circling(text)


def repetition(note: Note, ground: Ground) -> float:
    """Said by an earlier note, in the same or other words."""
    return ramp(note.nearest, 0.75, 0.92)


def copying(note: Note, ground: Ground) -> float:
    """Taken word for word from the brief, in runs of `COPY_RUN` words."""
    runs = _runs(note.text)
    covered = {start + place for start, run in enumerate(runs) if run in ground.runs for place in range(COPY_RUN)}
    return len(covered) / (len(runs) + COPY_RUN - 1)


def filler(note: Note, ground: Ground) -> float:
    """Says what fits every film, by nearness to general sentences; exact notes are let off."""
    near = ramp(float((ground.general @ note.vector).max()), 0.24, 0.42)
    return near * (1 - note.detail**4)


def foreign(note: Note, ground: Ground) -> float:
    """About another matter: it addresses no aspect of the department."""
    return 1 - float(ground.fits(note).max()) if len(ground.aspects) else 0.0


FOREIGN = "About another matter than the department's aspects"
OWN_FAULTS: Mapping[str, Callable[[str], float]] = {  # of a text by itself
    "Not read, because only English is": unread,
    "Not readable as words": noise,
    "A list of words, or jumbled": jumble,
    "Turns in circles": circles,
}
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
        Worth(note=note, faults={**own_faults(note.text), **{name: fault(note, ground) for name, fault in FAULTS.items()}})
        for note in notes
    ]


@lru_cache(maxsize=READ_TEXTS)
def own_faults(text: str) -> Mapping[str, float]:
    """The share of each fault that a text has by itself."""
    return {name: fault(text) for name, fault in OWN_FAULTS.items()}


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


@lru_cache(maxsize=READ_TEXTS)
def _runs(text: str) -> tuple[tuple[str, ...], ...]:
    words = raw_words(text)
    return tuple(tuple(words[start : start + COPY_RUN]) for start in range(len(words) - COPY_RUN + 1))
