"""JSON Schema as the engine uses it: checked when a definition is loaded, turned into one sentence when a value does not fit.

Nothing is ever fetched: a schema may refer to itself (`#/...`) and to nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pydantic
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic_core import to_jsonable_python
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from gather_pipeline.errors import InvalidInput, shorten

Schema = Mapping[str, Any]

# Keywords that some providers of structured output refuse with an error. They are still checked here, after the answer came.
UNPORTABLE = frozenset(
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format "
    "minItems maxItems uniqueItems minProperties maxProperties".split()
)
ANNOTATIONS = frozenset({"examples", "default", "$comment"})
JSON: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(pydantic.JsonValue, config=pydantic.ConfigDict(allow_inf_nan=False))
NAMED = 3  # complaints about one value that are told
ENDLESS = "the schema refers to itself without end, expected one that a value ends"
MESSAGE_LIMIT = 200  # characters of one complaint; jsonschema repeats whole values


def check_schema(schema: Schema) -> None:
    """Raises `ValueError`, which names the place, unless a schema is a JSON Schema (draft 2020-12) that stands alone."""
    try:
        Draft202012Validator.check_schema(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    except SchemaError as error:
        raise ValueError(f"schema is not a JSON Schema at {_path(error.absolute_path) or 'its root'}: {_shortened(error)}") from None
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in _references(schema):
        try:
            if not reference.startswith("#"):
                raise ValueError(f"schema refers to {reference!r}, expected a place in the same schema (#/...)")
            resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"schema refers to {reference!r}, which is not in it") from None


def fits(schema: Schema, value: object) -> bool:
    """Whether a JSON value fits a schema that `check_schema` let pass."""
    return complaint(schema, value) is None


def complaint(schema: Schema, value: object) -> str | None:
    """What of a JSON value does not fit, in words that a model or a person can act on; None where all fits."""
    found = Draft202012Validator(schema, registry=Registry()).iter_errors(value)
    try:
        errors = sorted(found, key=lambda error: [str(part) for part in error.absolute_path])
    except RecursionError:
        return ENDLESS
    if not errors:
        return None
    named = [f"{_path(error.absolute_path) or 'the whole'}: {_shortened(error)}" for error in errors[:NAMED]]
    more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    return "; ".join(named) + more


def with_defaults(schema: Schema, value: Mapping[str, Any]) -> dict[str, Any]:
    """The value with every absent top-level property that has a `default` in the schema set to it."""
    defaults = {
        name: part["default"]
        for name, part in schema.get("properties", {}).items()
        if isinstance(part, Mapping) and "default" in part and name not in value
    }
    return {**value, **defaults}


def plain(inputs: Mapping[str, object]) -> dict[str, Any]:
    """Turns a task's input into plain JSON values, the only ones that JSON Schema knows: tuples become lists, for example.

    Raises:
        InvalidInput: A value is no JSON value; names which.
    """
    made: dict[str, Any] = {}
    for name, value in inputs.items():
        try:
            made[name] = JSON.validate_python(to_jsonable_python(value))
        except ValueError:  # the root of what both raise
            raise InvalidInput.field(f"input.{name}", value, "a JSON value: text, number, true, false, null, list or mapping") from None
    return made


def portable(schema: Schema) -> dict[str, Any]:
    """The schema to send to a provider: limits that not every provider takes become words in the description."""
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {}
    for key, part in schema.items():
        if key in UNPORTABLE or key in ANNOTATIONS:
            continue
        if key in ("properties", "$defs"):
            kept[key] = {name: portable(inner) for name, inner in part.items()}
        elif key in ("anyOf", "allOf", "oneOf", "prefixItems"):
            kept[key] = [portable(inner) for inner in part]
        elif key in ("items", "additionalProperties", "not"):
            kept[key] = portable(part)
        else:
            kept[key] = part
    limits = ", ".join(f"{_words(key)} {schema[key]}" for key in schema if key in UNPORTABLE)
    if limits:
        kept["description"] = " ".join(filter(None, (schema.get("description"), f"({limits})")))
    return kept


def _references(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        reference = part.get("$ref")
        if isinstance(reference, str):
            yield reference
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)


def _path(parts: Sequence[object]) -> str:
    return ".".join(str(part) for part in parts)


def _shortened(error: ValidationError | SchemaError) -> str:
    message = str(error.message)
    if len(message) <= MESSAGE_LIMIT:
        return message
    return f"{shorten(error.instance)} does not fit {error.validator} {shorten(error.validator_value)}"


def _words(keyword: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f" {found[1].lower()}", keyword)
