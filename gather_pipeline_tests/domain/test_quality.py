"""Claims about scores as values: unknown is not zero, and whoever reads one learns whether a judge had a part in it."""

from __future__ import annotations

from gather_pipeline.domain.quality import told, total
from gather_pipeline_tests.samples import a_quality, a_score


def test_weights_of_known_parts_are_scaled_up() -> None:
    assert total({"coverage": 50.0, "depth": None, "coherence": 80.0, "actionability": None}) == 60.0
    assert total({"coverage": None, "depth": None, "coherence": None, "actionability": None}) == 0.0


def test_a_deduction_never_takes_a_score_below_zero() -> None:
    assert total({"coverage": 20.0}, 45.0) == 0.0


def test_a_score_is_told_with_a_word_where_no_judge_read_it() -> None:
    assert (told(71.5, True), told(60.0, False)) == ("71.5", "60 (unjudged)")


def test_a_quality_is_judged_where_the_statistics_alone_came_to_something_else() -> None:
    assert not a_quality().judged
    assert a_quality(unjudged=50.0).judged


def test_a_deduction_is_taken_off_the_whole() -> None:
    assert a_quality(50.0, contradictions=("48, against 61.",), deduction=5.0).value == 45.0


def test_a_score_is_reached_at_its_threshold() -> None:
    assert a_score(80.0).reached
    assert not a_score(79.9).reached
