"""Outputs that wait for a person, and what they are once the person has decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.records.review import Reviews
from gather_pipeline_tests.tasks.verification.cases import TOOLS, case, ruled

GOOD = {"greeting": "Good evening, Mara."}


def human(reviews: Reviews, output: Any = GOOD, parameters: dict[str, Any] | None = None, **changes: Any) -> Verdict:
    return ruled("human", case(output, **changes), parameters, replace(TOOLS, reviews=reviews))


def test_an_output_waits_for_a_person_with_all_that_a_decision_needs(reviews: Reviews):
    earlier = (Verdict(ruling="reject", method="hierarchical", reasons=("too cold",)),)
    verdict = human(reviews, parameters={"assignee": "Mara"}, earlier=earlier)
    [review] = reviews.find()
    assert (verdict.ruling, verdict.waiting) == ("escalate", review.id)
    assert verdict.reasons == (f"it waits for Mara: tlm review show {review.id}",)
    proposal = review.proposal
    assert (proposal.kind, proposal.content, proposal.assignee, review.sources) == ("task_output", GOOD, "Mara", ("e1",))
    assert proposal.subject == {"task": "greeting", "version": "1.0.0", "input": {"who": "Mara", "mood": "kind"}}
    assert proposal.schema["required"] == ["greeting"] and proposal.validations == ("non_empty_text",)
    taken = Verdict(ruling="escalate", method="consensus", replacement={"greeting": "Hi."}, replaced_by="b")
    human(reviews, {"greeting": "Hi."}, earlier=(taken, *earlier))
    assert [one.proposal.shown["model"] for one in reviews.find()] == ["a", "b"]
    assert proposal.title == 'greeting: {"who": "Mara", "mood": "kind"}'


@pytest.mark.parametrize(
    ("choice", "changed", "ruling"), [("accept", None, "accept"), ("reject", None, "reject"), ("edit", {"greeting": "Hi."}, "accept")]
)
def test_the_same_output_is_ruled_as_the_person_has_decided(reviews: Reviews, choice: Any, changed: Any, ruling: str):
    waiting = human(reviews).waiting
    assert waiting is not None
    reviews.decide(waiting, choice, by="Mara", note="as it is", changed=changed)
    verdict = human(reviews, execution_id="e2")
    assert (verdict.ruling, verdict.replacement, verdict.waiting) == (ruling, changed, None)
    assert verdict.reasons[0].startswith(f"Mara {choice}ed it at ") and verdict.reasons[0].endswith(": as it is")


def test_another_output_or_another_input_is_another_question(reviews: Reviews):
    first = human(reviews)
    assert human(reviews, {"greeting": "Hi."}).waiting != first.waiting != human(reviews, input={"who": "Jonas"}).waiting
    assert len(reviews.find()) == 3


def test_a_question_that_has_lapsed_is_asked_anew(reviews: Reviews):
    waiting = human(reviews, parameters={"expires_hours": 24}).waiting  # by a clock that stands in the past
    assert waiting is not None
    if reviews.get(waiting).status == "open":
        reviews.expire(waiting, by="Mara")
    assert human(reviews).waiting == waiting and reviews.get(waiting).status == "open"
    assert [step.action for step in reviews.get(waiting).history] == ["proposed", "expired", "proposed"]
