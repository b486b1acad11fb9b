"""How much is checked, and why."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Budget, TrackRecord, Verdict
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.execution import Feedback
from gather_pipeline.tasks.verification import chain
from gather_pipeline.tasks.verification.adaptive import track_record, weighed
from gather_pipeline_tests.tasks.builders import Bench, define
from gather_pipeline_tests.tasks.checks import METHOD, told
from gather_pipeline_tests.tasks.verification.cases import Voices, case, ruled

GOOD = {"greeting": "Good evening, Mara."}
PROVEN, DOUBTFUL, MIXED, NEW = TrackRecord(runs=60, accepted=60), TrackRecord(runs=30, accepted=15), TrackRecord(runs=10, accepted=9), None


@pytest.fixture(autouse=True)
def methods(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in METHOD.items():
        monkeypatch.setitem(chain.METHODS, name, place)  # type: ignore[arg-type]


def ladder(*rulings: str) -> list[dict[str, Any]]:
    return [told(ruling, waiting=f"rung {rung}") for rung, ruling in enumerate(rulings, 1)]


ACCEPTING = ladder("accept", "accept", "accept")


@pytest.mark.parametrize(
    ("risk", "record", "rung"),
    [
        ("low", PROVEN, 0),
        ("low", MIXED, 0),
        ("low", NEW, 1),
        ("low", DOUBTFUL, 1),
        ("medium", PROVEN, 0),
        ("medium", MIXED, 1),
        ("medium", NEW, 2),
        ("high", PROVEN, 1),
        ("high", MIXED, 2),
        ("high", DOUBTFUL, 3),
        ("critical", PROVEN, 3),
    ],
)
def test_the_rung_follows_from_risk_and_record(risk: str, record: TrackRecord | None, rung: int):
    verdict = ruled("adaptive", case(GOOD, record=lambda: record), {"risk": risk, "checks": ACCEPTING})
    assert (verdict.ruling, verdict.method, verdict.waiting) == ("accept", "adaptive", f"rung {rung}" if rung else None)
    assert verdict.reasons[0].startswith(f"the risk is {risk} and a {weighed(record)[1]}: ")


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (PROVEN, "has proven itself (60 of 60 accepted, 95% interval 0.94 to 1.00)"),
        (DOUBTFUL, "is doubtful (15 of 30 accepted, 95% interval 0.33 to 0.67)"),
        (MIXED, "is neither proven nor doubtful (9 of 10 accepted, 95% interval 0.60 to 0.98)"),
        (TrackRecord(runs=4, accepted=4), "is new to the task"),
    ],
)
def test_a_record_is_weighed_with_its_uncertainty(record: TrackRecord, told: str):
    assert weighed(record)[1] == told


ACCEPTED, REJECTED = Verdict(ruling="accept", method="consensus"), Verdict(ruling="reject", method="consensus")
UNCHECKED = Verdict(ruling="accept", method="adaptive", evidence={"checks": []})
NOBODY = Verdict(ruling="undecided", method="external")


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"verified": True, "verdicts": (ACCEPTED,)}, (1, 1)),
        ({"verified": False, "verdicts": (REJECTED,)}, (1, 0)),
        ({"verified": True, "verdicts": (replace(ACCEPTED, replacement={"greeting": "Hi."}),)}, (1, 0)),
        ({"verified": False, "verdicts": (NOBODY,)}, (0, 0)),
        ({"verified": True, "verdicts": (UNCHECKED,)}, (0, 0)),
        ({}, (0, 0)),
        ({"feedback": (Feedback(by="Mara", at="2026", accepted=False),), "verified": True, "verdicts": (ACCEPTED,)}, (1, 0)),
        (
            {
                "feedback": (Feedback(by="Mara", at="2026", accepted=True),),
                "verified": True,
                "verdicts": (replace(ACCEPTED, replacement={"greeting": "Hi."}, replaced_by="b"),),
            },
            (1, 0),
        ),
        ({"model": "other", "verified": True, "verdicts": (ACCEPTED,)}, (0, 0)),
    ],
)
def test_a_record_counts_what_people_say_and_else_what_checks_decided(changes: dict[str, Any], counted: tuple[int, int]):
    bench = Bench(json.dumps(GOOD))
    bench.run(model="a")
    record = track_record([replace(bench.record, **changes)], "a")
    assert (record.runs, record.accepted) == counted


def test_the_model_whose_output_is_taken_is_known_of_the_check_that_took_it():
    checks = [{"method": "consensus", "parameters": {"min_models": 3, "similarity": "difflib"}}]
    made = define(verification={"method": "adaptive", "parameters": {"risk": "low", "checks": checks}})
    bench = Bench(*(json.dumps({"greeting": text, "warmth": 5}) for text in ("Ho.", "Hail, Mara!", "Hail, Mara!")), definition=made)
    bench.run(model="a", fallback_models=["b", "c"])
    assert (bench.record.model, bench.record.final_model, bench.record.output["greeting"]) == ("a", "b", "Hail, Mara!")


def test_a_check_that_does_not_decide_leads_to_the_next():
    verdict = ruled("adaptive", case(GOOD, record=lambda: MIXED), {"risk": "high", "checks": ladder("accept", "escalate", "undecided")})
    assert (verdict.ruling, [one["waiting"] for one in verdict.evidence["checks"]]) == ("undecided", ["rung 2", "rung 3"])  # type: ignore[union-attr,index,call-overload]
    assert verdict.reasons[1:] == ("told: told to escalate", "told: told to undecided")


def test_a_rejection_ends_it_and_a_better_output_is_handed_on():
    checks = [told("undecided", replacement={"greeting": "Hi."}), told("reject")]
    verdict = ruled("adaptive", case(GOOD, record=lambda: MIXED), {"risk": "medium", "checks": checks})
    assert (verdict.ruling, verdict.replacement) == ("reject", {"greeting": "Hi."})


def test_a_check_that_the_budget_does_not_hold_is_passed_over():
    checks = [{"method": "hierarchical"}, {"method": "consensus"}, told("accept", waiting="a person")]
    voices = Voices(left=Budget(tokens=5), b=GOOD)
    verdict = ruled("adaptive", case(GOOD, voices, record=lambda: MIXED), {"risk": "high", "checks": checks})
    assert (verdict.ruling, verdict.waiting, voices.asked) == ("accept", "a person", [])
    assert verdict.reasons[1] == "the budget left does not hold consensus"


def test_a_budget_that_holds_no_check_leaves_it_undecided_unless_the_risk_is_low():
    for risk, ruling in (("low", "accept"), ("medium", "undecided")):
        verdict = ruled("adaptive", case(GOOD, Voices(left=Budget(cost=0), b=GOOD)), {"risk": risk})
        assert (verdict.ruling, verdict.reasons[-1].startswith("the budget left does not hold ")) == (ruling, True)


def test_with_enough_left_the_packaged_ladder_reviews():
    voices = Voices(left=Budget(tokens=10_000, cost=1), b={"confidence": 0.9})
    verdict = ruled("adaptive", case(GOOD, voices, record=lambda: MIXED))
    assert (verdict.ruling, voices.asked[0][:2]) == ("accept", ("review", "b"))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"risk": "dire"}, "parameter risk is 'dire', expected 'low', 'medium', 'high' or 'critical'"),
        ({"checks": [{"method": "oracle"}]}, "verification method is 'oracle', expected one of "),
        ({"risk": "critical"}, "verification human: expected a review queue"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], told: str):
    with pytest.raises(InvalidInput) as refused:
        ruled("adaptive", case(GOOD), parameters)
    assert told in str(refused.value)
