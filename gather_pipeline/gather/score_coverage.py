"""Coverage: which aspects of a department its notes speak of, told by meaning and by shared word stems.

A sentence speaks of an aspect as far as its embedding is near the aspect's. It counts only as far as its note is worth
reading and says more than the aspect's own words, so that a list of aspect names, a copy of the brief or a recipe covers
nothing. A note that only names the aspect ("the weather cover is at the heart of Mara's room") is found by taking the
aspect's words out: what is left must still be near. One good note gives most of an aspect, further notes give the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import exp

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.quality import Part
from gather_pipeline.gather.score_notes import FILLER_STEMS, Note, faults, rise, saturate
from gather_pipeline.gather.text_statistics import Text, split_words, stem, text_of
from gather_pipeline.ports import Vectors

# Cosines of all-MiniLM-L6-v2 between an aspect and a sentence: one about it 0.3 to 0.6, one about another aspect of the
# same film 0.2 to 0.25, one about something else 0 to 0.15.
ASPECT_COSINE, ASPECT_WIDTH = 0.3, 0.05
STEM_BONUS = 0.14  # cosine that a sentence gains where it holds every word stem of the aspect
FIRST_SHARE = 0.9  # what one sentence that fully speaks of an aspect gives; the rest needs other sentences
SUBSTANCE_HALF = 4.0  # information beyond the aspect's own words at which a note is half worth counting
BODY_COSINE, BODY_WIDTH = 0.15, 0.035  # of a note without the aspect's words: 0.2 to 0.4 in notes about it, 0.0 to 0.15 in echoes
SOURCE_COSINE, SOURCE_WIDTH = 0.5, 0.15  # against the clauses of a source text, which notes may repeat nearly word for word
CENTRAL_WIDTH, LEAD_LENGTH = 0.05, 8.0  # people call a summary relevant for what is central (cosine) and early (clauses)
ECHO_SHARE = 0.5  # what naming an aspect alone leaves: an abstract one ("conflict") is not near to what it consists of
LONG_VOCABULARY = 60  # aspects of more distinct stems than this are a source text, and using its words is no stuffing
# Nearness to the project and department; a pizza recipe has 0.0 to 0.35, a note of the department 0.4 and more.
RELEVANT, RELEVANT_WIDTH = 0.36, 0.05
RELEVANT_ALONE = 0.21  # where there is no brief, on the nearness to the department alone
UNREADABLE_CREDIT = 0.6  # a distinct note in a language that the embedding model does not know: one aspect at most, at this
COVERED, THIN = 60.0, 30.0  # how the reasons call an aspect


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What a department is about, as texts to embed.

    Attributes:
        name: The department's name, without the word "department".
        aspects: What its notes should cover.
        about: Sentences about the department itself; none where it only has a name.
        brief: Sentences of the brief.
    """

    name: str
    aspects: tuple[str, ...]
    about: tuple[str, ...]
    brief: tuple[str, ...]

    @classmethod
    def of(cls, department: Department, brief: str = "") -> Topic:
        """The topic of a department in a project."""
        name = department.name.replace("Department", "").strip() or department.name
        aspects = tuple(dict.fromkeys(department.aspects))
        known = bool(department.description.strip() or department.coordinationSettings.aspects)
        return cls(
            name=name,
            aspects=aspects,
            about=(f"{name}: {department.description.strip() or ', '.join(aspects)}",) if known else (),
            brief=text_of(brief).sentences,
        )

    def query(self, aspect: str) -> str:
        """The aspect with the department's name for context, as it is embedded."""
        return aspect if aspect == self.name or self.is_source else f"{aspect}, {self.name.lower()}"

    @cached_property
    def stems(self) -> Mapping[str, frozenset[str]]:
        """Content stems of each aspect."""
        return {aspect: frozenset(text_of(aspect).content) for aspect in self.aspects}

    @cached_property
    def _all_stems(self) -> frozenset[str]:
        return frozenset().union(*self.stems.values(), text_of(self.name).content)

    @property
    def is_source(self) -> bool:
        """Whether the aspects are the clauses of a long text, which nobody expects notes to cover evenly."""
        return len(self._all_stems) > LONG_VOCABULARY

    @property
    def vocabulary(self) -> frozenset[str]:
        """Stems that say no more than the aspects do; empty where the aspects are a source text."""
        return frozenset() if self.is_source else self._all_stems

    def weights(self, embedded: Mapping[str, Vectors]) -> Vectors:
        """What each aspect counts, adding up to 1: the same, but in a source text its central and early clauses more."""
        if not self.is_source:
            return np.full(len(self.aspects), 1 / len(self.aspects), dtype=np.float32)
        rows = np.stack([embedded[aspect] for aspect in self.aspects])
        central = np.exp((rows @ rows.T).mean(axis=1) / CENTRAL_WIDTH)
        raw = central * np.exp(-np.arange(len(rows)) / LEAD_LENGTH)
        weights: Vectors = (raw / raw.sum()).astype(np.float32)
        return weights

    def bodies(self, text: Text) -> Mapping[str, str]:
        """A note without the words of an aspect, for each aspect that it names."""
        own = text.content.keys()
        named = {} if self.is_source else {aspect: stems & own for aspect, stems in self.stems.items() if stems & own}
        if not named:
            return {}
        # Each word as written, with the stems of its parts: "harbour-master's" has two.
        words = [(word, {stem(part.casefold(), text.language) for part in split_words(word)}) for word in text.raw.split()]
        found = {aspect: " ".join(word for word, stems in words if not stems & taken) for aspect, taken in named.items()}
        return {aspect: body for aspect, body in found.items() if body != text.raw}

    def texts(self) -> list[str]:
        """Everything to embed."""
        return [*self.aspects, *(self.query(aspect) for aspect in self.aspects), *self.about, *self.brief]


def with_relevance(notes: Sequence[Note], topic: Topic, embedded: Mapping[str, Vectors]) -> list[Note]:
    """Notes with their relevance to the project and department; unchanged where nothing says what those are about."""
    if not notes or not (topic.about or topic.brief):
        return list(notes)
    department = np.stack([embedded[text] for text in (*map(topic.query, topic.aspects), *topic.about)])
    brief = np.stack([embedded[text] for text in topic.brief]) if topic.brief else None
    brief_stems = set(text_of(" ".join(topic.brief)).content) - FILLER_STEMS
    found = []
    for note in notes:
        rows = np.vstack([note.vector[None, :], note.sentence_vectors])
        own = float((rows @ department.T).max())
        if note.text.language != "en":
            found.append(note)
        elif brief is None:
            found.append(replace(note, relevance=rise(own, RELEVANT_ALONE, RELEVANT_WIDTH)))
        else:
            shared = len(brief_stems & set(note.text.content))
            near = float((rows @ brief.T).max()) + 0.4 * max(0.0, own) + 0.12 * min(1.0, shared / 3)
            found.append(replace(note, relevance=rise(near, RELEVANT, RELEVANT_WIDTH)))
    return found


def support_of(note: Note, topic: Topic, embedded: Mapping[str, Vectors], bodies: Mapping[str, str]) -> Vectors:
    """How far one note speaks of each aspect, 0 to 1; `bodies` is what `Topic.bodies` says of it."""
    rows = np.vstack([note.vector[None, :], note.sentence_vectors])
    plain = rows @ np.stack([embedded[aspect] for aspect in topic.aspects]).T
    named = rows @ np.stack([embedded[topic.query(aspect)] for aspect in topic.aspects]).T
    nearness = ((plain + named) / 2).max(axis=0)
    worth = note.worth * saturate(note.mass_beyond(topic.vocabulary), SUBSTANCE_HALF)
    own = note.text.content.keys()
    middle, width = (SOURCE_COSINE, SOURCE_WIDTH) if topic.is_source else (ASPECT_COSINE, ASPECT_WIDTH)
    credits = []
    for near, aspect in zip(nearness, topic.aspects, strict=True):
        stems = topic.stems[aspect] - FILLER_STEMS
        shared = len(stems & own) / len(stems) if stems else 0.0
        body = embedded[bodies[aspect]] if aspect in bodies else embedded.get(note.text.raw, note.vector)
        left = float(body @ (embedded[aspect] + embedded[topic.query(aspect)])) / 2
        about = ECHO_SHARE + (1 - ECHO_SHARE) * rise(left, BODY_COSINE, BODY_WIDTH)
        credits.append(worth * about * rise(float(near) + STEM_BONUS * shared, middle, width))
    return np.array(credits, dtype=np.float32)


def coverage(notes: Sequence[Note], topic: Topic, embedded: Mapping[str, Vectors], support: Vectors) -> tuple[Part, tuple[str, ...]]:
    """The part, and the aspects from least to best covered.

    Args:
        notes: The department's notes.
        topic: What they should cover.
        embedded: Vectors of the topic's texts.
        support: What `support_of` says of each note, row by row.
    """
    if not notes:
        reason = f"There are no notes, so none of the {len(topic.aspects)} aspects is covered."
        return Part(value=0.0, reasons=(reason,)), topic.aspects
    foreign = [note for note in notes if note.text.language != "en"]
    values = []
    for column, aspect in enumerate(topic.aspects):
        credits = np.sort(support[:, column])[::-1]
        best, others = float(credits[0]), float((credits[1:] ** 2).sum())
        value = best * (FIRST_SHARE + (1 - FIRST_SHARE) * (1 - exp(-others)))
        values.append(max(value, _unread(foreign, aspect, len(topic.aspects))))
    percent = dict(zip(topic.aspects, (round(100 * value, 1) for value in values), strict=True))
    evidence = dict.fromkeys(notes[int(row)].id for row, best in zip(support.argmax(0), support.max(0), strict=True) if best >= 0.3)
    part = Part(
        value=round(100 * float(np.array(values) @ topic.weights(embedded)), 2),
        reasons=(*_reasons(percent), *_examples(notes, topic, support), *_foreign_reason(foreign), *faults(notes)),
        evidence=tuple(evidence),
    )
    return part, tuple(sorted(topic.aspects, key=lambda aspect: percent[aspect]))


def _unread(foreign: Sequence[Note], aspect: str, aspects: int) -> float:
    """Credit for notes whose meaning cannot be matched: by the aspect they were asked for, else spread evenly."""
    asked = max((note.worth for note in foreign if note.aspect == aspect), default=0.0)
    spread = sum(note.worth for note in foreign if not note.aspect) / aspects
    return UNREADABLE_CREDIT * max(asked, min(1.0, spread))


def _reasons(percent: Mapping[str, float]) -> list[str]:
    def listed(names: Sequence[str]) -> str:
        shown = ", ".join(f"{name} ({percent[name]:.0f})" for name in names[:8])
        return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")

    order = sorted(percent, key=lambda aspect: -percent[aspect])
    covered = [aspect for aspect in order if percent[aspect] >= COVERED]
    thin = [aspect for aspect in order if THIN <= percent[aspect] < COVERED]
    missing = [aspect for aspect in order if percent[aspect] < THIN]
    reasons = [f"{len(covered)} of {len(percent)} aspects are well covered" + (f": {listed(covered)}." if covered else ".")]
    if thin:
        reasons.append(f"Thinly covered: {listed(thin)}.")
    if missing:
        reasons.append(f"Not or hardly covered: {listed(missing)}.")
    return reasons


def _examples(notes: Sequence[Note], topic: Topic, support: Vectors) -> list[str]:
    row, column = (int(place) for place in np.unravel_index(int(support.argmax()), support.shape))
    if support[row, column] < THIN / 100:
        return []
    return [f"The clearest note is on {topic.aspects[column]}: {notes[row].quote()}."]


def _foreign_reason(foreign: Sequence[Note]) -> list[str]:
    if not foreign:
        return []
    return [
        f"{len(foreign)} notes are not in English, whose meaning alone the embedding model knows; each counts by the aspect it was "
        f"asked for, or as one aspect, at {100 * UNREADABLE_CREDIT:.0f} of 100 at most."
    ]
