from __future__ import annotations

import re
from typing import Any

import pytest

from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import BudgetExhausted, InvalidInput, ModelRefused, OutputInvalid, OutputRejected, TaskCancelled
from gather_pipeline_tests.tasks.builders import Bench, define
from gather_pipeline_tests.tasks.checks import METHOD, told

MOOD, GOOD = '{"greeting": "joyful"}', '{"greeting": "Good evening."}'
NEEDS = {"task": "moods", "inputs": {"who": "who"}, "outputs": {"mood": "output.greeting"}}


def bench(*answers: Any, **changes: Any) -> Bench:
    definition = define(dependencies=[NEEDS | changes])
    return Bench(*answers, definition=definition, others=[define(id="moods", generation__max_reasks=0)])


def test_a_dependency_runs_first_and_its_output_is_part_of_the_input():
    made = bench(MOOD, GOOD)
    made.run(tags={"department": "story"})
    first, second = made.records
    assert (first.task_id, first.tags) == ("moods", {"department": "story", "needed_by": second.id})
    assert second.input == {"who": "Mara", "mood": "joyful"} and second.tags["dependencies"] == {"moods": first.id}


def test_what_the_caller_gives_is_not_asked_for():
    made = bench(GOOD)
    made.run({"who": "Mara", "mood": "grim"})
    assert made.record.input["mood"] == "grim"


@pytest.mark.parametrize(
    ("policy", "mood"), [({"on_error": "skip"}, "kind"), ({"on_error": "fallback", "fallback": {"mood": "calm"}}, "calm")]
)
def test_an_error_leaves_out_or_replaces_what_the_dependency_brings(policy: dict[str, Any], mood: str):
    made = bench("prose", GOOD, **policy)
    made.run()
    assert [record.status for record in made.records] == ["failed", "succeeded"]
    assert made.records[1].input["mood"] == mood and made.records[1].tags["dependencies"] == {}


@pytest.mark.parametrize("error", [ModelRefused("no key"), "prose"])
def test_an_error_stops_where_nothing_else_is_said_and_both_are_recorded(error: Any):
    made = bench(error)
    with pytest.raises((ModelRefused, OutputInvalid)):
        made.run()
    assert [(record.task_id, record.status) for record in made.records] == [("moods", "failed"), ("greeting", "failed")]


def test_a_cancel_is_no_error_to_go_on_after():
    with pytest.raises(TaskCancelled):
        bench(TaskCancelled("enough"), on_error="skip").run()


def test_an_output_that_waits_for_a_person_is_not_handed_on(monkeypatch: pytest.MonkeyPatch):
    from gather_pipeline.tasks.verification import chain

    for name, place in METHOD.items():
        monkeypatch.setitem(chain.METHODS, name, place)  # type: ignore[arg-type]
    moods = define(id="moods", verification={"chain": [told("escalate", waiting="review-7")]})
    made = Bench(MOOD, definition=define(dependencies=[NEEDS]), others=[moods])
    with pytest.raises(OutputRejected, match="task moods: its output waits for review"):
        made.run()


def test_an_output_that_its_task_gives_although_it_waits_is_handed_on(monkeypatch: pytest.MonkeyPatch):
    from gather_pipeline.tasks.verification import chain

    monkeypatch.setitem(chain.METHODS, "told", METHOD["told"])  # type: ignore[arg-type]
    verification = {"chain": [told("escalate", waiting="review-7")], "fallback_strategy": "use_highest_ranked_model"}
    made = Bench(MOOD, GOOD, definition=define(dependencies=[NEEDS]), others=[define(id="moods", verification=verification)])
    made.run()
    assert made.records[0].waiting == "review-7" and made.records[1].input["mood"] == "joyful"


def test_dependencies_run_in_their_order_and_a_later_one_gets_what_an_earlier_one_brought():
    later = {"task": "echo", "inputs": {"who": "mood"}, "outputs": {"note": "output"}}
    definition = define(dependencies=[NEEDS, later], input__schema__properties__note={"type": "object"})
    made = Bench(MOOD, '{"greeting": "So joyful."}', GOOD, definition=definition, others=[define(id="moods"), define(id="echo")])
    made.run()
    assert made.records[1].input["who"] == "joyful"
    assert made.records[2].input == {"who": "Mara", "mood": "joyful", "note": {"greeting": "So joyful."}}


@pytest.mark.parametrize(("answer", "policy"), [(MOOD, {}), ("prose", {"on_error": "skip"})])
def test_what_a_dependency_spends_is_spent_of_the_same_budget(answer: str, policy: dict[str, Any]):
    made = bench(answer, GOOD, **policy)
    with pytest.raises(BudgetExhausted, match="task greeting: the budget of this execution is spent"):
        made.run(budget=Budget(cost=0.25))
    assert len(made.model.requests) == 1


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ({"who": "Mara", "age": 5}, {}, "'age' was unexpected"),
        ({"who": 5}, {}, "task greeting 1.0.0 does not fit: who: 5 is not of type 'string'"),
        ({"who": " ", "mood": "calm"}, {}, "task greeting 1.0.0 does not fit: who is empty"),
        ({"who": "Mara"}, {"prompt_id": "quiet"}, "prompt of task greeting is 'quiet'"),
    ],
)
def test_what_is_wrong_is_refused_before_a_dependency_is_paid(inputs: dict[str, Any], options: dict[str, Any], message: str):
    made = bench(MOOD, GOOD)
    with pytest.raises(InvalidInput, match=re.escape(message)):
        made.run(inputs, **options)
    assert made.model.requests == [] and made.record.task_id == "greeting"


def test_a_dependency_gets_the_default_of_a_property_that_the_caller_leaves_out():
    needs = {"task": "echo", "inputs": {"who": "mood"}, "outputs": {"note": "output"}}
    definition = define(dependencies=[needs], input__schema__properties__note={"type": "object"})
    made = Bench(MOOD, GOOD, definition=definition, others=[define(id="echo")])
    made.run()
    assert made.records[0].input["who"] == "kind"
