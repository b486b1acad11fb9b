"""Consensus of several models."""

from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.errors import BudgetExhausted, InvalidInput, ModelUnreachable, OutputInvalid, TaskCancelled
from gather_pipeline_tests.tasks.builders import define
from gather_pipeline_tests.tasks.verification.cases import Voices, case, ruled

YES, NO, MAYBE = {"greeting": "Good evening, Mara."}, {"greeting": "Go away!"}, {"greeting": "Lovely weather"}


def asked(voices: Voices) -> list[str]:
    return [model for _, model, _ in voices.asked]


def test_two_models_that_agree_end_it_early():
    voices = Voices(b=YES, c=NO)
    verdict = ruled("consensus", case(YES, voices))
    assert (verdict.ruling, verdict.confidence, verdict.replacement, asked(voices)) == ("accept", 1, None, ["b"])
    assert verdict.reasons == ("2 of 2 models agree: a, b",)


def test_a_dissenter_is_outvoted_and_named():
    voices = Voices(b=NO, c=YES)
    verdict = ruled("consensus", case(YES, voices))
    assert (verdict.ruling, verdict.replacement, asked(voices)) == ("accept", None, ["b", "c"])
    assert verdict.reasons[0] == "2 of 3 models agree: a, c" and verdict.reasons[1].startswith("b differs, likeness 0.")
    assert verdict.evidence["others"] == {"b": NO}


def test_the_output_of_highest_consensus_takes_the_place_of_a_dissenting_writers():
    verdict = ruled("consensus", case(NO, Voices(b=YES, c=YES)))
    assert (verdict.ruling, verdict.replacement, verdict.replaced_by) == ("accept", YES, "b")
    assert "the output of b is taken for that of a" in verdict.reasons


@pytest.mark.parametrize(
    ("voices", "models", "told"),
    [
        ({"b": NO}, 3, "a tie: a, b each have 1 of 2 models"),
        ({"b": NO, "c": MAYBE}, 3, "a tie: a, b, c each have 1 of 3 models"),
        ({"b": NO, "c": NO, "d": YES}, 4, "each have 2 of 4 models"),
    ],
)
def test_a_tie_between_models_escalates(voices: dict[str, Any], models: int, told: str):
    verdict = ruled("consensus", case(YES, Voices(**voices)), {"min_models": 2, "max_models": models})
    assert verdict.ruling == "escalate" and told in verdict.reasons[0] and "the threshold is 0.75" in verdict.reasons[0]


def test_the_largest_group_is_refused_where_it_is_no_majority():
    other = {"greeting": "Bonjour"}
    verdict = ruled("consensus", case(YES, Voices(b=YES, c=NO, d=MAYBE, e=other)), {"min_models": 5, "max_models": 5})
    assert (verdict.ruling, verdict.reasons[0].split(";")[0]) == ("reject", "2 of 5 models agree, expected more than half")


def test_nobody_is_asked_where_no_answer_could_bring_a_majority_any_more():
    voices = Voices(b=NO, c=MAYBE, d=YES)
    assert ruled("consensus", case(YES, voices), {"min_models": 3, "max_models": 4}).ruling == "escalate"
    assert asked(voices) == ["b", "c"]


def test_fewer_models_than_needed_are_undecided_and_nothing_is_paid():
    voices = Voices(b=YES)
    verdict = ruled("consensus", case(YES, voices), {"consensus_count": 3})
    assert (verdict.ruling, verdict.reasons, asked(voices)) == ("undecided", ("2 of 3 models are there to be asked",), [])


def test_a_model_that_cannot_be_had_is_replaced_by_the_next_and_named():
    voices = Voices(b=ModelUnreachable("b is down"), c=OutputInvalid("c is silly"), d=YES)
    verdict = ruled("consensus", case(YES, voices))
    assert (verdict.ruling, asked(voices)) == ("accept", ["b", "c", "d"])
    assert verdict.reasons[1:] == ("b gave no output: b is down", "c gave no output: c is silly")


def test_models_that_vanish_leave_it_undecided():
    verdict = ruled("consensus", case(YES, Voices(b=ModelUnreachable("gone"), c=ModelUnreachable("gone"))))
    assert (verdict.ruling, verdict.reasons[0]) == ("undecided", "1 of 2 models could be had")


def test_a_budget_that_is_spent_in_the_middle_is_undecided_with_what_was_seen():
    voices = Voices(b=NO, c=BudgetExhausted("no more"))
    verdict = ruled("consensus", case(YES, voices), {"min_models": 3, "max_models": 3})
    assert (verdict.ruling, verdict.evidence["models"], verdict.evidence["others"]) == ("undecided", ["a", "b"], {"b": NO})
    assert verdict.reasons == ("the budget was spent after 2 of 3 to 3 models: no more",)


def test_a_cancel_is_no_verdict():
    with pytest.raises(TaskCancelled):
        ruled("consensus", case(YES, Voices(b=TaskCancelled("stop"))))


def test_the_threshold_and_the_similarity_are_parameters():
    near = {"greeting": "Good evening, dear Mara, and welcome."}
    assert ruled("consensus", case(YES, Voices(b=near)), {"similarity_threshold": 0.95, "similarity": "difflib"}).ruling == "escalate"
    assert ruled("consensus", case(YES, Voices(b=near)), {"similarity_threshold": 0.5}).ruling == "accept"


def test_only_the_fields_named_are_compared():
    definition = define(output__schema__properties__warmth={"type": "number", "minimum": 0, "maximum": 10})
    first, second = {"greeting": "Good evening, Mara.", "warmth": 7}, {"greeting": "Hello there!", "warmth": 8}
    assert ruled("consensus", case(first, Voices(b=second), definition=definition)).ruling == "escalate"
    verdict = ruled("consensus", case(first, Voices(b=second), definition=definition), {"fields": ["warmth"]})
    assert (verdict.ruling, verdict.confidence) == ("accept", 0.9)
    loose = define(output__schema={"properties": {"warmth": {}}}, output__examples=[], output__validations=[])
    assert ruled("consensus", case([1], Voices(b=[1]), definition=loose), {"fields": ["warmth"]}).ruling == "accept"
    with pytest.raises(InvalidInput, match=r"task greeting: consensus compares the fields cold, expected properties of output\.schema"):
        ruled("consensus", case(first, Voices(b=second)), {"fields": ["cold"]})


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"min_models": 1}, "parameter min_models is 1, expected greater than or equal to 2"),
        ({"min_models": 4, "max_models": 3}, "max_models is 3, expected at least the 4 of min_models"),
        ({"min_models": 4, "consensus_count": 3}, "min_models is 4 and consensus_count 3, expected one of them"),
        ({"models": 4}, "parameter models is not known, expected one of similarity_threshold, min_models, consensus_count, max_models"),
        ({"similarity": "vibes"}, "similarity is 'vibes', expected one of difflib, "),
    ],
)
def test_wrong_parameters_are_refused_by_name(parameters: dict[str, Any], told: str):
    with pytest.raises(InvalidInput) as refused:
        ruled("consensus", case(YES), parameters)
    assert str(refused.value).startswith(f"verification consensus: {told}")
