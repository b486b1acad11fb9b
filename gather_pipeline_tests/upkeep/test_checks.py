"""Every check can fail, and says which row made it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.domain.quality import Part, Score
from gather_pipeline.records.project import Embedding
from gather_pipeline.upkeep.checks import (
    embedding_count_equals_item_count,
    every_item_has_provenance,
    no_duplicate_stored,
    same_text_key,
    score_in_range_and_parts_add_up,
)
from gather_pipeline_tests.samples import a_quality, a_score


def make_item(**overrides: Any) -> Item:
    values: dict[str, Any] = {
        "id": "a1",
        "department": "camera",
        "iteration": 1,
        "task_id": "t1",
        "project_id": "p1",
        "content": "Shoot the harbour at dawn.",
        "summary": "Dawn harbour",
        "context": "Opening",
        "provenance": {"task": "gather_item", "model": "scripted", "generated_by": "scripted"},
        "created_at": "2026-01-01T00:00:00.000000Z",
    }
    return Item(**values | overrides)


def test_items_that_differ_pass() -> None:
    items = [make_item(), make_item(id="a2", content="Shoot the harbour at dusk.")]
    verdict = no_duplicate_stored(items, items)
    assert verdict.passed
    assert verdict.looked_at == 2


def test_a_text_stored_twice_in_a_department_is_a_duplicate() -> None:
    items = [make_item(), make_item(id="a2", content="shoot the  harbour, at dawn!")]
    verdict = no_duplicate_stored(items, items)
    assert not verdict.passed
    assert "item a1 says the same as a2 of camera" in verdict.failures[0]
    assert len(verdict.failures) == 2


def test_a_text_of_another_department_is_a_duplicate_too() -> None:
    mine, other = make_item(), make_item(id="b1", department="sound")
    assert no_duplicate_stored([mine], [mine, other]).failures == ("item a1 says the same as b1 of sound: 'Shoot the harbour at dawn.'",)


def test_an_id_that_is_there_twice_fails() -> None:
    items = [make_item(), make_item()]
    assert no_duplicate_stored(items, items).failures == ("item a1 is stored more than once",)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Ten trucks.", "ten trucks", True),
        ("“Ten” trucks, now!", "Ten trucks now", True),
        ("-5 degrees", "5 degrees", False),
        ("1.5 hours", "15 hours", False),
        ("at 10:30, sharp", "at 1030 sharp", False),
        ("Scene 3.", "Scene 3", True),
    ],
)
def test_only_marks_without_meaning_are_evened_out(left: str, right: str, same: bool) -> None:
    assert (same_text_key(left) == same_text_key(right)) is same


def test_a_score_as_the_scorer_makes_it_passes() -> None:
    assert score_in_range_and_parts_add_up(a_score()).passed


@pytest.mark.parametrize(
    ("score", "complaint"),
    [
        (None, "there is no score"),
        (a_score(value=99.0, quality=a_quality(60.0)), "the parts add up to 60.0, but the score is 99.0"),
        (a_score(value=101.0), "the score is 101.0, expected a number from 0 to 100"),
        (a_score(value=float("nan")), "the score is nan, expected a number from 0 to 100"),
        (a_score(quality=a_quality(parts={})), "part coverage is missing"),
    ],
)
def test_a_score_that_is_wrong_as_a_whole_fails(score: Score | None, complaint: str) -> None:
    assert complaint in score_in_range_and_parts_add_up(score).failures


def with_part(name: str, part: Part) -> Score:
    return a_score(quality=a_quality(parts={**a_quality().parts, name: part}))


@pytest.mark.parametrize(
    ("name", "part", "complaint"),
    [
        ("depth", Part(value=-1, reasons=("r",)), "part depth is -1, expected a number from 0 to 100"),
        ("depth", Part(value=True, reasons=("r",)), "part depth is True, expected a number from 0 to 100"),
        ("depth", Part(value=60.0, reasons=()), "part depth gives no reason"),
        ("depth", Part(value=60.0, reasons=("  ",)), "part depth gives no reason"),
        ("charm", Part(value=60.0, reasons=("r",)), "part charm is not one of coverage, depth, coherence, actionability"),
    ],
)
def test_a_part_that_is_wrong_fails(name: str, part: Part, complaint: str) -> None:
    assert complaint in score_in_range_and_parts_add_up(with_part(name, part)).failures


def test_an_item_with_its_provenance_passes() -> None:
    assert every_item_has_provenance([make_item()]).passed


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"task_id": ""}, "item a1 has no task_id"),
        ({"created_at": ""}, "item a1 has no created_at"),
        ({"iteration": 0}, "item a1 has no iteration"),
        ({"provenance": {}}, "item a1 has no automation.task, automation.model, automation.generated_by"),
    ],
)
def test_an_item_without_a_part_of_its_provenance_fails(change: dict[str, Any], complaint: str) -> None:
    assert every_item_has_provenance([make_item(**change)]).failures == (complaint,)


def embedding(item: Item, **changes: Any) -> Embedding:
    values = {"item_id": item.id, "model": "hashing", "content_hash": content_hash(item.content), "vector": np.ones(1, dtype=np.float32)}
    return Embedding(**values | changes)


def test_one_embedding_an_item_passes_and_other_models_are_left_alone() -> None:
    item = make_item()
    rows = [embedding(item), embedding(item, model="older")]
    assert embedding_count_equals_item_count([item], rows, "hashing").passed


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "item a1 has 0 embeddings of hashing, expected 1"),
        ([embedding(make_item()), embedding(make_item())], "item a1 has 2 embeddings of hashing, expected 1"),
        ([embedding(make_item(), content_hash="old")], "item a1 has an embedding of another text"),
        ([embedding(make_item()), embedding(make_item(id="gone"))], "an embedding stands for item gone, which is not there"),
    ],
)
def test_an_embedding_too_few_or_too_many_fails(rows: list[Embedding], complaint: str) -> None:
    assert embedding_count_equals_item_count([make_item()], rows, "hashing").failures == (complaint,)


def test_an_unknown_part_and_a_deduction_are_in_what_a_score_comes_to() -> None:
    """A part that nobody could tell is left out of the sum; contradictions cost points of the whole."""
    parts = {**a_quality().parts, "depth": Part(value=None, reasons=("Unknown.",))}
    assert score_in_range_and_parts_add_up(a_score(50.0, quality=a_quality(parts=parts, deduction=10.0))).passed
    assert not score_in_range_and_parts_add_up(a_score(50.0, quality=a_quality(parts=parts))).passed


def test_a_score_without_a_judge_is_remarked_on_and_passes() -> None:
    unjudged = score_in_range_and_parts_add_up(a_score())
    assert unjudged.passed
    assert unjudged.remarks == ("unjudged: by text statistics alone",)
    assert score_in_range_and_parts_add_up(a_score(quality=a_quality(unjudged=55.0))).remarks == ()
