from __future__ import annotations

import pytest

from gather_pipeline.tasks.prompting import Conversation, ask_again, check_prompt, converse
from gather_pipeline_tests.tasks.builders import PLAIN_TEXT, define


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (" climbs.", "So Elias climbs."),
        ("climbs.", "So Elias climbs."),
        ("'s lamp.", "So Elias's lamp."),
        (", who climbs.", "So Elias, who climbs."),
        ("So Elias climbs.", "So Elias climbs."),
        ("\nSo Elias climbs.", "\nSo Elias climbs."),
        ("", "So Elias"),
    ],
)
def test_an_opening_and_its_continuation_become_one_text(answer: str, whole: str):
    assert Conversation(turns=(), opening="So Elias").whole(answer) == whole


def test_without_an_opening_the_answer_is_the_whole():
    assert Conversation(turns=()).whole(" x") == " x"


def test_an_opening_stays_the_last_turn_when_it_is_asked_again():
    definition = define(PLAIN_TEXT, generation__reask="complain")
    first = converse(definition, definition.prompts[0], {"opening": "So"})
    second = ask_again(first, definition, " x", "too short")
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user", "assistant", "user", "assistant"]
    assert second.messages[-1].content == "So" and "too short" in second.messages[-2].content
    assert "Answer again with the text alone" in second.messages[-2].content


def test_the_hash_covers_every_turn():
    definition = define(PLAIN_TEXT)
    hashes = {converse(definition, definition.prompts[0], {"opening": opening}).hash for opening in ("So", "So ", "Then")}
    assert len(hashes) == 2


def test_a_prompt_sees_no_value_that_it_does_not_declare():
    definition = define()
    loud = definition.prompt_for(["deaf"])
    assert converse(definition, loud, {"who": "Mara", "mood": "kind"}).turns[0].content == "SHOUT AT Mara"


def test_the_first_prompt_whose_condition_holds_is_used():
    definition = define(prompts__1__usage_conditions={"when": "deaf"})
    assert definition.prompt_for({"deaf", "other"}).id == "loud"
    assert definition.prompt_for(()).id == "standard"


def test_a_verification_prompt_gets_the_input_by_name_and_the_output_as_json():
    prompt = "Is this right for '{{ who }}': {{ answer }}"
    definition = define(verification={"method": "hierarchical", "parameters": {"verification_prompt": prompt}})
    assert definition.verification is not None
    [link] = definition.verification.links
    assert check_prompt(definition, link.parameters, {"who": "Mara"}, {"greeting": "Hé"}) == (
        'Is this right for \'Mara\': {\n "greeting": "Hé"\n}'
    )
