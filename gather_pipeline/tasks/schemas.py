"""JSON Schema as the engine uses it: checked when a definition is loaded, turned into one sentence when a value does not fit.

Nothing is ever fetched: a schema may refer to itself (`#/...`) and to nothing else. Its patterns are matched by pydantic's engine, Rust's
`regex`, in time that grows with the text alone: in Python's `re` a pattern such as `^(a+)+$` takes years over forty letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pydantic
import pydantic_core
from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, ValidationError
from pydantic_core import SchemaValidator, core_schema, to_jsonable_python
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from gather_pipeline.errors import InvalidInput, shorten

Schema = Mapping[str, Any]

# Keywords that some providers of structured output refuse with an error. All but `format`, which JSON Schema takes for a note, are checked
# here, after the answer came.
UNPORTABLE = frozenset(
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format "
    "minItems maxItems uniqueItems minProperties maxProperties".split()
)
ANNOTATIONS = frozenset({"examples", "default", "$comment"})
JSON: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(pydantic.JsonValue, config=pydantic.ConfigDict(allow_inf_nan=False))
NAMED = 3  # complaints about one value that are told
ENDLESS = "the schema refers to itself without end, expected one that a value ends"
MESSAGE_LIMIT = 200  # characters of one complaint; jsonschema repeats whole values


@lru_cache(maxsize=256)
def _expression(pattern: str) -> SchemaValidator:
    """What finds a pattern in a text.

    Raises:
        ValueError: It is none that can be matched in bounded time.
    """
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern))
    except pydantic_core.SchemaError as error:
        why = str(error).strip().rsplit("\n", 1)[-1].rsplit("rror: ", 1)[-1].rstrip(".")
        raise ValueError(
            f"pattern {shorten(pattern)} cannot be matched in bounded time ({why}), expected one as JSON Schema recommends "
            "it: without look-around and backreferences, and no long repetition, which maxLength says better"
        ) from None


def _is_found(pattern: str, text: str) -> bool:
    return _expression(pattern).isinstance_python(text)


def _pattern(validator: Any, pattern: str, value: Any, _: Schema) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _is_found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Mapping[str, Any], value: Any, _: Schema) -> Iterator[ValidationError]:
    for pattern, part in patterns.items() if isinstance(value, Mapping) else ():
        for name in value:
            if _is_found(pattern, name):
                yield from validator.descend(value[name], part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, wanted: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    patterns = schema.get("patternProperties", {})
    if patterns and isinstance(value, Mapping):
        value = {name: part for name, part in value.items() if not any(_is_found(pattern, name) for pattern in patterns)}
        schema = {key: part for key, part in schema.items() if key != "patternProperties"}
    yield from Draft202012Validator.VALIDATORS["additionalProperties"](validator, wanted, value, schema)


Bounded: Any = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional_properties},
)
FORMATS = FormatChecker()
FORMATS.checkers = {
    **Draft202012Validator.FORMAT_CHECKER.checkers,
    "regex": (lambda value: not isinstance(value, str) or bool(_expression(value)), ValueError),
}


def check_schema(schema: Schema) -> None:
    """Raises `ValueError`, which names the place, unless a schema is a JSON Schema (draft 2020-12) that stands alone."""
    try:
        Draft202012Validator.check_schema(schema, format_checker=FORMATS)
    except SchemaError as error:
        place = _path(error.absolute_path) or "its root"
        raise ValueError(f"schema is not a JSON Schema at {place}: {error.cause or _shortened(error)}") from None
    if next(values(schema, "unevaluatedProperties"), None) is not None and next(values(schema, "patternProperties"), None) is not None:
        raise ValueError("schema uses unevaluatedProperties beside patternProperties, expected additionalProperties")
    if any(isinstance(dialect, str) for part in schema.values() for dialect in values(part, "$schema")):
        raise ValueError("schema names a $schema below its root, expected it at the root alone")
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for reference in (*values(schema, "$ref"), *values(schema, "$dynamicRef")):
        if not isinstance(reference, str):
            continue
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
    # Where a part of the schema is looked at, jsonschema takes the validator that `$schema` names, and that is not this one.
    own = {key: part for key, part in schema.items() if key != "$schema"}
    found = Bounded(own, registry=Registry()).iter_errors(value)
    try:
        errors = sorted(found, key=lambda error: [str(part) for part in error.absolute_path])
    except RecursionError:
        return ENDLESS
    if not errors:
        return None
    named = [f"{_path(error.absolute_path) or 'the whole'}: {_shortened(error)}" for error in errors[:NAMED]]
    more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    return "; ".join(named) + more


def values(part: object, keyword: str) -> Iterator[object]:
    """The values of a keyword wherever it stands in a schema."""
    if isinstance(part, Mapping):
        if keyword in part:
            yield part[keyword]
        for inner in part.values():
            yield from values(inner, keyword)
    elif isinstance(part, list):
        for inner in part:
            yield from values(inner, keyword)


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
        if not _can_be_stored(made[name]):
            raise InvalidInput.field(f"input.{name}", value, "whole numbers of at most 64 bits")
    return made


def _can_be_stored(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (not isinstance(value, int) or value.bit_length() < 64) and all(map(_can_be_stored, parts))


def portable(schema: Any) -> Any:
    """The schema to send to a provider: limits that not every provider takes become words in the description."""
    if isinstance(schema, list):
        return [portable(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept: dict[str, Any] = {}
    for key, part in schema.items():
        if key in ("properties", "patternProperties", "$defs"):  # whose keys are names
            kept[key] = {name: portable(inner) for name, inner in part.items()}
        elif key in ("enum", "const"):
            kept[key] = part
        elif key not in UNPORTABLE | ANNOTATIONS:
            kept[key] = portable(part)
    limits = ", ".join(f"{_words(key)} {schema[key]}" for key in schema if key in UNPORTABLE)
    if limits:
        kept["description"] = " ".join(filter(None, (schema.get("description"), f"({limits})")))
    return kept


def _path(parts: Sequence[object]) -> str:
    return ".".join(str(part) for part in parts)


def _shortened(error: ValidationError | SchemaError) -> str:
    message = str(error.message)
    if len(message) <= MESSAGE_LIMIT:
        return message
    return f"{shorten(error.instance)} does not fit {error.validator} {shorten(error.validator_value)}"


def _words(keyword: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f" {found[1].lower()}", keyword)
