"""What code adds to the embedded model's texts: tidying, the choice among candidates, and a context line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gather_pipeline.domain.departments import Department
from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.text.names import Names, strangers
from gather_pipeline.text.sentences import first_sentences
from gather_pipeline.text.words import WORD

MIN_WORDS = 12
REPEAT_WEIGHT = 0.5  # how much nearness to what is kept counts against nearness to the aspect
PERSON_PENALTY = 0.2  # a production note is not told by an I or to a you
STRANGER_PENALTY = 0.1  # for each name, up to two, that the brief does not know
SENTENCE_END = re.compile(r"[.!?。！？…][\"'”’)]*(?=\s|$)")
ASIDE = re.compile(r"\b(I|I'm|I've|my|me|we|our|you|your)\b")


def tidy(text: str) -> str:
    """The text on one line, without markup, up to its last whole sentence."""
    line = " ".join(re.sub(r"[*_#`]+", "", text).split())
    ends = list(SENTENCE_END.finditer(line))
    return line[: ends[-1].end()] if ends else line


def is_usable(text: str) -> bool:
    """True for at least one whole sentence of at least twelve words in all."""
    line = tidy(text)
    return bool(SENTENCE_END.search(line)) and len(line.split()) >= MIN_WORDS


def best_of(texts: Sequence[str], aspect: str, brief: str, kept: Vectors, embedder: Embedder) -> int:
    """Place of the candidate that says most about aspect and brief, least of what is kept already, and names nobody unknown.

    Args:
        texts: Candidates, at least one.
        aspect: What was asked for.
        brief: The project's brief.
        kept: Embeddings of shape (n, d) of the department's items; n may be 0.
        embedder: The same that made `kept`.
    """
    if len(texts) == 1:
        return 0
    import numpy as np  # not above: a command that shows an item starts without it

    vectors = embedder.embed([f"{aspect}. {first_sentences(brief)}", *texts])
    candidates = vectors[1:]
    worth = candidates @ vectors[0]
    if len(kept):
        worth = worth - REPEAT_WEIGHT * (candidates @ kept.T).max(axis=1)
    worth = worth - PERSON_PENALTY * np.array([bool(ASIDE.search(text)) for text in texts])
    worth = worth - STRANGER_PENALTY * np.array([min(2, strangers(text, brief)) for text in texts])
    return int(np.argmax(worth))


def context(text: str, department: Department, aspect: str, names: Names) -> str:
    """Where the note belongs: department, aspect, and which of the brief's names it has."""
    words = set(WORD.findall(text.replace("'s", "").replace("\u2019s", "")))
    named = ", ".join(name for name in (*names.people, *names.places) if words.issuperset(name.split()))
    return f"{department.name}, on the {aspect}" + (f"; names {named}." if named else ".")
