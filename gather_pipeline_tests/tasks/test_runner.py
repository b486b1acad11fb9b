from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gather_pipeline.domain.executions import Message, Usage
from gather_pipeline.domain.verdicts import Budget
from gather_pipeline.errors import (
    BudgetExhausted,
    InvalidInput,
    ModelRefused,
    ModelTimeout,
    ModelUnavailable,
    OutputInvalid,
    RateLimited,
    StoreError,
    TaskCancelled,
    UnknownEntity,
)
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import UNKNOWN
from gather_pipeline.tasks.runner import TaskRunner
from gather_pipeline_tests.tasks.builders import PLAIN_TEXT, Bench, HangingModel, ListModel, StepClock, completion, define

GOOD = '{"greeting": "Good evening, Mara."}'


def test_an_answer_that_fits_is_returned_and_recorded_once():
    bench = Bench(GOOD)
    assert bench.run(tags={"department": "story"}, seed=7) == {"greeting": "Good evening, Mara."}
    row = bench.record.to_document()
    assert row["task_id"] == "greeting" and row["task_version"] == "1.0.0"
    assert row["input"] == {"who": "Mara", "mood": "kind"} and row["output"] == {"greeting": "Good evening, Mara."}
    assert row["models_used"] == ["small"]
    assert row["verification_results"] == {"method_used": "none", "passed": None, "confidence": None, "details": {}}
    assert row["performance"] == {
        "execution_time": 2.0,
        "tokens_used": 15,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cost": 0.25,
    }
    assert row["timestamp"] == "2026-11-21T08:00:00.000000+00:00" and row["feedback"] is None
    assert row["status"] == "succeeded" and row["error"] is None and row["tags"] == {"department": "story"}
    assert row["prompt_id"] == "standard" and row["attempts"] == 1 and row["reasks"] == 0 and row["retries"] == 0
    assert row["parameters"] == {
        "temperature": 0.5,
        "max_tokens": 50,
        "timeout_s": 120.0,
        "seed": 7,
        "sampling": {},
        "conditions": [],
    }
    assert json.loads(json.dumps(row)) == row


def test_the_request_carries_the_definitions_parameters_and_a_schema_without_limits():
    bench = Bench(GOOD)
    bench.run()
    [request] = bench.model.requests
    assert request.messages == (Message(role="user", content="Greet Mara in a kind way."),)
    assert (request.model, request.temperature, request.max_tokens, request.seed) == ("small", 0.5, 50, None)
    assert request.response_schema is not None
    warmth = request.response_schema["properties"]["warmth"]
    assert warmth == {"type": "number", "description": "(minimum 0, maximum 10)"}


def test_the_callers_temperature_and_length_win_over_the_definitions():
    bench = Bench(GOOD)
    bench.run(temperature=0, max_tokens=9)
    assert (bench.model.requests[0].temperature, bench.model.requests[0].max_tokens) == (0, 9)


def test_a_condition_that_holds_chooses_its_prompt_and_another_changes_nothing():
    bench = Bench(GOOD, GOOD)
    bench.run(conditions=["deaf"])
    bench.run(conditions=["hungry"])
    assert [record.prompt_id for record in bench.records] == ["loud", "standard"]
    assert bench.records[0].prompt_hash != bench.records[1].prompt_hash


def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_complaint():
    bench = Bench("I would rather not.", '{"greeting": "x", "warmth": 11}', GOOD)
    assert bench.run() == {"greeting": "Good evening, Mara."}
    second, third = bench.model.requests[1:]
    assert second.messages[1] == Message(role="assistant", content="I would rather not.")
    assert "expected JSON" in second.messages[2].content
    assert "warmth: 11 is greater than the maximum of 10" in third.messages[4].content
    assert bench.record.attempts == 3 and bench.record.reasks == 2
    assert bench.record.usage == Usage(prompt_tokens=30, completion_tokens=15, cost=0.75)
    assert [call.answer for call in bench.record.calls] == ["I would rather not.", '{"greeting": "x", "warmth": 11}', None]
    assert bench.record.calls[2].obtained == "strict"


def test_an_empty_answer_is_asked_for_again_without_an_empty_turn():
    bench = Bench("", GOOD)
    bench.run()
    [turn] = bench.model.requests[1].messages
    assert turn.role == "user" and "the answer is empty" in turn.content and turn.content.startswith("Greet Mara")


def test_reasks_end_and_the_last_complaint_is_told():
    bench = Bench("prose", '{"greeting": ', '{"name": "somebody else\'s schema"}')
    with pytest.raises(
        OutputInvalid, match=r"task greeting 1\.0\.0: model small gave no usable answer in 3 calls: .*'name' was unexpected"
    ):
        bench.run()
    assert bench.record.status == "failed" and bench.record.output is None
    assert bench.record.error is not None and bench.record.error.startswith("OutputInvalid: ")


def test_no_reask_is_made_where_the_definition_allows_none():
    bench = Bench("prose", GOOD, definition=define(generation__max_reasks=0))
    with pytest.raises(OutputInvalid, match="in 1 call: "):
        bench.run()
    assert len(bench.model.requests) == 1


def test_a_named_validation_of_the_output_is_held():
    bench = Bench('{"greeting": "  "}', GOOD)
    bench.run()
    assert bench.record.calls[0].complaint == "the answer does not fit: greeting is empty"


def test_a_cut_answer_is_never_repaired():
    bench = Bench(completion('{"greeting": "Good evening, Ma', finish_reason="length"), GOOD)
    assert bench.run() == {"greeting": "Good evening, Mara."}
    assert "finish_reason 'length'" in str(bench.record.calls[0].complaint)


def test_an_answer_that_came_as_thoughts_alone_counts_where_it_is_all_of_them():
    bench = Bench(completion("", reasoning=f"First {GOOD}, but no."), completion("", reasoning=GOOD))
    assert bench.run() == {"greeting": "Good evening, Mara."}
    assert "the answer is empty, only thoughts came: 'First" in str(bench.record.calls[0].complaint)


def test_thoughts_that_were_cut_are_no_answer():
    bench = Bench(completion("", reasoning=GOOD, finish_reason="length"), GOOD)
    bench.run()
    assert bench.record.attempts == 2


def test_an_answer_longer_than_its_tokens_can_be_is_asked_for_again():
    bench = Bench(json.dumps({"greeting": "x" * 5000}), f"{GOOD}{' ' * 5000}")
    bench.run()
    assert bench.record.calls[0].complaint == "the answer has 5016 characters, expected at most 1500"


@pytest.mark.parametrize("greeting", ["\u200b\u2060", "\u00ad \n", "\u3164\u2800", "\u202e"])
def test_a_text_of_nothing_visible_is_empty(greeting: str):
    bench = Bench(json.dumps({"greeting": greeting}), GOOD)
    bench.run()
    assert bench.record.calls[0].complaint == "the answer does not fit: greeting is empty"


def test_a_text_that_may_be_trimmed_is_where_nobody_says_how_it_ended():
    cut = completion(" Elias climbs the tower. He lights the la", finish_reason="unknown")
    assert Bench(cut, definition=define(PLAIN_TEXT)).run({"opening": "So,"}) == "So, Elias climbs the tower."


def test_an_answer_of_the_providers_filter_is_a_refusal_and_not_asked_for_again():
    bench = Bench(completion("", finish_reason="content_filter"), GOOD)
    with pytest.raises(ModelRefused, match="content filter"):
        bench.run()
    assert len(bench.model.requests) == 1


@pytest.mark.parametrize(
    "error", [ModelUnavailable("no route"), ModelTimeout("5 s"), RateLimited("429", 3.0), ModelRefused("no such model")], ids=type
)
def test_the_next_model_is_asked_where_the_first_cannot_be_had(error: Exception):
    bench = Bench(error, GOOD)
    assert bench.run(fallback_models=["large"]) == {"greeting": "Good evening, Mara."}
    assert [request.model for request in bench.model.requests] == ["small", "large"]
    assert bench.record.models_used == ("small", "large") and bench.record.reasks == 0
    assert bench.record.calls[0].complaint == f"{type(error).__name__}: {error}"
    assert bench.record.usage.tokens == 15


def test_the_last_models_error_is_raised_and_all_calls_are_recorded():
    bench = Bench(ModelUnavailable("first"), RateLimited("second", 4.0))
    with pytest.raises(RateLimited, match="second") as caught:
        bench.run(fallback_models=["large"])
    assert caught.value.retry_after_s == 4.0
    assert bench.record.status == "failed" and bench.record.attempts == 2
    assert bench.record.usage == Usage(prompt_tokens=None, completion_tokens=None, cost=None)


def test_a_model_named_twice_is_asked_once():
    bench = Bench(ModelUnavailable("gone"))
    with pytest.raises(ModelUnavailable):
        bench.run(fallback_models=["small"])
    assert len(bench.model.requests) == 1


def test_an_answer_that_never_fits_does_not_go_to_another_model():
    bench = Bench("a", "b", "c", GOOD)
    with pytest.raises(OutputInvalid):
        bench.run(fallback_models=["large"])
    assert bench.record.models_used == ("small",)


def test_unknown_tokens_and_cost_stay_unknown():
    bench = Bench(completion("prose", usage=Usage(prompt_tokens=None, completion_tokens=None, cost=None)), GOOD)
    bench.run()
    assert bench.record.to_document()["performance"]["tokens_used"] is None
    assert bench.record.usage.cost is None


def test_retries_of_the_model_itself_are_counted():
    bench = Bench(completion(GOOD, attempts=4))
    bench.run()
    assert bench.record.retries == 3 and bench.record.attempts == 1


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "'who' is a required property"),
        ({"who": 5}, "who: 5 is not of type 'string'"),
        ({"who": "Mara", "age": 5}, "'age' was unexpected"),
        ({"who": " \n"}, "who is empty"),
        ({"who": object()}, "input.who is <object"),
        ({"who": float("nan")}, "input.who is nan"),
    ],
    ids=["missing", "type", "extra", "blank", "object", "nan"],
)
def test_a_wrong_input_is_refused_before_any_call_and_recorded(inputs: dict[str, Any], told: str):
    bench = Bench(GOOD)
    with pytest.raises(InvalidInput) as caught:
        bench.run(inputs)
    assert told in str(caught.value) and not isinstance(caught.value, OutputInvalid)
    assert bench.model.requests == []
    assert bench.record.status == "failed" and bench.record.usage == Usage() and bench.record.prompt_id is None
    json.dumps(bench.record.to_document())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"temperature": 1.5}, "temperature is 1.5, expected a number from 0 to 1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"max_tokens": 0}, "max_tokens is 0, expected a whole number from 1"),
        ({"model": " "}, "model is ' ', expected a model id"),
        ({"fallback_models": [""]}, "model is ''"),
    ],
)
def test_wrong_parameters_are_refused_before_any_call(options: dict[str, Any], told: str):
    bench = Bench(GOOD)
    with pytest.raises(InvalidInput) as caught:
        bench.run(**options)
    assert told in str(caught.value) and bench.model.requests == []


def test_an_unknown_task_or_version_executes_and_records_nothing():
    bench = Bench(GOOD)
    with pytest.raises(UnknownEntity, match="task is 'greting', expected one of greeting"):
        asyncio.run(bench.runner.run("greting", {}, model="small"))
    with pytest.raises(UnknownEntity, match="version of task greeting is '2.0.0', expected one of 1.0.0"):
        asyncio.run(bench.runner.run("greeting", {}, model="small", version="2.0.0"))
    assert bench.records == []


def test_a_prompt_may_be_named_and_one_that_is_not_there_is_refused():
    bench = Bench(GOOD)
    bench.run(prompt_id="loud")
    assert bench.record.prompt_id == "loud"
    with pytest.raises(InvalidInput, match="prompt of task greeting is 'quiet', expected one of standard, loud"):
        bench.run(prompt_id="quiet")


def test_an_input_larger_than_any_prompt_is_refused_before_it_is_worked_on():
    bench = Bench()
    with pytest.raises(InvalidInput, match="input of task greeting has 3000027 characters as JSON, expected at most 2000000"):
        bench.run({"who": "x" * 3_000_000})


def test_a_cancelled_execution_is_recorded_and_stays_cancelled():
    async def cancel_it() -> list[Any]:
        model, records = HangingModel(), []
        runner = TaskRunner(model, Catalogue([define()]), StepClock(), records.append)
        task = asyncio.create_task(runner.run("greeting", {"who": "Mara"}, model="small"))
        await model.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return records

    [record] = asyncio.run(cancel_it())
    assert record.status == "cancelled" and record.models_used == ("small",) and record.error == "CancelledError"
    assert record.usage.tokens is None


@pytest.mark.parametrize("error", [TaskCancelled("a person asked"), KeyboardInterrupt(), type("Interrupted", (BaseException,), {})()])
def test_every_kind_of_interruption_counts_as_cancelled(error: BaseException):
    bench = Bench(error)
    with pytest.raises(type(error)):
        bench.run()
    assert bench.record.status == "cancelled"


def test_a_fault_of_the_model_that_nobody_expected_is_recorded_and_raised_as_it_is():
    bench = Bench(ZeroDivisionError("oh"))
    with pytest.raises(ZeroDivisionError):
        bench.run()
    assert bench.record.error == "ZeroDivisionError: oh"


def test_a_record_that_cannot_be_kept_fails_the_execution():
    def full(_: object) -> None:
        raise StoreError("the disk is full")

    runner = TaskRunner(ListModel(GOOD), Catalogue([define()]), StepClock(), full)
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(runner.run("greeting", {"who": "Mara"}, model="small"))


def test_a_record_that_cannot_be_kept_does_not_hide_the_first_error(caplog: pytest.LogCaptureFixture):
    def full(_: object) -> None:
        raise StoreError("the disk is full")

    runner = TaskRunner(ListModel(ModelRefused("no key")), Catalogue([define()]), StepClock(), full)
    with pytest.raises(ModelRefused, match="no key"):
        asyncio.run(runner.run("greeting", {"who": "Mara"}, model="small"))
    assert "record of a failed execution of greeting was lost" in caplog.text


def test_many_executions_at_once_keep_their_records_apart():
    async def many() -> list[Any]:
        records: list[Any] = []
        answers = [f'{{"greeting": "{number}"}}' for number in range(20)]
        runner = TaskRunner(ListModel(*answers), Catalogue([define()]), StepClock(), records.append)
        results = await asyncio.gather(*(runner.run("greeting", {"who": str(number)}, model="small") for number in range(20)))
        assert [result.execution.input["who"] for result in results] == [str(number) for number in range(20)]
        return records

    records = asyncio.run(many())
    assert len({record.id for record in records}) == 20 and all(record.attempts == 1 for record in records)


def test_the_same_input_gives_the_same_prompt_hash_and_an_edit_another_definition_hash():
    first, second, edited = Bench(GOOD), Bench(GOOD), Bench(GOOD, definition=define(description="Greets anybody."))
    for bench in (first, second, edited):
        bench.run()
    assert first.record.prompt_hash == second.record.prompt_hash == edited.record.prompt_hash
    assert first.record.definition_hash == second.record.definition_hash != edited.record.definition_hash


def test_an_opening_is_sent_as_the_last_turn_and_is_part_of_the_output():
    bench = Bench(" Elias climbs the tower.", definition=define(PLAIN_TEXT))
    assert bench.run({"opening": "In the storm,"}) == "In the storm, Elias climbs the tower."
    [request] = bench.model.requests
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert request.messages[2].content == "The sea takes {{ a metre }} each winter."
    assert request.messages[-1].content == "In the storm,"
    assert request.response_schema is None


def test_a_small_model_is_asked_again_in_the_same_words_with_another_seed():
    bench = Bench("", " Elias climbs the tower.", definition=define(PLAIN_TEXT))
    bench.run({"opening": "In the storm,"}, seed=40)
    first, second = bench.model.requests
    assert first.messages == second.messages and (first.seed, second.seed) == (40, 41)


def test_a_cut_text_is_trimmed_to_its_last_sentence_where_the_task_allows_it():
    cut = completion(" Elias climbs the tower. He lights the la", finish_reason="length")
    bench = Bench(cut, definition=define(PLAIN_TEXT))
    assert bench.run({"opening": "In the storm,"}) == "In the storm, Elias climbs the tower."
    assert bench.record.calls[0].obtained == "trimmed"


def test_a_cut_text_is_asked_for_again_where_trimming_is_not_allowed():
    cut = completion("One two three four. Five", finish_reason="length")
    bench = Bench(cut, "One two three four.", definition=define(PLAIN_TEXT, output__when_cut="refuse"))
    assert bench.run({"opening": "So:"}) == "So: One two three four."
    assert "cut at the token limit" in str(bench.record.calls[0].complaint)


def test_what_hides_in_an_answer_does_not_reach_the_output():
    bench = Bench('{"greeting": "Good\\u0000 \\u202eevening<|im_end|>"}')
    assert bench.run() == {"greeting": "Good evening< |im_end| >"}


def test_a_long_rejected_answer_is_kept_shortened():
    bench = Bench("x" * 10_000, GOOD)
    bench.run()
    assert bench.record.calls[0].answer == "x" * 4000


@pytest.mark.parametrize(("first", "budget"), [({}, 0.5), ({"usage": UNKNOWN}, 0.25)], ids=["known", "unknown"])
def test_what_is_asked_again_counts_against_the_budget_also_beside_a_call_of_unknown_cost(first: dict[str, Any], budget: float):
    bench = Bench(completion("prose", **first), "prose", GOOD)
    with pytest.raises(BudgetExhausted, match="the budget of this execution is spent, expected more for one more answer"):
        bench.run(budget=Budget(cost=budget))
    assert len(bench.model.requests) == len(bench.record.calls) == 2


def test_a_key_of_an_answer_is_cleaned_like_its_texts():
    bench = Bench('{"greeting": {"a\\u0000b": "c"}}', definition=define(output__schema={"type": "object"}))
    assert bench.run() == {"greeting": {"ab": "c"}}
