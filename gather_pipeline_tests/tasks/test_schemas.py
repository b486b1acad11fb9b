from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.schemas import check_schema, complaint, fits, plain, portable, with_defaults

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 3},
        "note": {"type": "string", "default": ""},
    },
    "required": ["items"],
    "$defs": {"item": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}},
}


def test_what_fits_brings_no_complaint():
    check_schema(SCHEMA)
    assert complaint(SCHEMA, {"items": [{"n": 1}]}) is None


def test_a_complaint_names_places_and_is_bounded():
    told = complaint(SCHEMA, {"items": [{"n": 0}, {}, {"n": "x"}, {"n": 1}, {"n": 2}]})
    assert told is not None
    assert "items.0.n: 0 is less than the minimum of 1" in told and "items.1: 'n' is a required property" in told
    assert told.endswith("; and 1 more")


def test_a_complaint_about_a_long_value_is_short():
    told = complaint({"type": "string", "maxLength": 10}, "x" * 100_000)
    assert told is not None and len(told) < 300 and "does not fit maxLength 10" in told


def test_true_is_no_number():
    assert complaint({"type": "number"}, True) is not None


@pytest.mark.parametrize("reference", ["https://example.org/x.json", "file:///etc/passwd", "other.json#/a"])
def test_nothing_outside_the_schema_is_read(reference: str):
    with pytest.raises(ValueError, match="expected a place in the same schema"):
        check_schema({"type": "object", "properties": {"a": {"$ref": reference}}})


def test_defaults_stand_in_and_do_not_change_what_is_given():
    given_value = {"items": []}
    assert with_defaults(SCHEMA, given_value) == {"items": [], "note": ""} and given_value == {"items": []}
    assert with_defaults(SCHEMA, {"note": "x"}) == {"note": "x"}


def test_the_portable_schema_says_limits_in_words_and_keeps_the_rest():
    made = portable(SCHEMA)
    assert made["properties"]["items"] == {
        "type": "array",
        "items": {"$ref": "#/$defs/item"},
        "description": "(min items 1, max items 3)",
    }
    assert made["$defs"]["item"]["properties"]["n"] == {"type": "integer", "description": "(minimum 1)"}
    assert made["properties"]["note"] == {"type": "string"} and made["required"] == ["items"]
    check_schema(made)


def test_a_property_may_be_called_like_a_keyword():
    schema = {"type": "object", "properties": {"format": {"type": "string"}, "pattern": {"type": "string", "minLength": 1}}}
    assert set(portable(schema)["properties"]) == {"format", "pattern"}


def test_additional_properties_stay_refused():
    assert portable({"type": "object", "additionalProperties": False})["additionalProperties"] is False


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_json_values_are_plain_already(inputs: dict[str, Any]):
    assert plain(inputs) == inputs
    json.dumps(plain(inputs))


def test_tuples_become_lists():
    assert plain({"a": ("x", ["y"])}) == {"a": ["x", ["y"]]}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": [1, object()]}, r"input\.a is \[1, <object.*expected a JSON value"),
        ({"a": float("inf")}, r"input\.a is inf"),
        ({"a": [{"b": float("nan")}]}, r"input\.a is \[\{'b': nan"),
        ({"a": b"\xff"}, r"input\.a is b'"),
        ({"a": [{"b": 2**63}]}, r"input\.a is .*, expected whole numbers of at most 64 bits"),
    ],
)
def test_what_is_no_json_is_named(value: Any, told: str):
    with pytest.raises(InvalidInput, match=told):
        plain(value)


def test_a_schema_that_refers_to_itself_without_end_fits_nothing():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}
    check_schema(schema)
    assert "refers to itself without end" in str(complaint(schema, {"a": 1}))
    assert complaint({"type": "object", "properties": {"a": {"$ref": "#"}}}, {"a": {"a": {}}}) is None


CATASTROPHE = "^(a+)+$"
LONG = "a" * 40 + "!"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": CATASTROPHE}, LONG),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {"$ref": "#"}, "pattern": CATASTROPHE}, [LONG]),
        ({"patternProperties": {CATASTROPHE: True}, "additionalProperties": False}, {LONG: 1}),
        ({"propertyNames": {"pattern": CATASTROPHE}}, {LONG: 1}),
    ],
)
def test_a_pattern_with_nested_repetition_takes_no_time(schema: dict[str, Any], value: Any):
    check_schema(schema)
    assert complaint(schema, value) is not None


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (
            {"pattern": r"^(?!\s*$).+"},
            r"at pattern: pattern '.*.*\(look-around.* is not supported\), expected",
        ),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, r"at properties\.a\.pattern: .*backreferences are not supported"),
        ({"pattern": "(((a{1000}){1000}){1000})"}, "exceeds size limit of 10485760 bytes"),
        ({"patternProperties": {"(": True}}, r"at patternProperties: pattern '\(' cannot be matched"),
        ({"unevaluatedProperties": False, "allOf": [{"patternProperties": {"a": True}}]}, "expected additionalProperties"),
        ({"items": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}, r"\$schema below its root"),
        ({"items": {"$dynamicRef": "#gone"}}, r"refers to '#gone', which is not in it"),
    ],
)
def test_a_pattern_without_a_bound_is_refused_at_load(schema: dict[str, Any], told: str):
    with pytest.raises(ValueError, match=told):
        check_schema(schema)


def test_patterns_hold_as_before():
    schema = {
        "properties": {"x_1": {"type": "integer"}},
        "patternProperties": {"^x_": {"minimum": 2}},
        "additionalProperties": {"pattern": r"^\w+$"},
    }
    check_schema(schema)
    assert fits(schema, {"x_1": 2, "x_b": 3, "word": "Übung"})
    assert [fits(schema, value) for value in ({"x_1": 1}, {"x_b": 1}, {"word": "two words"})] == [False] * 3
    assert fits({"pattern": "b"}, "abc") and not fits({"pattern": "^b"}, "abc") and fits({"pattern": "b"}, 7)
