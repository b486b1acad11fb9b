"""What a chain of checks does to an output, seen from the runner."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import BudgetExhausted, InvalidInput, OutputRejected
from gather_pipeline.records.review import Reviews
from gather_pipeline.tasks.runner import Support
from gather_pipeline.tasks.verification import chain
from gather_pipeline_tests.tasks.builders import Bench, define
from gather_pipeline_tests.tasks.checks import METHOD, told
from gather_pipeline_tests.tasks.verification.cases import TOOLS

GOOD, OTHER = '{"greeting": "Good evening, Mara."}', '{"greeting": "Hi."}'


@pytest.fixture(autouse=True)
def method(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in METHOD.items():
        monkeypatch.setitem(chain.METHODS, name, place)  # type: ignore[arg-type]


def bench(*links: dict[str, Any], answers: tuple[Any, ...] = (GOOD,), fallback: str | None = None, reviews: Reviews | None = None) -> Bench:
    verification = {"chain": list(links), **({"fallback_strategy": fallback} if fallback else {})}
    support = Support(tools=replace(TOOLS, reviews=reviews))
    return Bench(*answers, definition=define(verification=verification), support=support)


@pytest.mark.parametrize(
    ("links", "rulings", "verified"),
    [
        ([told("accept")], ["accept"], True),
        ([told("accept"), told("reject")], ["accept"], True),
        ([told("undecided"), told("accept")], ["undecided", "accept"], True),
        ([told("reject"), told("accept")], ["reject", "accept"], True),
        ([told("escalate"), told("undecided")], ["escalate", "undecided"], False),
        ([told("reject", on_reject="end"), told("accept")], ["reject"], False),
        ([told("accept", on_accept="next"), told("accept")], ["accept", "accept"], True),
        ([told("accept", on_accept="next"), told("undecided")], ["accept", "undecided"], False),
    ],
)
def test_a_chain_ends_as_its_links_say_and_its_end_is_a_refusal(links: list[dict[str, Any]], rulings: list[str], verified: bool):
    made = bench(*links)
    if verified:
        assert made.run() == json.loads(GOOD)
    else:
        with pytest.raises(OutputRejected, match=r"task greeting 1\.0\.0: no check accepted the output of small: told to "):
            made.run()
    assert [verdict.ruling for verdict in made.record.verdicts] == rulings
    assert (made.record.verified, made.record.output) == (verified, json.loads(GOOD))
    assert made.record.status == ("succeeded" if verified else "failed")


def test_a_check_sees_what_came_before_it_and_asks_models_at_the_executions_cost():
    asking = told("undecided", ask="b", revise="a", review="c")
    made = bench(asking, told("accept"), answers=(GOOD, OTHER, OTHER, '{"confidence": 0.9}'))
    made.run(model="a", fallback_models=["b", "c"])
    first, second = made.record.verdicts
    assert first.evidence["asked"] == {"greeting": "Hi."} and first.evidence["reviewed"] == {"confidence": 0.9}
    assert first.evidence["prompt"] == "Greet Mara in a kind way." and second.evidence["before"] == ["undecided"]
    assert [(call.model, call.purpose) for call in made.record.calls] == [
        ("a", "answer"),
        ("b", "comparison"),
        ("a", "revision"),
        ("c", "review"),
    ]
    assert made.record.usage.cost == 1.0 and made.record.models_used == ("a", "b", "c") and made.record.model == "a"
    revision, review = made.model.requests[2:]
    assert revision.messages[1].content == GOOD and "too cold" in revision.messages[2].content
    assert (review.temperature, review.messages[1].content) == (0, "Is it good?")


def test_a_better_output_of_a_check_is_what_the_next_sees_and_the_caller_gets():
    made = bench(told("undecided", replacement={"greeting": "Hi."}), told("accept"))
    assert made.run() == {"greeting": "Hi."} == made.record.output
    assert made.record.verdicts[1].evidence["output"] == {"greeting": "Hi."}


def test_the_highest_ranked_models_output_is_what_a_caller_gets_by_that_fallback():
    made = bench(told("reject", replacement={"greeting": "Hi."}), fallback="use_highest_ranked_model")
    assert made.run() == json.loads(GOOD)
    assert (made.record.verified, made.record.fallback, made.record.waiting) == (False, "use_highest_ranked_model", None)


def test_an_output_that_a_person_shall_see_is_returned_as_waiting_until_it_is_decided(reviews: Reviews):
    made = bench(told("undecided"), answers=(GOOD, GOOD, GOOD, GOOD), fallback="human_review", reviews=reviews)
    assert made.run() == json.loads(GOOD)
    record = made.record
    assert (record.fallback, record.status, record.verified) == ("human_review", "succeeded", False)
    [review] = reviews.find()
    assert record.waiting == review.id and [verdict.method for verdict in record.verdicts] == ["told", "human"]
    assert [verdict["ruling"] for verdict in review.proposal.shown["verdicts"]] == ["undecided"]  # type: ignore[index,union-attr,call-overload]
    made.run()
    assert reviews.get(review.id).sources == tuple(one.id for one in made.records)
    reviews.decide(review.id, "edit", by="Mara", changed={"greeting": "Hi."})
    assert made.run() == {"greeting": "Hi."}
    assert (made.records[2].verified, made.records[2].fallback, made.records[2].waiting) == (True, None, None)


def test_an_output_that_a_person_has_rejected_is_refused(reviews: Reviews):
    made = bench(told("undecided"), answers=(GOOD, GOOD), fallback="human_review", reviews=reviews)
    made.run()
    reviews.decide(reviews.find()[0].id, "reject", by="Mara", note="too stiff")
    with pytest.raises(OutputRejected, match=r"told to undecided; Mara rejected it at .* UTC: too stiff"):
        made.run()
    assert (made.records[1].fallback, made.records[1].waiting) == (None, None)


def test_a_person_is_asked_even_where_a_check_ends_the_chain(reviews: Reviews):
    made = bench(told("reject", on_reject="end"), told("accept"), fallback="human_review", reviews=reviews)
    made.run()
    assert made.record.waiting == reviews.find()[0].id


def test_a_fallback_to_people_is_refused_before_anything_is_paid_where_nobody_could_be_asked():
    made = bench(told("undecided"), fallback="human_review")
    with pytest.raises(InvalidInput, match="verification human: expected a review queue"):
        made.run()
    assert made.model.requests == []


def test_a_check_that_has_put_it_before_a_person_already_makes_it_wait_without_another_review():
    made = bench(told("escalate", waiting="review-7"))
    assert made.run() == json.loads(GOOD) and (made.record.waiting, made.record.fallback) == ("review-7", None)


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"method": "oracle"}, "verification method is 'oracle', expected one of "),
        ({"method": "told"}, "verification told: parameters lack ruling"),
    ],
)
def test_a_check_that_cannot_be_made_is_refused_before_anything_is_paid(link: dict[str, Any], message: str):
    made = bench(link)
    with pytest.raises(InvalidInput, match=message):
        made.run()
    assert made.model.requests == [] and made.record.status == "failed"


def test_a_runner_without_tools_refuses_to_hand_out_unverified_output():
    made = Bench(GOOD, definition=define(verification=told("accept")), support=Support())
    with pytest.raises(InvalidInput, match="task greeting is verified, expected a runner with what checks are built with"):
        made.run()


def test_a_budget_that_is_spent_in_the_middle_of_a_check_ends_the_execution_and_is_recorded():
    made = bench(told("accept", ask="b"), answers=(GOOD, OTHER))
    with pytest.raises(BudgetExhausted, match="the budget of this execution is spent, expected more for one more comparison"):
        made.run(budget=Budget(cost=0.25))
    assert made.record.usage.cost == 0.25 and made.record.error is not None and made.record.error.startswith("BudgetExhausted")
    assert made.record.output == json.loads(GOOD)
