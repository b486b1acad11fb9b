"""Actionability: whether the notes say what to do or show, exactly enough to begin (S001-QUAL-08, C30).

A direction is a duty or proposal in so many words, or a sentence that opens with a bare verb ("Hold the harbour office"): its first word
stands in its dictionary form, is no name and no function word, and what it acts on follows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.quality.caps import Worth, fault_reasons
from gather_pipeline.quality.notes import Note
from gather_pipeline.text.words import FUNCTION, Token

DUTIES = frozenset("should must shall need needs ought please let recommend suggest propose require requires would".split())
OBJECTS = FUNCTION - frozenset("is are was were be has have had do does did will would can could may and or but if than who which".split())
DIRECTED_SHARE = 0.4  # of a note's usability; the rest is exactness, without which a duty is an intention


def actionability(found: Sequence[Worth]) -> Part:
    """The mean usability of the notes, each by what it is worth."""
    if not found:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to act on.",))
    directed = [one.note for one in found if directions(one.note)]
    values = [one.value * one.note.detail * (1 - DIRECTED_SHARE * (not directions(one.note))) for one in found]
    reasons = [f"{len(directed)} of {len(found)} notes say what to do or how to stage it."]
    evidence = tuple(note.id for note in directed[:3])
    return Part(value=round(100 * float(np.mean(values)), 2), reasons=(*reasons, *fault_reasons(found)), evidence=evidence)


def directions(note: Note) -> int:
    """How many clauses of the note tell people what to do."""
    return sum(_is_direction(clause) for clause in _clauses(note.tokens))


def _is_direction(clause: Sequence[Token]) -> bool:
    if any(token.text in DUTIES for token in clause):
        return True
    if len(clause) < 3:
        return False
    first, second = clause[0], clause[1]
    bare = first.kind == "word" and first.start and first.text == first.lemma and first.text not in FUNCTION and first.telling
    return bare and (second.text in OBJECTS or second.kind == "number")


def _clauses(found: Sequence[Token]) -> list[list[Token]]:
    clauses: list[list[Token]] = [[]]
    for token in found:
        if token.kind == "stop":
            clauses.append([])
        else:
            clauses[-1].append(token)
    return [clause for clause in clauses if clause]
