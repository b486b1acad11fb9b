"""What is known of a department's notes from one score to the next, so that a note is analysed once and not at every score.

A score with a memory is the score without one: where the notes do not begin with those known, or their vectors or the topic have
changed, everything is made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gather_pipeline.gather.score_coverage import Topic, support_of, with_relevance
from gather_pipeline.gather.score_notes import GENERAL_SENTENCES, Note, NoteMaker, RawNote, embed_all, sentences_of
from gather_pipeline.ports import Embedder, Vectors

NONE: Vectors = np.zeros((0, 0), dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Notes with all that depends on embeddings.

    Attributes:
        notes: In order.
        embedded: Vectors by text: of the topic, and of what else had to be embedded.
        support: How far each note speaks of each aspect, shape (notes, aspects); (0, 0) where there is no topic.
    """

    notes: Sequence[Note]
    embedded: Mapping[str, Vectors]
    support: Vectors


class Memory:
    """The notes of one department as they were scored last. For one thread at a time."""

    def __init__(self) -> None:
        self._forget("", None)

    def _forget(self, embedder: str, topic: Topic | None) -> None:
        self._embedder, self._topic = embedder, topic
        self._maker: NoteMaker | None = None
        self._known: list[tuple[str, str, str]] = []
        self._whole = NONE
        self._notes: list[Note] = []
        self._support: list[Vectors] = []
        self._embedded: dict[str, Vectors] = {}

    def prepare(self, raw: Sequence[RawNote], embedder: Embedder, topic: Topic | None, vectors: Vectors | None) -> Prepared:
        """Notes of these items; only what is new is embedded and analysed, in one call of the embedder.

        Args:
            raw: Items of the department.
            embedder: Embeds what the vectors do not cover.
            topic: What the department is about, None for nothing.
            vectors: Embeddings by `RawNote.place`; made here where None.
        """
        if not raw:
            return Prepared(notes=[], embedded={}, support=NONE)
        given = None if vectors is None else vectors[[one.place for one in raw]]
        if not self._begins(raw, embedder.name, topic, given):
            self._forget(embedder.name, topic)
        new = raw[len(self._known) :]
        bodies = [topic.bodies(one.text) if topic else {} for one in new]
        self._embed(new, embedder, topic, bodies, contents=given is None)
        self._whole = np.stack([self._embedded[one.text.raw] for one in raw]) if given is None else given
        if self._maker is None:
            general = np.stack([self._embedded[text] for text in GENERAL_SENTENCES])
            self._maker = NoteMaker(" ".join(topic.brief) if topic else "", general)
        for place, (one, named) in enumerate(zip(new, bodies, strict=True), len(self._known)):
            self._add(self._maker.add(one, self._whole[: place + 1], self._rows(one)), topic, named)
        self._known += [_key(one) for one in new]
        support = np.stack(self._support) if topic else NONE
        return Prepared(notes=tuple(self._notes), embedded=self._embedded, support=support)

    def _begins(self, raw: Sequence[RawNote], embedder: str, topic: Topic | None, given: Vectors | None) -> bool:
        """Whether the notes known are the first of these, and nothing else that they depend on has changed."""
        number = len(self._known)
        return (
            self._maker is not None
            and (self._embedder, self._topic) == (embedder, topic)
            and [_key(one) for one in raw[:number]] == self._known
            and (given is None or np.array_equal(given[:number], self._whole))
        )

    def _embed(
        self, new: Sequence[RawNote], embedder: Embedder, topic: Topic | None, bodies: Sequence[Mapping[str, str]], *, contents: bool
    ) -> None:
        texts = [one.text.raw for one in new] if contents else []
        texts += sentences_of(new)
        texts += [body for named in bodies for body in named.values()]
        if self._maker is None:
            texts += [*(topic.texts() if topic else ()), *GENERAL_SENTENCES]
        missing = [text for text in texts if text not in self._embedded]
        self._embedded |= embed_all(embedder, missing) if missing else {}

    def _rows(self, one: RawNote) -> Vectors:
        if not one.text.sentences:
            return np.zeros((0, self._whole.shape[1]), dtype=np.float32)
        return np.stack([self._embedded[sentence] for sentence in one.text.sentences])

    def _add(self, note: Note, topic: Topic | None, bodies: Mapping[str, str]) -> None:
        if topic:
            (note,) = with_relevance([note], topic, self._embedded)
            self._support.append(support_of(note, topic, self._embedded, bodies))
        self._notes.append(note)


def _key(one: RawNote) -> tuple[str, str, str]:
    return one.id, one.text.raw, one.aspect
