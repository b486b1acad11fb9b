"""What mistakes cost and what people say move the threshold, and little evidence moves it little."""

from __future__ import annotations

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.similarity.thresholds import HIGHEST, LOWEST, Told, learned_threshold, usual_threshold


@pytest.mark.parametrize(("cost", "threshold"), [(1, 0.5), (2, 2 / 3), (9, 0.9)])
def test_the_threshold_follows_from_what_mistakes_cost(cost: float, threshold: float) -> None:
    assert usual_threshold(cost) == pytest.approx(threshold)


@pytest.mark.parametrize("cost", [0, -1, float("nan"), float("inf")])
def test_a_cost_that_is_none_is_refused(cost: float) -> None:
    with pytest.raises(InvalidInput, match="GATHER_WRONG_DROP_COST is"):
        usual_threshold(cost)


def told(same: bool, count: int, probability: float = 0.75) -> list[Told]:
    return [Told(probability=probability, same=same)] * count


def test_restored_pairs_raise_the_threshold_and_marked_ones_lower_it() -> None:
    assert learned_threshold(0.667, told(False, 6)).value > 0.667
    assert learned_threshold(0.667, told(True, 6, probability=0.5)).value < 0.667


def test_more_evidence_moves_it_further_and_never_out_of_bounds() -> None:
    values = [learned_threshold(0.667, told(False, count)).value for count in (5, 10, 40, 1000)]
    assert values == sorted(values)
    assert values[-1] <= HIGHEST
    assert learned_threshold(0.667, told(True, 1000, probability=0.01)).value >= LOWEST


def test_people_who_agree_with_the_rules_hardly_move_it() -> None:
    mixed = [*told(False, 10, probability=0.2), *told(True, 10, probability=0.9)]
    assert learned_threshold(0.667, mixed).value == pytest.approx(0.667, abs=0.1)


def test_the_reason_names_both_thresholds_and_the_evidence() -> None:
    found = learned_threshold(0.667, told(False, 6))
    assert found.reason == f"dropped from {found.value:.0%} instead of 67%, because of 6 restored and 0 marked as the same"
