"""Rankings against synthetic histories; the seeds here were not looked at when the gate and the certainty were chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Ruling, Verdict
from gather_pipeline.tasks.definition import RankingCriteria
from gather_pipeline.tasks.execution import Call, Feedback
from gather_pipeline.tasks.ranking import LEAST_SAMPLES, Observation, observations, rank
from gather_pipeline_tests.tasks.histories import NOW, history
from gather_pipeline_tests.tasks.test_execution import answered, execution

ASIDE = range(5000, 5020)
BETTER = {"a": (0.6, 2.0), "b": (0.9, 2.0)}


def firsts(truth: dict[str, tuple[float, float]], runs: int, **options: Any) -> float:
    """In how many of the histories model b comes first where a was."""
    found = [rank("t", history(seed, truth, runs), now=NOW, criteria=None, before=("a", "b"), **options) for seed in ASIDE]
    return sum(one is not None and one.models[0].model == "b" for one in found) / len(found)


def test_a_clearly_better_model_comes_first_and_one_no_better_hardly_ever() -> None:
    assert firsts(BETTER, 80) > 0.95
    assert firsts({"a": (0.7, 2.0), "b": (0.7, 2.0)}, 80) <= 0.15
    assert firsts({"a": (0.8, 2.0), "b": (0.7, 2.0)}, 80) == 0


@pytest.mark.parametrize(("priority", "first"), [(1.0, "a"), (0.0, "b"), (0.5, "b")])
def test_priorities_decide_between_a_better_and_a_faster_model(priority: float, first: str) -> None:
    criteria = RankingCriteria(quality_priority=priority, speed_priority=1 - priority, context_size="small")
    seen = history(1, {"a": (0.95, 9.0), "b": (0.7, 1.0)}, 60)
    made = rank("t", seen, now=NOW, criteria=criteria)
    assert made is not None and made.models[0].model == first


def test_a_model_with_few_executions_keeps_its_place_and_that_is_said() -> None:
    seen = history(2, {"a": (0.1, 2.0)}, 60) + history(3, {"b": (1.0, 2.0)}, 5, days=0.1)
    made = rank("t", seen, now=NOW, criteria=None, before=("a", "b"))
    assert made is not None and [one.model for one in made.models] == ["a", "b"] and not made.changed
    assert made.reasons == (f"b keeps its place: 5.0 executions count, expected {LEAST_SAMPLES:g} or more",)


def test_models_whose_intervals_overlap_stay_and_each_change_is_said() -> None:
    close = rank("t", history(4, {"a": (0.7, 2.0), "b": (0.75, 1.9)}, 20), now=NOW, criteria=None, before=("a", "b"))
    assert close is not None and not close.changed
    changed = rank("t", history(5, BETTER, 80), now=NOW, criteria=None, before=("a", "b"))
    assert changed is not None and changed.changed
    assert changed.reasons[0].startswith("b goes before a: it is better with a probability of ")


def test_what_was_long_ago_counts_little() -> None:
    old = [replace(one, at=one.at - timedelta(days=150)) for one in history(6, {"a": (1.0, 2.0), "b": (0.2, 2.0)}, 100)]
    new = history(7, {"a": (0.2, 2.0), "b": (1.0, 2.0)}, 30)
    made = rank("t", old + new, now=NOW, criteria=None, before=("a", "b"))
    assert made is not None and made.models[0].model == "b"
    assert made.models[0].samples == pytest.approx(100 * 0.5 ** (160 / 30) + 30 * 0.5 ** (10 / 30), rel=0.15)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = [0, 0]
    for seed in ASIDE:
        [one] = rank("t", history(seed, {"a": (0.7, 2.0)}, 40, days=1), now=NOW, criteria=None).models  # type: ignore[union-attr]
        assert one.latency_s is not None
        inside[0] += one.quality.low <= 0.7 <= one.quality.high
        inside[1] += one.latency_s.low <= 2.0 <= one.latency_s.high
    assert all(0.75 <= count / len(ASIDE) <= 1 for count in inside)


def test_a_task_that_nobody_judges_is_ranked_by_first_answers_that_fit() -> None:
    made = rank("t", history(8, {"a": (0.3, 2.0), "b": (0.95, 2.0)}, 60, judged=False), now=NOW, criteria=None)
    assert made is not None and (made.kind, made.models[0].model) == ("fit", "b")
    assert rank("t", [], now=NOW, criteria=None) is None


def said(**changes: Any) -> Feedback:
    return Feedback(**{"by": "mara", "at": "2026-11-26T08:00:00+00:00"} | changes)


def ruled(ruling: Ruling, method: str = "consensus", **changes: Any) -> Verdict:
    return Verdict(ruling=ruling, method=method, **changes)


@pytest.mark.parametrize(
    ("changes", "judged"),
    [
        ({}, None),
        ({"verified": False, "verdicts": (ruled("reject"),)}, 0.0),
        ({"verified": True, "verdicts": (ruled("accept"),)}, 1.0),
        ({"verified": False, "verdicts": (ruled("undecided"), ruled("escalate", waiting="r1"))}, None),
        ({"verified": True, "verdicts": (ruled("accept", replacement={"greeting": "Of another model."}),)}, 0.0),
        ({"verified": True, "verdicts": (ruled("accept", method="human", replacement={"greeting": "Ho."}),)}, 0.5),
        ({"verified": False, "verdicts": (ruled("reject"),), "feedback": (said(accepted=True),)}, 1.0),
        ({"verified": True, "verdicts": (ruled("accept"),), "feedback": (said(rating=2),)}, 0.25),
        ({"feedback": (said(accepted=True, corrected={"greeting": "Ho."}),)}, 0.5),
        ({"feedback": (said(accepted=False, source="check"),)}, 0.0),
        (
            {
                "model": "a",
                "verified": True,
                "verdicts": (ruled("accept", replacement="Ho.", replaced_by="b"),),
                "feedback": (said(accepted=True),),
            },
            0.0,
        ),
    ],
)
def test_a_persons_word_counts_before_a_checks(changes: dict[str, Any], judged: float | None) -> None:
    call = replace(answered("a"), obtained="strict")
    [one] = observations(execution(call, replace(answered("b"), purpose="review"), **changes))
    assert (one.model, one.judged, one.usable, one.fit) == ("a", judged, True, True)


@pytest.mark.parametrize(("tag", "department"), [("story", "story"), (["story"], None), ({"a": 1}, None), (7, None), (None, None)])
def test_a_tag_is_a_department_only_where_it_can_be_one(tag: object, department: str | None) -> None:
    [one] = observations(execution(answered("a"), tags={"department": tag}))
    assert one.department == department


def test_only_calls_that_were_made_for_the_output_and_answered_tell_of_a_model() -> None:
    down, refused = Call(model="a", complaint="ModelTimeout: no answer"), replace(answered("b"), complaint="no JSON")
    found = {one.model: one for one in observations(execution(down, refused, replace(answered("b"), obtained="strict", latency_s=0.3)))}
    assert set(found) == {"b"}
    one: Observation = found["b"]
    assert (one.fit, one.usable, one.latency_s, one.cost) == (False, True, pytest.approx(0.4), 1.0)
    assert list(observations(execution(replace(answered("a"), cached=True)))) == []
