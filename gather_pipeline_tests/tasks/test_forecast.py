"""From a guess and past misses to a range."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.forecast import COLD, KNOWN, WIDEST, Guess, forecast_task, ranged
from gather_pipeline_tests.tasks.builders import Bench, completion

ANSWER = '{"greeting": "Good evening."}'
MISSES = st.lists(st.floats(-20, 20), max_size=60)


@given(st.floats(0.01, 1e6), st.floats(0, 2), MISSES, st.booleans())
def test_a_range_is_in_order_and_from_ten_works_on_at_most_three_times_wide(
    value: float, spread: float, misses: list[float], whole: bool
) -> None:
    one = ranged(Guess(value=value, spread=spread), misses, whole=whole)
    assert 0 <= one.low <= one.expected <= one.high
    assert len(misses) < KNOWN or one.high <= WIDEST * one.low * (1 + 1e-9)


def test_nothing_to_do_takes_nothing() -> None:
    one = ranged(Guess(value=0.0), [0.1] * 20)
    assert (one.low, one.expected, one.high) == (0, 0, 0)


def test_before_ten_works_are_known_a_range_is_a_wide_default() -> None:
    one = ranged(Guess(value=90.0), [])
    assert (round(one.low), one.expected, round(one.high)) == (30, 90, 270)
    assert one.high / one.low == pytest.approx(COLD**2)


def test_a_bias_of_the_past_is_set_right() -> None:
    guess = Guess(value=100.0)
    misses = [guess.miss(actual) for actual in (190, 195, 200, 205, 210) * 4]
    one = ranged(guess, misses)
    assert one.expected == pytest.approx(200, rel=0.01)
    assert one.low <= 190 and one.high >= 210


def test_where_misses_lie_far_apart_the_window_with_most_of_them_is_given() -> None:
    guess = Guess(value=100.0)
    one = ranged(guess, [guess.miss(actual) for actual in [100, 110, 120] * 5 + [1000, 5000]])
    assert one.low <= 100 and 120 <= one.high < 1000


def test_a_guess_that_is_uncertain_by_itself_gets_the_wider_range() -> None:
    misses = [math.sin(place) for place in range(30)]
    sure, unsure = (ranged(Guess(value=100.0, spread=spread), misses) for spread in (0.0, 0.3))
    assert unsure.high / unsure.low > sure.high / sure.low


def test_a_task_is_forecast_from_its_own_executions() -> None:
    bench = Bench(*[ANSWER] * 12)
    for _ in range(12):
        bench.run()
    refused = [replace(bench.records[0], calls=(), status="failed")] * 5
    found = forecast_task([*bench.records, *refused], count=3)
    assert found.known == 12
    assert found.calls.expected == 3 and found.tokens and found.tokens.expected == pytest.approx(45)
    assert found.cost and found.cost.low <= 0.75 <= found.cost.high


def test_calls_and_tokens_are_whole_and_at_least_one() -> None:
    bench = Bench(ANSWER)
    bench.run()
    found = forecast_task(bench.records)
    assert (found.calls.low, found.calls.expected, found.calls.high) == (1, 1, 3)
    assert found.tokens and all(isinstance(one, int) for one in (found.tokens.low, found.tokens.expected, found.tokens.high))


def test_a_cost_that_was_never_told_stays_unknown_with_the_reason() -> None:
    usage = completion(ANSWER).usage
    bench = Bench(completion(ANSWER, usage=type(usage)(prompt_tokens=1, completion_tokens=1, cost=None)))
    bench.run()
    found = forecast_task(bench.records)
    assert found.cost is None and found.tokens is not None
    assert any("past executions do not tell their cost" in note for note in found.notes)


def test_a_task_that_never_ran_cannot_be_forecast() -> None:
    with pytest.raises(InvalidInput, match="never executed"):
        forecast_task([])
