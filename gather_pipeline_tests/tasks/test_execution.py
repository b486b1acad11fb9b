from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.executions import Executions
from gather_pipeline.tasks.execution import Call, Execution, Feedback, digest


def execution(*calls: Call, **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "id": "0" * 32,
        "task_id": "greeting",
        "task_version": "1.0.0",
        "definition_hash": "d",
        "input": {"who": "Mara"},
        "status": "succeeded",
        "execution_time_s": 1.5,
        "timestamp": "2026-11-21T08:00:00+00:00",
        "calls": calls,
    }
    return Execution(**(values | changes))


def answered(model: str = "a", tokens: int | None = 1, cost: float | None = 0.5, attempts: int = 1) -> Call:
    usage = Usage(prompt_tokens=tokens, completion_tokens=tokens, cost=cost)
    return Call(model=model, answered_by=model, finish_reason="stop", usage=usage, latency_s=0.1, attempts=attempts)


def test_no_call_costs_nothing():
    assert execution().usage == Usage() and execution().attempts == 0


def test_calls_without_an_answer_cost_nobody_knows_what():
    assert execution(Call(model="a", complaint="ModelTimeout")).usage.tokens is None


def test_a_failed_call_beside_an_answered_one_does_not_hide_what_is_known():
    usage = execution(Call(model="a", complaint="RateLimited"), answered("b")).usage
    assert (usage.tokens, usage.cost) == (2, 0.5)


def test_one_unknown_makes_the_sum_unknown_but_not_the_others():
    usage = execution(answered(cost=None), answered()).usage
    assert (usage.tokens, usage.cost) == (4, None)


def test_reasks_are_told_from_fallbacks_and_retries():
    made = execution(answered("a"), answered("a", attempts=3), Call(model="a", complaint="x"), answered("b"))
    assert (made.attempts, made.reasks, made.retries) == (4, 2, 2)


def test_a_document_has_every_call_flat_and_unknown_figures_as_null():
    first, second = execution(Call(model="a", complaint="RateLimited"), answered("b")).to_document()["calls"]
    assert (first["model"], first["prompt_tokens"], first["cost"]) == ("a", None, None)
    assert (second["answered_by"], second["completion_tokens"], second["cost"]) == ("b", 1, 0.5)
    assert "usage" not in first and "usage" not in second


CHECKED = execution(
    answered("a"),
    Call(model="b", complaint="RateLimited", purpose="comparison"),
    model="a",
    output={"greeting": "Hi"},
    verdicts=(
        Verdict(ruling="undecided", method="consensus", reasons=("only one model answered",)),
        Verdict(ruling="accept", method="human", confidence=0.9, evidence={"by": "mara"}),
    ),
    verified=True,
    fallback="human_review",
    waiting="review-1",
)


def test_a_document_tells_how_the_output_was_verified_as_the_seed_does():
    results = CHECKED.to_document()["verification_results"]
    assert (results["method_used"], results["passed"], results["confidence"]) == ("consensus+human", True, 0.9)
    assert [verdict["ruling"] for verdict in results["details"]["verdicts"]] == ["undecided", "accept"]


@pytest.mark.parametrize("made", [CHECKED, execution(), execution(answered("a", attempts=2), parameters={"seed": 3}, cached=True)])
def test_a_document_gives_back_the_execution(made: Execution):
    assert Execution.from_document({**json.loads(json.dumps(made.to_document())), "_version": 1}) == made


def test_a_document_from_before_there_were_checks_is_still_read():
    row = execution(answered("a")).to_document()
    old = {name: value for name, value in row.items() if name not in ("model", "fallback", "waiting", "cached")}
    old["calls"] = [{name: value for name, value in call.items() if name not in ("purpose", "cached")} for call in row["calls"]]
    assert Execution.from_document(old) == execution(answered("a"))


@pytest.mark.parametrize("gone", ["_id", "task_id", "performance", "calls"])
def test_a_document_that_is_none_is_refused_by_the_field_it_lacks(gone: str):
    row = execution().to_document()
    del row[gone]
    with pytest.raises(InvalidInput, match=f"{gone}.* is missing or wrong, expected the document of an execution"):
        Execution.from_document(row)


def test_a_kept_answer_costs_nothing_again():
    made = execution(replace(answered("a", cost=2.0), cached=True), answered("b", cost=0.5))
    assert made.usage.cost == 0.5 and execution(replace(answered("a"), cached=True)).usage == Usage()


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
    assert len(digest("é\ud800")) == 64


@pytest.mark.parametrize("corrected", [[], {}, "", 0, False, {"greeting": "Ho."}])
def test_a_correction_is_kept_whatever_its_value(corrected: Any):
    said = Feedback(by="Mara", at="2026-11-22T08:00:00+00:00", accepted=True, corrected=corrected)
    again = Execution.from_document(execution(output={"greeting": "Hi."}, feedback=(said,)).to_document())
    assert again.feedback == (said,) and again.accepted_output() == corrected


def test_a_review_of_its_own_output_is_no_answer_asked_for_again():
    wrote, reviewed = replace(answered("a"), obtained="strict"), replace(answered("a"), purpose="review")
    assert execution(wrote, reviewed).reasks == 0 and execution(answered("a"), reviewed).reasks == 0


def test_a_number_of_more_than_64_bits_is_recorded(tmp_path: Path):
    store = SqliteStore(tmp_path)
    made = execution(input={"n": -(10**20)}, output={"rows": [{"n": 10**25}]})
    Executions(store, "studio").add(made)
    assert Executions(store, "studio").get(made.id) == made
    store.close()
