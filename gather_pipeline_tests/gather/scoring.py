"""What the tests of the scorer share: one embedder a process, items of texts, and scores that are computed once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gather_pipeline.adapters.minilm import MiniLM
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import Quality
from gather_pipeline.gather.score import measure
from gather_pipeline_tests.gather.quality_notes import BRIEF, STORY

EMBEDDER = MiniLM()


def items_of(texts: Sequence[str], slug: str = "story", project_id: str = "p1", aspects: Sequence[str] = ()) -> list[Item]:
    return [
        Item(
            id=f"{slug}-{place}",
            content=text,
            summary="",
            context="",
            aspect=aspects[place] if aspects else "",
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


def one_note(text: str) -> list[dict[str, str]]:
    return [{"content": text}]
