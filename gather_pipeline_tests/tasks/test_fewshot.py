from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gather_pipeline.tasks.execution import Execution, Feedback
from gather_pipeline.tasks.fewshot import choose_examples
from gather_pipeline.tasks.rebuilding import rebuild
from gather_pipeline.tasks.runner import Support
from gather_pipeline_tests.tasks.builders import Bench, define
from gather_pipeline_tests.tasks.test_execution import execution


def accepted(who: str, **changes: Any) -> Execution:
    made = execution(input={"who": who, "mood": "kind"}, output={"greeting": f"Dear {who}."}, **changes)
    return replace(made, id=who.replace(" ", "-"))


NEWEST_FIRST = [accepted("the harbour master"), accepted("Mara"), accepted("a clock maker of Lindau"), accepted("the clock")]


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ({"choose": "newest", "count": 2}, ["a-clock-maker-of-Lindau", "the-harbour-master"]),
        ({"choose": "most_similar", "count": 1}, ["a-clock-maker-of-Lindau"]),
        ({"choose": "newest", "count": 10}, ["the-clock", "a-clock-maker-of-Lindau", "the-harbour-master"]),
    ],
)
def test_the_newest_or_most_similar_are_chosen_and_never_an_example_of_the_definition(rule: dict[str, Any], chosen: list[str]):
    found = choose_examples(define(examples_from=rule), {"who": "the clock maker of Lindau", "mood": "kind"}, lambda task: NEWEST_FIRST)
    assert [one.id for one in found] == chosen


def test_the_present_input_and_an_output_that_no_longer_fits_are_no_examples():
    old = replace(accepted("old"), output={"text": "of an earlier version"})
    definition = define(examples_from={"choose": "newest"})
    assert choose_examples(definition, {"who": "the clock", "mood": "kind"}, lambda task: [accepted("the clock"), old]) == []


def test_examples_stand_before_the_question_as_turns_and_in_the_record():
    support = Support(accepted=lambda task: [accepted("the harbour master")] if task == "greeting" else [])
    bench = Bench('{"greeting": "Hi."}', definition=define(examples_from={}), support=support)
    bench.run({"who": "Jonas"})
    [request] = bench.model.requests
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert request.messages[0].content == "Greet the harbour master in a kind way."
    assert request.messages[1].content == '{\n "greeting": "Dear the harbour master."\n}'
    assert bench.record.parameters["examples"] == ["the-harbour-master"]


def test_an_output_that_a_person_corrected_is_shown_as_corrected_and_the_prompt_can_be_made_again():
    at = "2026-11-21T07:{}:00.000000+00:00"
    said = [
        Feedback(by="Mara", at=at.format(minute), accepted=True, corrected={"greeting": text})
        for minute, text in (("10", "Ho."), ("20", "Hey."))
    ]
    shown = accepted("the harbour master", feedback=tuple(said))
    bench = Bench('{"greeting": "Hi."}', definition=define(examples_from={}), support=Support(accepted=lambda task: [shown]))
    bench.run({"who": "Jonas"})
    assert bench.model.requests[0].messages[1].content == '{\n "greeting": "Hey."\n}'
    later = Feedback(by="Mara", at="2026-11-22T08:00:00.000000+00:00", accepted=True, corrected={"greeting": "Ahoy."})
    assert rebuild(bench.record, bench.definition, [replace(shown, feedback=(*said, later))]).identical
    again = Execution.from_document(shown.to_document())
    assert (again.feedback, again.accepted, again.accepted_output()) == (tuple(said), True, {"greeting": "Hey."})
