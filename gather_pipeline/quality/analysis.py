"""What is counted of a note before anything else is known than its project's brief: the costly part of a score, and the part that lasts.

Whoever scores a department again takes it from where it was kept (`upkeep.analyses`), by a key that changes with the rules, text and brief.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from gather_pipeline.domain.quality import SCORER_VERSION, Analysis
from gather_pipeline.quality.facts import clashes
from gather_pipeline.quality.statistics import OWN_FAULTS, circling, directs, worths
from gather_pipeline.text.words import raw_words

COPY_RUN = 6  # words: shorter runs are shared by chance between a brief and a note about it


def key_of(text: str, brief: str) -> str:
    """Key of what `analyse` gives: 16 hexadecimal digits."""
    hash = _brief_hash(brief).copy()
    hash.update(text.encode("utf-8", "surrogatepass"))
    return hash.hexdigest()[:16]


@lru_cache(maxsize=256)  # a run has a note read while other answers are awaited, and asks for its analysis when the iteration is scored
def analyse(text: str, brief: str) -> Analysis:
    """Reads a note."""
    runs = _runs(text)
    known = _known_runs(brief)
    covered = {start + place for start, run in enumerate(runs) if run in known for place in range(COPY_RUN)}
    return Analysis(
        worths=worths(text),
        faults=tuple(fault(text) for fault in OWN_FAULTS.values()),
        copied=len(covered) / (len(runs) + COPY_RUN - 1),
        circling=circling(text),
        directs=directs(text),
        clashes=tuple((sentence, kind, clash) for (sentence, kind), clash in clashes(text, brief).items()),
    )


@lru_cache(maxsize=4)
def _brief_hash(brief: str) -> hashlib._Hash:
    return hashlib.sha256(json.dumps([SCORER_VERSION, brief]).encode())


@lru_cache(maxsize=4)
def _known_runs(brief: str) -> frozenset[tuple[str, ...]]:
    return frozenset(_runs(brief))


def _runs(text: str) -> list[tuple[str, ...]]:
    """Runs of `COPY_RUN` words."""
    words = raw_words(text)
    return [tuple(words[start : start + COPY_RUN]) for start in range(len(words) - COPY_RUN + 1)]
