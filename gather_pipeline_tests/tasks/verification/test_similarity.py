"""How alike two outputs are, by each function."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.tasks.verification.similarity import similarity

JOB = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "level": {"enum": ["junior", "senior"], "type": "string"},
        "years": {"type": "integer", "minimum": 0, "maximum": 10},
        "remote": {"type": "boolean"},
        "skills": {"type": "array", "items": {"type": "string"}},
        "steps": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "note": {"type": "string"}}}},
    },
}


def alike(name: str | None, first: Any, second: Any, schema: dict[str, Any] | None = None) -> float:
    compare = similarity(name, JOB if schema is None else schema, HashingEmbedder())
    assert compare(first, second) == pytest.approx(compare(second, first))
    return compare(first, second)


@pytest.mark.parametrize("name", ["difflib", "cosine", "text", "structured", "embedding"])
def test_equal_outputs_are_wholly_alike_and_unlike_ones_hardly(name: str):
    assert alike(name, {"title": "Editor"}, {"title": "Editor"}) == 1
    assert alike(name, "Bring a ladder", "The tide comes early") < 0.5
    assert alike(name, "Editor", "") == 0


@pytest.mark.parametrize("name", ["text", "embedding", "structured"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Five years of Java", "Three years of Java"),
        ("A driving licence is required", "A driving licence is not required"),
        ("Full time in Berlin", "Full time in Munich"),
    ],
)
def test_texts_that_differ_in_a_fact_are_not_alike_however_close_their_words(name: str, first: str, second: str):
    assert alike(name, first, second) == 0


def test_other_words_in_another_order_are_alike():
    assert alike("text", "Develop Python applications", "Developing applications in Python") >= 0.9
    assert alike("cosine", "Voices, then music", "Music; then a voice") == pytest.approx(1)
    assert alike("text", "Sound  EDITOR", "sound editor") == 1


def test_fields_are_compared_one_by_one_and_what_neither_has_does_not_count():
    job = {"title": "Editor", "level": "senior", "years": 4, "remote": True}
    assert alike(None, job, {**job, "level": "junior"}) == 0.75
    assert alike(None, job, {**job, "remote": False}) == 0.75
    assert alike(None, job, {**job, "years": 6}) == pytest.approx((3 + 0.8) / 4)
    assert alike(None, job, {**job, "skills": [], "contact": None}) == 1
    assert alike(None, {**job, "contact": "Mara"}, job) == 0.8


def test_lists_are_sets_of_matched_entries():
    assert alike(None, {"skills": ["Foley", "Mixing"]}, {"skills": ["mixing", "Foley"]}) == 1
    assert alike(None, {"skills": ["Foley", "Mixing"]}, {"skills": ["Foley"]}) == pytest.approx(2 / 3)
    assert alike(None, {"skills": ["Foley", "Foley"]}, {"skills": ["Foley"]}) == pytest.approx(2 / 3)
    assert alike(None, {"skills": ["Welding"]}, {"skills": ["Baking"]}) == 0
    steps = [{"name": "Cut", "note": "by ear"}, {"name": "Mix", "note": "by eye"}]
    assert alike(None, {"steps": steps}, {"steps": [{"name": "Mix", "note": "by eye"}, {"name": "Cut", "note": "by hand"}]}) > 0.8


@pytest.mark.parametrize(("rows", "entries"), [(400, 0), (15, 30)])
def test_long_lists_are_compared_place_by_place(rows: int, entries: int):
    """Every pair of them would take minutes."""

    def made(word: str) -> list[Any]:
        return [[f"step {row} {word} {entry}" for entry in range(entries)] if entries else f"step {row} {word}" for row in range(rows)]

    assert 0 <= alike(None, {"skills": made("of the plan")}, {"skills": made("of a plan, again")}) <= 1


def test_values_of_two_kinds_are_not_alike():
    assert alike(None, {"years": 1}, {"years": True}) == alike(None, {"years": 1}, {"years": "1"}) == 0
    assert alike(None, {"title": ["Editor"]}, {"title": "Editor"}) == 0


def test_numbers_without_limits_count_by_their_ratio():
    number = {"type": "object", "properties": {"n": {"type": "number"}}}
    assert alike(None, {"n": 8}, {"n": 10}, number) == pytest.approx(0.8)
    assert alike(None, {"n": -5}, {"n": 5}, number) == 0
    assert alike(None, {"n": 0}, {"n": 0.0}, number) == 1


def test_an_unknown_function_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="similarity is 'vibes', expected one of difflib, cosine, text, structured, embedding"):
        similarity("vibes", JOB, HashingEmbedder())
