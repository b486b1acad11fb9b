"""How long a department goes on, and what it changes when its quality stands still."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.gather import ladder
from gather_pipeline.gather.state import DepartmentState
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline_tests.harness import department_row, make_settings
from gather_pipeline_tests.samples import a_quality

STEPS = ladder.steps(2)


@pytest.mark.parametrize(
    ("scores", "climbed"),
    [
        ([], 0),
        ([50], 0),
        ([50, 50, 50], 0),
        ([50, 50, 50, 50], 1),
        ([50, 50, 50, 50, 50], 2),
        ([50, 49, 50.4, 48], 1),
        ([50, 50, 50, 60, 60, 60], 0),
        ([50, 50, 50, 50, 60, 60, 60, 60], 2),
        ([50] * 20, 5),
    ],
)
def test_three_iterations_without_gain_climb_and_each_further_one_climbs_on(scores: list[float], climbed: int) -> None:
    assert ladder.rung(scores, STEPS) == climbed


@given(st.lists(st.integers(1, 10), min_size=1, max_size=30))
def test_a_rising_series_never_counts_as_stagnation(gains: list[int]) -> None:
    scores = [float(sum(gains[: place + 1])) for place in range(len(gains))]
    assert ladder.rung(scores, STEPS) == 0


@given(st.lists(st.floats(0, 100), max_size=40))
def test_the_steps_climbed_never_shrink_as_scores_come_in(scores: list[float]) -> None:
    climbed = [ladder.rung(scores[:end], STEPS) for end in range(len(scores) + 1)]
    assert climbed == sorted(climbed)
    assert climbed[-1] <= len(STEPS)


def test_without_a_second_model_the_ladder_has_no_such_step() -> None:
    assert "model" in ladder.steps(2)
    assert "model" not in ladder.steps(1)


ASPECTS = tuple(f"aspect {number}" for number in range(7))


def plan(climbed: tuple[ladder.Step, ...] = (), **changes: object) -> ladder.Plan:
    values: dict = {"aspects": ASPECTS, "least_covered": (), "number": 1, "climbed": climbed, "temperatures": (0.7, 0.4)} | changes
    return ladder.plan(**values)


def test_an_iteration_asks_once_for_each_aspect() -> None:
    assert plan().aspects == ASPECTS
    assert plan().temperature == 0.7
    assert plan().model == 0


def test_few_aspects_are_asked_for_again_up_to_five_items() -> None:
    assert plan(aspects=("a", "b")).aspects == ("a", "b", "a", "b", "a")


def test_many_aspects_are_walked_through_ten_at_a_time() -> None:
    many = tuple(f"a{number}" for number in range(25))
    asked = [plan(aspects=many, number=number).aspects for number in (1, 2, 3)]
    assert all(len(batch) == 10 for batch in asked)
    assert set().union(*asked) == set(many)


def test_the_least_covered_aspects_come_first_and_alone_on_the_first_step() -> None:
    least = tuple(reversed(ASPECTS))
    assert plan(least_covered=least).aspects == least
    assert set(plan(("aim",), least_covered=least).aspects) == set(least[:4])


def test_each_step_of_the_ladder_changes_its_own_thing_and_keeps_the_others() -> None:
    assert plan(("aim", "temperature")).temperature == pytest.approx(0.9)
    assert plan(("aim", "temperature"), temperatures=(0.95, 0.4)).temperature == 1.0
    assert plan(("aim", "temperature", "model")).model == 1
    longest = plan(("aim", "temperature", "model", "longer"))
    assert (longest.longer, len(longest.aspects), longest.model) == (True, 5, 1)


def test_another_model_is_asked_at_its_own_temperature() -> None:
    assert plan(("aim", "model")).temperature == pytest.approx(0.4)
    assert plan(("aim", "temperature", "model")).temperature == pytest.approx(0.6)


def test_a_department_takes_each_model_s_temperature_from_the_definition_by_which_it_generates(tmp_path: Path) -> None:
    services = SimpleNamespace(settings=make_settings(tmp_path, items_per_call=5), catalogue=Catalogue.packaged())
    department = Department.model_validate(department_row("story", 1))
    flat = SimpleNamespace(score=50.0, quality=a_quality())
    state: Any = SimpleNamespace(
        session=SimpleNamespace(services=services),
        department=department,
        aim=(),
        history=[flat],
        chain=(EMBEDDED, "some/model"),
        climbed=(),
    )
    usual = {name: services.catalogue.get(name).generation.temperature for name in ("gather_note", "gather_items_batch")}
    assert usual["gather_note"] != usual["gather_items_batch"]
    assert DepartmentState.plan(state, 1).temperature == usual["gather_note"]
    state.climbed = ("aim", "model")
    assert DepartmentState.plan(state, 1).temperature == usual["gather_items_batch"]


@given(st.integers(0, 200), st.integers(1, 20))
def test_shares_never_exceed_what_is_left_and_unused_ones_roll_over(remaining: int, departments: int) -> None:
    left = remaining
    for place in range(departments):
        part = ladder.share(left, departments - place)
        assert 0 <= part <= left
        left -= part
    assert left == 0


def test_a_department_that_uses_less_leaves_more_for_the_next() -> None:
    assert ladder.share(50, 7) == 8
    assert ladder.share(49, 6) == 9
    assert ladder.share(0, 3) == 0


ALONE = ladder.steps(1)


def test_iterations_are_begun_ahead_while_the_threshold_is_far() -> None:
    assert ladder.may_begin_ahead([40.0, 50.0], 80.0, ALONE, left=5, ahead=1)
    assert ladder.may_begin_ahead([40.0, 50.0], 80.0, ALONE, left=5, ahead=2)
    assert not ladder.may_begin_ahead([40.0, 50.0], 80.0, ALONE, left=5, ahead=3)
    assert not ladder.may_begin_ahead([40.0, 50.0], 59.0, ALONE, left=5, ahead=1)


def test_the_first_iteration_of_a_department_with_a_low_threshold_is_awaited() -> None:
    assert ladder.may_begin_ahead([], 80.0, ALONE, left=5, ahead=1)
    assert not ladder.may_begin_ahead([], 80.0, ALONE, left=5, ahead=2)
    assert not ladder.may_begin_ahead([], 50.0, ALONE, left=5, ahead=1)


def test_nothing_is_begun_ahead_of_the_last_iteration_allowed() -> None:
    assert ladder.may_begin_ahead([10.0], 99.0, ALONE, left=2, ahead=1)
    assert not ladder.may_begin_ahead([10.0], 99.0, ALONE, left=2, ahead=2)


def test_nothing_is_begun_ahead_where_stagnation_could_end_the_department() -> None:
    flat = [50.0] * (1 + ladder.PATIENCE + len(ALONE) - 2)
    assert ladder.rung(flat, ALONE) == len(ALONE) - 1
    assert ladder.may_begin_ahead(flat[:-1], 99.0, ALONE, left=5, ahead=1)
    assert not ladder.may_begin_ahead(flat[:-1], 99.0, ALONE, left=5, ahead=2)
    assert not ladder.may_begin_ahead(flat, 99.0, ALONE, left=5, ahead=1)
