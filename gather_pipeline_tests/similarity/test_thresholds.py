"""What mistakes cost and what people say move the threshold, and little evidence moves it little."""

from __future__ import annotations

import pytest

from gather_pipeline.similarity.thresholds import HIGHEST, LOWEST, learned_threshold, logistic, usual_threshold


@pytest.mark.parametrize(("cost", "threshold"), [(1, 0.5), (2, 2 / 3), (9, 0.9)])
def test_the_threshold_follows_from_what_mistakes_cost(cost: float, threshold: float) -> None:
    assert usual_threshold(cost) == pytest.approx(threshold)


def test_logistic_is_the_inverse_of_log_odds() -> None:
    assert logistic(0) == 0.5
    assert logistic(2.197224577) == pytest.approx(0.9)


def test_restored_pairs_raise_the_threshold_and_marked_ones_lower_it() -> None:
    assert learned_threshold(0.667, [0.75] * 6, []).value > 0.667
    assert learned_threshold(0.667, [], [0.5] * 6).value < 0.667


def test_more_evidence_moves_it_further_and_never_out_of_bounds() -> None:
    values = [learned_threshold(0.667, [0.75] * count, []).value for count in (5, 10, 40, 1000)]
    assert values == sorted(values)
    assert values[-1] <= HIGHEST
    assert learned_threshold(0.667, [], [0.01] * 1000).value >= LOWEST


def test_people_who_agree_with_the_rules_hardly_move_it() -> None:
    assert learned_threshold(0.667, [0.2] * 10, [0.9] * 10).value == pytest.approx(0.667, abs=0.1)


def test_the_reason_names_both_thresholds_and_the_evidence() -> None:
    found = learned_threshold(0.667, [0.75] * 6, [])
    assert found.reason == f"dropped from {found.value:.0%} instead of 67%, because of 6 restored and 0 marked as the same"
