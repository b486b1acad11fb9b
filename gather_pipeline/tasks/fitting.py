"""Says quickly that a value fits a schema, for the many that do; what does not is left to jsonschema, whose words are better.

Made of the schema once: a tree of small functions. It knows the keywords that task definitions use; for a schema with any other
keyword there is none. A value that it does not pass is no verdict: 3.0 is an integer for JSON Schema and none here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Fits = Callable[[Any], bool]

# Those that judge no value: annotations, and `format`, which nobody here asks jsonschema to check.
SILENT = frozenset("$schema $id $comment title description default examples deprecated readOnly writeOnly format".split())
KINDS: Mapping[str, Fits] = {
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
OF_STRINGS = {"minLength", "maxLength"}
OF_NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
OF_ARRAYS = {"items", "minItems", "maxItems"}
OF_OBJECTS = {"properties", "required", "additionalProperties"}
KNOWN = SILENT | OF_STRINGS | OF_NUMBERS | OF_ARRAYS | OF_OBJECTS | {"type", "enum"}


def quick_fit(schema: object) -> Fits | None:
    """A function that is True only for values that fit; None where the schema has a keyword that it does not know."""
    if isinstance(schema, bool):
        return lambda value: schema
    if not isinstance(schema, Mapping) or not KNOWN.issuperset(schema):
        return None
    kinds = schema.get("type", list(KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    choices = schema.get("enum")
    if choices is not None and not all(isinstance(choice, str) for choice in choices):
        return None  # to Python 1 is True and 1.0, to JSON Schema it is no boolean
    tests = {kind: _of_kind(kind, schema) for kind in kinds}
    if None in tests.values():
        return None
    made = [(KINDS[kind], test) for kind, test in tests.items() if test]

    def fits(value: Any) -> bool:
        return any(is_kind(value) and test(value) for is_kind, test in made) and (choices is None or value in choices)

    if len(made) == 1 and choices is None:
        ((is_kind, test),) = made
        return lambda value: is_kind(value) and test(value)
    return fits


def _of_kind(kind: str, schema: Mapping[str, Any]) -> Fits | None:
    if kind == "string":
        return _within(schema, "minLength", "maxLength", len)
    if kind in ("integer", "number"):
        return _in_range(schema)
    if kind == "array":
        return _of_array(schema)
    return _of_object(schema) if kind == "object" else lambda value: True


def _within(schema: Mapping[str, Any], least: str, most: str, size: Callable[[Any], float]) -> Fits:
    low, high = schema.get(least, 0), schema.get(most, float("inf"))
    return lambda value: bool(low <= size(value) <= high)


def _in_range(schema: Mapping[str, Any]) -> Fits:
    low, high = schema.get("minimum", -float("inf")), schema.get("maximum", float("inf"))
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    return lambda value: low <= value <= high and (above is None or value > above) and (below is None or value < below)


def _of_array(schema: Mapping[str, Any]) -> Fits | None:
    each = quick_fit(schema.get("items", True))
    counted = _within(schema, "minItems", "maxItems", len)
    return None if each is None else lambda value: counted(value) and all(map(each, value))


def _of_object(schema: Mapping[str, Any]) -> Fits | None:
    parts = {name: quick_fit(part) for name, part in schema.get("properties", {}).items()}
    other = quick_fit(schema.get("additionalProperties", True))
    if other is None or None in parts.values():
        return None
    tests = {name: test for name, test in parts.items() if test}
    required = frozenset(schema.get("required", ()))

    def fits(value: Any) -> bool:
        return required.issubset(value) and all(tests.get(name, other)(part) for name, part in value.items())

    return fits
