from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from gather_pipeline.adapters.models.schema_example import MISSING, example_value
from gather_pipeline.tasks.schemas import portable

SCHEMAS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "minLength": 40, "maxLength": 50},
    {"type": "string", "maxLength": 3},
    {"enum": ["a", "b", "c"]},
    {"const": 5},
    {"type": "boolean"},
    {"type": "null"},
    {"type": ["null", "integer"]},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "integer", "minimum": 250},
    {"type": "number", "maximum": -10},
    {"type": "number", "minimum": 0, "maximum": 1},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3},
    {"type": "array", "maxItems": 0},
    {"type": "array"},
    {"type": "object"},
    {"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False},
    {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}]},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    {
        "$defs": {"score": {"type": "integer", "maximum": 9}},
        "type": "object",
        "properties": {"s": {"$ref": "#/$defs/score"}},
        "required": ["s"],
    },
    {"$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("fraction", [0.0, 0.37, 0.5, 1.0])
def test_the_value_fits_its_schema(schema: dict[str, Any], fraction: float) -> None:
    jsonschema.validate(example_value(schema, fraction=fraction, text=lambda: "a few words"), schema)


def test_the_fraction_places_numbers_booleans_and_enums() -> None:
    def at(fraction: float, **schema: Any) -> object:
        return example_value(schema, fraction=fraction, text=str)

    assert at(0.25, type="number", minimum=0, maximum=1) == 0.25
    assert (at(0.4, type="boolean"), at(0.5, type="boolean")) == (False, True)
    assert (at(0.0, enum=["a", "b"]), at(1.0, enum=["a", "b"])) == ("a", "b")


def test_a_special_value_takes_the_place_of_its_sub_schema() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}
    found = example_value(schema, fraction=0.5, text=str, special=lambda part: 7 if part.get("type") == "integer" else MISSING)
    assert found == {"a": "", "b": 7}


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_limits_that_a_portable_schema_has_in_words_are_kept(schema: dict[str, Any]) -> None:
    made = example_value(portable(schema), fraction=0.7, text=lambda: "word")
    jsonschema.validate(made, schema)


def test_a_list_without_limits_has_as_many_entries_as_are_wanted() -> None:
    assert len(example_value({"type": "array"}, fraction=0.5, text=lambda: "word", entries=3)) == 3
    assert len(example_value({"type": "array", "maxItems": 2}, fraction=0.5, text=lambda: "word", entries=3)) == 2
