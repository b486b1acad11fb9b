"""A value that fits a JSON Schema, made without any model: for tests and demonstrations.

Covers what task definitions use: types, enum, const, bounds, lengths, items, local references, anyOf, oneOf and allOf.
A `pattern` or a `format` is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
Special = Callable[[Schema], object]
MISSING = object()  # what a `Special` answers where the schema is none of its own


def example_value(schema: Schema, *, fraction: float, text: Callable[[], str], special: Special = lambda schema: MISSING) -> Any:
    """A value of the schema, the same for the same arguments.

    Args:
        schema: JSON Schema, a mapping.
        fraction: 0 to 1; numbers lie that far between their bounds, a boolean is true from 0.5 on, an enum gives the member there.
        text: Makes the next string; it is cut or repeated to its length.
        special: Asked first for every sub-schema; answers `MISSING` where it has no value of its own.
    """

    def value(part: object, depth: int = 0) -> Any:
        if not isinstance(part, Mapping):
            return text()  # `true` takes anything
        found = special(part)
        if found is not MISSING:
            return found
        part = _plain(part, schema)
        if "const" in part:
            return part["const"]
        if part.get("enum"):
            return part["enum"][min(len(part["enum"]) - 1, int(fraction * len(part["enum"])))]
        kind = part.get("type", "object" if "properties" in part else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind == "object":
            required = set(part.get("required", ()))
            properties = part.get("properties", {})
            return {name: value(sub, depth + 1) for name, sub in properties.items() if depth < 8 or name in required}
        if kind == "array":
            return [value(part.get("items", True), depth + 1) for _ in range(_length(part))]
        if kind in ("integer", "number"):
            return _number(part, fraction, whole=kind == "integer")
        return {"boolean": fraction >= 0.5, "null": None}.get(kind, MISSING) if kind in ("boolean", "null") else _fit(part, text())

    return value(schema)


def _plain(part: Schema, root: Schema) -> Schema:
    """The schema with references followed and alternatives decided, the first that is not null."""
    for _ in range(32):  # longer chains of references are circles
        if "$ref" in part:
            found: Any = root
            for step in str(part["$ref"]).removeprefix("#").strip("/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")] if step else found
            part = {**found, **{key: rest for key, rest in part.items() if key != "$ref"}}
        elif chosen := [option for option in (*part.get("anyOf", ()), *part.get("oneOf", ())) if option.get("type") != "null"]:
            part = {**{key: rest for key, rest in part.items() if key not in ("anyOf", "oneOf")}, **chosen[0]}
        elif "allOf" in part:
            merged: dict[str, Any] = {key: rest for key, rest in part.items() if key != "allOf"}
            for option in part["allOf"]:
                option = _plain(option, root)
                properties = {**merged.get("properties", {}), **option.get("properties", {})}
                required = [*merged.get("required", ()), *option.get("required", ())]
                merged |= {**option, **({"properties": properties, "required": required} if properties else {})}
            part = merged
        else:
            break
    return part


def _length(part: Schema) -> int:
    least = int(part.get("minItems", 0))
    return max(least, min(1, int(part.get("maxItems", 1))))


def _number(part: Schema, fraction: float, *, whole: bool) -> float | int:
    step = part.get("multipleOf", 1 if whole else None)
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    if low is None:
        low = 0 if high is None else min(0, high - 1)
    if high is None:
        high = max(100, low + 100)
    found = low + fraction * (high - low)
    if step is None:
        return round(float(found), 6)
    steps = math.floor(found / step)
    if steps * step < low or (steps * step == low and "exclusiveMinimum" in part):
        steps += 1
    return int(steps * step) if whole else float(steps * step)


def _fit(part: Schema, text: str) -> str:
    least, most = int(part.get("minLength", 0)), part.get("maxLength")
    while text and len(text) < least:
        text = f"{text} {text}"
    return text if most is None else text[: int(most)]
