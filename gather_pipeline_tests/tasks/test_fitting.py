"""The quick answer is never wrong: whatever it passes, jsonschema passes too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.fitting import quick_fit

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-4, 4) | st.floats(-4, 4) | st.just(float("nan")) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
SIZES = st.integers(0, 3)
KIND = st.sampled_from(["string", "array", "object", "boolean", "integer", "number", "null"])


def optional(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=parts)


SCHEMAS = st.recursive(
    st.booleans() | optional(type=KIND | st.lists(KIND, min_size=1, unique=True), enum=st.lists(st.text("ab", max_size=2), min_size=1)),
    lambda inner: optional(
        type=KIND | st.lists(KIND, min_size=1, unique=True),
        description=st.text(),
        default=VALUES,
        minLength=SIZES,
        maxLength=SIZES,
        minimum=SIZES,
        maximum=SIZES,
        exclusiveMinimum=SIZES,
        exclusiveMaximum=SIZES,
        minItems=SIZES,
        maxItems=SIZES,
        items=inner,
        properties=st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
        required=st.lists(st.sampled_from("abc"), unique=True),
        additionalProperties=inner,
    ),
    max_leaves=6,
)


@settings(max_examples=400)
@given(SCHEMAS, VALUES)
def test_a_value_is_passed_where_jsonschema_passes_it_but_for_whole_floats(schema: Any, value: Any) -> None:
    quick = quick_fit(schema)
    assert quick is not None
    fits = Draft202012Validator(schema).is_valid(value)
    if quick(value):
        assert fits
    elif fits:
        assert "." in repr(value) or "nan" in repr(value), "only what is no plain whole number may be left to jsonschema"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"type": "string", "pattern": "^a"},
        {"properties": {"a": {"not": {}}}},
        {"items": {"const": 1}},
        {"additionalProperties": {"uniqueItems": True}},
        {"enum": [1, True]},
        "string",
    ],
)
def test_for_a_schema_with_a_keyword_that_is_not_known_there_is_no_quick_answer(schema: Any) -> None:
    assert quick_fit(schema) is None


def test_every_packaged_definition_has_a_quick_answer() -> None:
    for definition in Catalogue.packaged():
        assert quick_fit(definition.input.json_schema) is not None, definition.id
        assert quick_fit(definition.output.json_schema) is not None, definition.id


def test_true_is_no_number_and_no_text_is_a_list() -> None:
    number, texts = quick_fit({"type": "number"}), quick_fit({"type": "array", "items": {"type": "string"}})
    assert number is not None and texts is not None
    assert number(1) and number(1.5) and not number(True)
    assert texts(["a"]) and not texts("a") and not texts([1])
