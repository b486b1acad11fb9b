"""What the tests of the scorer share: one embedder a process, items of texts, and scores that are computed once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from gather_pipeline.adapters.embedders.minilm import MiniLM
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import Quality
from gather_pipeline.quality.scorer import measure
from gather_pipeline.text.sentences import sentences
from gather_pipeline_tests.quality.material import BRIEF, STORY

EMBEDDER = MiniLM()


def items_of(texts: Sequence[str], slug: str = "story", project_id: str = "p1") -> list[Item]:
    return [
        Item(
            id=f"{slug}-{place}",
            content=text,
            summary="",
            context="",
            aspect="",
            department=slug,
            iteration=1,
            task_id="t1",
            project_id=project_id,
        )
        for place, text in enumerate(texts)
    ]


@cache
def scored(texts: tuple[str, ...], department: Department = STORY, brief: str = BRIEF) -> Quality:
    return measure(department, items_of(texts, department.slug), EMBEDDER, brief=brief)


def value(quality: Quality, name: str) -> float:
    found = quality.parts[name].value
    assert found is not None
    return found


def one_note(text: str) -> list[dict[str, str]]:
    return [{"content": text}]


def shuffled(text: str, seed: int = 1) -> str:
    """Shuffles the words within each sentence and leaves the sentences where they are."""
    rng = random.Random(seed)
    found = []
    for sentence in sentences(text):
        words = sentence.rstrip(".!?").split()
        rng.shuffle(words)
        found.append(" ".join(words) + ".")
    return " ".join(found)
