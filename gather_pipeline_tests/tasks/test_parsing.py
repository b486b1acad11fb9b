from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.errors import OutputInvalid
from gather_pipeline.tasks.parsing import parse_json, parse_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), inner, max_size=4)
    ),
    max_leaves=20,
)
NOTE = {"content": 'He says "go {now}".', "tags": ["a", "[b]"]}


def is_note(value: Any) -> bool:
    return isinstance(value, dict) and "content" in value


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (json.dumps(NOTE), "strict"),
        (f" \n{json.dumps(NOTE, indent=2)}\n ", "strict"),
        (f"```json\n{json.dumps(NOTE)}\n```", "fenced"),
        (f"Here you are:\n```\n{json.dumps(NOTE)}\n```\nEnjoy!", "fenced"),
        (f"Here you are: {json.dumps(NOTE)} Enjoy!", "extracted"),
        (f"As [1] and {{x}} say: {json.dumps(NOTE)}", "extracted"),
        (f"A {{ that closes nowhere. {json.dumps(NOTE)}", "extracted"),
        (f"<answer><![CDATA[{json.dumps(NOTE)}]]></answer>", "extracted"),
        (json.dumps(json.dumps(NOTE)), "strict"),
        (json.dumps({"answer": NOTE}), "strict"),
        (json.dumps([NOTE]), "strict"),
        (f'{{"draft": 1}} {json.dumps(NOTE)}', "extracted"),
        ("{\"content\": 'He says \"go {now}\".', 'tags': ['a', '[b]',],}", "repaired"),
        ('```json\n{content: "He says \\"go {now}\\".", "tags": ["a", "[b]"],}\n```', "repaired"),
        ('{"content": "He says \\"go {now}\\".", // a comment\n "tags": ["a", "[b]"]}', "repaired"),
    ],
)
def test_json_is_found_however_it_is_wrapped(answer: str, how: str):
    found = parse_json(answer, is_note)
    assert (found.value, found.how) == (NOTE, how)


def test_a_newline_inside_a_text_is_repaired():
    assert parse_json('{"content": "two\nlines"}', is_note).value == {"content": "two\nlines"}


def test_an_outer_object_with_a_fault_is_repaired_and_not_replaced_by_an_inner_one():
    found = parse_json('{"content": "a", "items": [{"content": "inner"},],}', is_note)
    assert found.how == "repaired" and found.value["content"] == "a"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   ",
        "I would rather not.",
        '{"content": "He walks',
        '{"content": "a", "items": [{"content": "b"}, {"content": "c',
        '{"content": "a", "items": [{"content": "b"}',
        '{"items": ["a {x} b", "c',
        '```json\n{"content": "He walks',
        '"just a string"',
        "42",
        "null",
        "NaN",
        '{"content": ',
    ],
)
def test_prose_half_answers_and_bare_values_are_refused(answer: str):
    with pytest.raises(OutputInvalid):
        parse_json(answer, is_note)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), JSON, min_size=1), st.data())
def test_nothing_is_got_from_a_cut_object(value: dict[str, Any], data: st.DataObject):
    text = json.dumps(value, ensure_ascii=False)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with pytest.raises(OutputInvalid):
        parse_json(cut)


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_every_object_and_list_comes_back(value: Any):
    assert parse_json(json.dumps(value)).value == value


@given(st.text(alphabet='{}[]":,\\ab1 \n`', max_size=200))
def test_any_answer_gives_a_value_or_a_complaint(answer: str):
    try:
        assert isinstance(parse_json(answer).value, dict | list)
    except OutputInvalid as error:
        assert str(error)


def test_where_nothing_fits_the_first_value_found_is_returned_for_the_complaint():
    assert parse_json('{"name": "other"} {"x": 1}', is_note).value == {"name": "other"}


@pytest.mark.parametrize("answer", ["[" * 100_000, "{" * 100_000, '{"a":' * 20_000, "[1," * 50_000 + "]" * 50_000, '"' * 100_001], ids=len)
def test_a_hostile_answer_is_refused_without_an_error_of_the_stack(answer: str):
    with pytest.raises(OutputInvalid, match=r"expected JSON and nothing else"):
        parse_json(answer, is_note)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two is cut", "One."),
        ("He asks: “Why?” And th", "He asks: “Why?”"),
        ("It is 1.5 metres high. Then", "It is 1.5 metres high."),
        ("灯塔熄灭了。村庄", "灯塔熄灭了。"),
        ("كل شيء هادئ؟ ثم", "كل شيء هادئ؟"),
    ],
)
def test_a_cut_text_is_trimmed_to_its_last_whole_sentence(text: str, expected: str):
    assert parse_text(text, cut=True, trim=True).value == expected


@pytest.mark.parametrize(("text", "trim"), [("No end in sight", True), ("One. Tw", False), ("", True)])
def test_a_cut_text_without_a_whole_sentence_or_leave_to_trim_is_refused(text: str, trim: bool):
    with pytest.raises(OutputInvalid, match="cut at the token limit"):
        parse_text(text, cut=True, trim=trim)


def test_a_whole_text_is_left_as_it_is():
    assert parse_text(" No end in sight ", cut=False, trim=True).value == "No end in sight"


@pytest.mark.parametrize("part", ["[1] ", "```\n[1]\n```\n"])
def test_of_an_answer_that_repeats_itself_the_longest_parts_alone_are_tried(part: str):
    tried: list[Any] = []

    def fits(value: Any) -> bool:
        tried.append(value)
        return is_note(value)

    assert parse_json(part * 5_000 + json.dumps(NOTE), fits).value == NOTE
    assert len(tried) < 1_000
