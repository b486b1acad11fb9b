"""A score with a memory is the score without one, and costs what is new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gather_pipeline.adapters.hashing_embedder import HashingEmbedder
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import Quality
from gather_pipeline.gather.score import measure
from gather_pipeline.gather.score_memory import Memory
from gather_pipeline.ports import Vectors
from gather_pipeline_tests.gather.quality_notes import (
    BRIEF,
    EMBEDDED,
    GIBBERISH,
    GOOD_LOGISTICS,
    GOOD_STORY,
    LOGISTICS,
    OFF_TOPIC,
    STORY,
)
from gather_pipeline_tests.gather.scoring import items_of

FOREIGN = ("Die Lampe erlischt um Mitternacht, und niemand auf der Insel sagt ein Wort.", "灯台守は嵐を待つ。誰も来ない。")
ALL = (*GOOD_STORY, *EMBEDDED, *GIBBERISH, *FOREIGN, GOOD_STORY[0], *OFF_TOPIC, "", "Mara.")


class Counting:
    """The hashing embedder, with the texts that it was asked for."""

    name = "hashing-256"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._body = HashingEmbedder()

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return self._body.embed(texts)


def fresh(department: Department, items: Sequence[Item], brief: str = BRIEF) -> Quality:
    return measure(department, items, HashingEmbedder(), brief=brief)


@pytest.mark.parametrize("brief", [BRIEF, ""])
@pytest.mark.parametrize(("department", "texts"), [(STORY, ALL), (LOGISTICS, (*GOOD_LOGISTICS, *ALL))])
def test_a_growing_department_scores_the_same_with_and_without_a_memory(department: Department, texts: Sequence[str], brief: str) -> None:
    items, embedder, memory = items_of(texts, department.slug), HashingEmbedder(), Memory()
    for count in (0, 1, 2, 2, 5, 9, len(items)):
        vectors = embedder.embed([item.content for item in items[:count]])
        kept = measure(department, items[:count], embedder, vectors=vectors, brief=brief, memory=memory)
        assert kept == measure(department, items[:count], embedder, vectors=vectors, brief=brief)
        assert kept == fresh(department, items[:count], brief)


def test_a_memory_without_given_vectors_says_the_same() -> None:
    items, memory = items_of(ALL), Memory()
    for count in (3, 7, len(items)):
        assert measure(STORY, items[:count], HashingEmbedder(), brief=BRIEF, memory=memory) == fresh(STORY, items[:count])


def test_what_a_person_changed_or_took_away_is_forgotten() -> None:
    items, memory = items_of(GOOD_STORY), Memory()
    edited = [replace(items[0], content=OFF_TOPIC[0]), *items[1:]]
    asked = [replace(items[0], aspect="theme"), *items[1:]]
    for now in (items, edited, items, items[1:], [*items[1:], items[0]], asked, items[:2], []):
        assert measure(STORY, now, HashingEmbedder(), brief=BRIEF, memory=memory) == fresh(STORY, now)


def test_another_department_brief_or_embedder_makes_everything_anew() -> None:
    items, memory = items_of(GOOD_STORY, ""), Memory()
    narrow = HashingEmbedder(64)
    assert measure(STORY, items, HashingEmbedder(), brief=BRIEF, memory=memory) == fresh(STORY, items)
    assert measure(LOGISTICS, items, HashingEmbedder(), brief=BRIEF, memory=memory) == fresh(LOGISTICS, items)
    assert measure(LOGISTICS, items, HashingEmbedder(), brief=GOOD_STORY[0], memory=memory) == fresh(LOGISTICS, items, GOOD_STORY[0])
    assert measure(LOGISTICS, items, narrow, brief=BRIEF, memory=memory) == measure(LOGISTICS, items, narrow, brief=BRIEF)


def test_other_vectors_of_the_same_notes_make_everything_anew() -> None:
    items, embedder, memory = items_of(GOOD_STORY), HashingEmbedder(), Memory()
    vectors = embedder.embed([item.content for item in items])
    measure(STORY, items, embedder, vectors=vectors, brief=BRIEF, memory=memory)
    turned = np.roll(vectors, 1, axis=0)
    assert measure(STORY, items, embedder, vectors=turned, brief=BRIEF, memory=memory) == measure(
        STORY, items, embedder, vectors=turned, brief=BRIEF
    )


def test_each_text_is_embedded_once_and_an_unchanged_department_asks_for_none() -> None:
    items, embedder, memory = items_of(GOOD_STORY), Counting(), Memory()
    for count in range(1, len(items) + 1):
        measure(STORY, items[:count], embedder, brief=BRIEF, memory=memory)
    assert len(embedder.asked) == len(set(embedder.asked))
    embedder.asked.clear()
    measure(STORY, items, embedder, brief=BRIEF, memory=memory)
    assert not embedder.asked
