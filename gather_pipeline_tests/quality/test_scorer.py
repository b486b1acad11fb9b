"""Claims about how scores are asked for: whose items count, what is refused, what a judge changes, what is embedded."""

from __future__ import annotations

import asyncio
import random

import pytest

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.quality import SCORER_VERSION, WEIGHTS
from gather_pipeline.errors import InvalidInput
from gather_pipeline.quality.scorer import (
    analyze_department_quality,
    calculate_actionability_score,
    calculate_coherence_score,
    calculate_coverage_score,
    calculate_depth_score,
    measure,
    measure_with,
)
from gather_pipeline_tests.counting import CountingEmbedder
from gather_pipeline_tests.quality.material import (
    BRIEF,
    EMBEDDED,
    GIBBERISH,
    GOOD_LOGISTICS,
    GOOD_STORY,
    OFF_TOPIC,
    STORY,
)
from gather_pipeline_tests.quality.scoring import EMBEDDER, items_of, one_note, scored


def test_a_department_without_items_scores_0_with_a_reason_in_every_part() -> None:
    quality = scored(())
    assert quality.value == 0.0
    assert all(part.value == 0.0 and "no notes" in part.reasons[0] for part in quality.parts.values())
    assert quality.least_covered == STORY.aspects


def test_the_parts_are_within_the_scale_and_add_up_under_their_weights() -> None:
    for texts in (GOOD_STORY, EMBEDDED, OFF_TOPIC, GIBBERISH):
        quality = scored(texts)
        assert list(quality.parts) == list(WEIGHTS)
        known = {name: part.value for name, part in quality.parts.items() if part.value is not None}
        assert set(WEIGHTS) - set(known) == {"coherence"}
        assert all(0 <= value <= 100 for value in known.values()) and all(part.reasons for part in quality.parts.values())
        weight = sum(WEIGHTS[name] for name in known)
        mean = sum(WEIGHTS[name] * value for name, value in known.items()) / weight
        assert quality.value == pytest.approx(max(0, mean - quality.deduction), abs=0.06)


def test_evidence_names_items_that_were_scored() -> None:
    ids = {item.id for item in items_of(GOOD_STORY)}
    evidence = [id for part in scored(GOOD_STORY).parts.values() for id in part.evidence]
    assert evidence
    assert set(evidence) <= ids


def test_scores_do_not_depend_on_the_order_of_distinct_notes() -> None:
    turned = list(GOOD_STORY)
    random.Random(7).shuffle(turned)
    assert scored(tuple(turned)).value == pytest.approx(scored(GOOD_STORY).value, abs=1.0)


def test_items_of_other_departments_change_nothing() -> None:
    """C31: the caller hands over every item of the project."""
    own, foreign = items_of(GOOD_STORY), items_of(GOOD_LOGISTICS, "logistics")
    mixed = [item for pair in zip(own, [*foreign, *foreign[:2]], strict=True) for item in pair]
    vectors = EMBEDDER.embed([item.content for item in mixed])
    quality = asyncio.run(measure_with(None, STORY, mixed, EMBEDDER, vectors=vectors, brief=BRIEF))
    assert quality == scored(GOOD_STORY)


def test_analyze_leaves_out_other_departments_and_projects() -> None:
    own = analyze_department_quality("p1", STORY, items_of(GOOD_STORY[:3]), embedder=EMBEDDER)
    everything = [*items_of(GOOD_STORY[:3]), *items_of(GOOD_LOGISTICS, "logistics"), *items_of(GOOD_STORY[3:], project_id="p2")]
    assert analyze_department_quality("p1", STORY, everything, embedder=EMBEDDER) == own > 0


def test_rows_of_the_cms_and_of_the_store_score_as_objects_do() -> None:
    """The seed hands over dicts; a department may be a slug or a mapping there."""
    row = {"slug": "story", "name": "Story Department", "coordinationSettings": {"aspects": list(STORY.aspects)}}
    row["description"] = STORY.description
    as_slug = [{"content": text, "summary": "", "context": "", "department": "story"} for text in GOOD_STORY]
    as_mapping = [{**item, "department": {"slug": "story", "id": 1}} for item in as_slug]
    expected = analyze_department_quality("p1", STORY, items_of(GOOD_STORY), embedder=EMBEDDER)
    for rows in (as_slug, as_mapping):
        assert analyze_department_quality("p1", row, rows, embedder=EMBEDDER) == expected
    foreign = [{"content": text, "department": {"slug": "logistics"}} for text in GOOD_LOGISTICS]
    assert analyze_department_quality("p1", row, [*as_slug, *foreign], embedder=EMBEDDER) == expected


def test_the_installed_embedder_is_taken_where_none_is_given() -> None:
    assert calculate_coverage_score(STORY, one_note(GOOD_STORY[4])) == calculate_coverage_score(
        STORY, one_note(GOOD_STORY[4]), embedder=EMBEDDER
    )


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"summary": "no content"}, r"items\[1\]\.content is None, expected a text"),
        ({"content": 7}, r"items\[1\]\.content is 7, expected a text"),
        ("a bare string", r"items\[1\] is 'a bare string', expected an item with content"),
        (None, r"items\[1\] is None, expected an item with content"),
    ],
)
def test_an_item_without_content_is_refused_by_its_place(item: object, message: str) -> None:
    rows = [{"content": "The lamp goes out."}, item]
    for score in (
        lambda: analyze_department_quality("p1", STORY, rows, embedder=EMBEDDER),
        lambda: calculate_coverage_score(STORY, rows, embedder=EMBEDDER),
        lambda: calculate_depth_score(rows, embedder=EMBEDDER),
        lambda: calculate_coherence_score(rows, embedder=EMBEDDER),
        lambda: calculate_actionability_score(rows),
    ):
        with pytest.raises(InvalidInput, match=message):
            score()


def test_a_department_without_slug_is_refused() -> None:
    with pytest.raises(InvalidInput, match="slug"):
        calculate_coverage_score({"name": "Story"}, [], embedder=EMBEDDER)


def test_a_wrong_number_of_vectors_is_refused_with_both_numbers() -> None:
    with pytest.raises(InvalidInput, match="vectors has 2 rows, expected 3"):
        measure(STORY, items_of(GOOD_STORY[:3]), EMBEDDER, vectors=EMBEDDER.embed(list(GOOD_STORY[:2])))


@pytest.mark.parametrize("text", ["", "   ", "...", "42", "\U0001f600 \U0001f600", "a" * 5000, "word " * 3000, "?"])
def test_odd_texts_score_low_and_break_nothing(text: str) -> None:
    assert measure(STORY, items_of((text,)), EMBEDDER, brief=BRIEF).value < 30


def test_an_empty_note_among_good_ones_lowers_the_score() -> None:
    assert scored((*GOOD_STORY, "")).value < scored(GOOD_STORY).value


def test_one_call_of_the_embedder_serves_a_score_and_items_with_vectors_are_not_embedded_again() -> None:
    embedder = CountingEmbedder()
    items = items_of(GOOD_STORY)
    vectors = HashingEmbedder().embed(list(GOOD_STORY))
    asyncio.run(measure_with(None, STORY, items, embedder, vectors=vectors, brief=BRIEF))
    assert len(embedder.calls) == 1
    assert not set(embedder.calls[0]) & set(GOOD_STORY)


def test_a_score_without_a_judge_says_that_it_is_unjudged_and_by_which_rules() -> None:
    quality = scored(GOOD_STORY)
    assert not quality.judged
    assert (quality.scorer, quality.version) == ("text-statistics", SCORER_VERSION)


def test_what_nothing_is_asked_of_has_an_unknown_coverage_and_the_known_parts_decide() -> None:
    """Unknown is not zero."""
    bare = Department.model_validate({"slug": "story", "name": "Story"})
    quality = measure(bare, items_of(GOOD_STORY), EMBEDDER, brief=BRIEF)
    assert quality.parts["coverage"].value is None
    assert "Unknown" in quality.parts["coverage"].reasons[0]
    known = {name: part.value for name, part in quality.parts.items() if part.value is not None}
    expected = sum(WEIGHTS[name] * one for name, one in known.items()) / sum(WEIGHTS[name] for name in known)
    assert quality.value == pytest.approx(expected, abs=0.06)


def test_the_names_of_the_seed_come_from_one_place() -> None:
    import gather_pipeline.gather as room
    from gather_pipeline.gather.automate import run_automation  # whatever else is loaded

    assert callable(run_automation)
    assert room.measure is measure
    assert room.analyze_department_quality is analyze_department_quality
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = room.no_such_name
