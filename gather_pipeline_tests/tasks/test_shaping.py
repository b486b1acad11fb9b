"""An answer is brought into the form asked for where only one thing can be meant, and nothing in it is made up."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.tasks import schemas
from gather_pipeline.tasks.parsing import parse_json
from gather_pipeline.tasks.shaping import shaped

SCHEMA = {
    "type": "object",
    "properties": {
        "content": {"type": "string"},
        "quality_score": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "is_done": {"type": "boolean"},
        "source": {"type": ["string", "null"]},
    },
    "required": ["content", "source"],
    "additionalProperties": False,
}
NOTE = {"content": "The lamp goes out.", "source": None}
OTHER = {"content": "A draft.", "source": None}


def parsed(answer: str) -> tuple[Any, str]:
    found = parse_json(answer, partial(schemas.fits, SCHEMA), partial(shaped, SCHEMA))
    return found.value, found.how


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (NOTE | {"title": "x", "comment": None}, NOTE),
        ({"Content": "The lamp goes out.", "SOURCE": None}, NOTE),
        (NOTE | {"qualityScore": "70.5%", "isDone": "True"}, NOTE | {"quality_score": 70.5, "is_done": True}),
        (NOTE | {"quality_score": " 70 ", "tags": "fog"}, NOTE | {"quality_score": 70, "tags": ["fog"]}),
        (NOTE | {"content": ["The lamp", "goes out."]}, NOTE | {"content": "The lamp\ngoes out."}),
        (NOTE | {"tags": None}, NOTE),
    ],
)
def test_what_can_mean_one_thing_alone_is_brought_into_form(value: Any, meant: Any) -> None:
    assert parsed(json.dumps(value)) == (meant, "shaped")


@pytest.mark.parametrize(
    "value",
    [
        {"reasoning": "First I thought.", "answer": NOTE},
        {"name": "answer", "parameters": NOTE},
        {"type": "object", "properties": NOTE},
        {"type": "object", "properties": {"type": "object", "properties": NOTE}},
        [{"name": "answer", "arguments": NOTE}],
        [NOTE, OTHER],
        {"notes": [NOTE, OTHER], "count": 2},
    ],
)
def test_an_answer_is_found_among_what_stands_around_it(value: Any) -> None:
    assert parsed(json.dumps(value)) == (NOTE, "shaped")


@pytest.mark.parametrize(
    "answer",
    [
        json.dumps(NOTE).replace('"', "”"),
        json.dumps(NOTE).replace('"', "&quot;"),
        json.dumps(json.dumps(NOTE))[1:-1],
        "{„content“: „The lamp goes out.“, „source“: null}",
    ],
)
def test_quotes_of_other_programs_are_quotes(answer: str) -> None:
    assert parsed(answer)[0] == NOTE


@pytest.mark.parametrize(
    "value",
    [
        {"draft": OTHER, "final": NOTE},
        {"summary": "The lamp goes out."},
        {"content": {"type": "string"}, "source": None},
        {"content": "The lamp goes out."},
        NOTE | {"quality_score": "high"},
        NOTE | {"quality_score": "70/100"},
        NOTE | {"is_done": "maybe"},
        NOTE | {"content": []},
    ],
)
def test_what_is_missing_or_may_mean_several_things_is_left_to_be_asked_for_again(value: Any) -> None:
    found, how = parsed(json.dumps(value))
    assert (found, how) == (value, "strict")
    assert not schemas.fits(SCHEMA, found)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["7", "true", "1.5 %"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "Content", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON)
def test_what_fits_stays_as_it_is_and_shaping_twice_is_shaping_once(value: Any) -> None:
    once = shaped(SCHEMA, value)
    assert shaped(SCHEMA, once) == once
    if schemas.fits(SCHEMA, value):
        assert once == value
