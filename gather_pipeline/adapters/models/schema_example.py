"""A value that fits a JSON Schema, made without any model: for tests and demonstrations.

Covers what task definitions use: types, enum, const, bounds, lengths, items, local references, anyOf and oneOf. Other keywords (`allOf`,
`multipleOf`, `pattern`, `format`) are not looked at, so a value may miss them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gather_pipeline.adapters.models.limits import told_limits

Schema = Mapping[str, Any]
Special = Callable[[Schema], object]
MISSING = object()  # what a `Special` answers where the schema is none of its own
DEPTH = 8  # of a schema that refers to itself, below which only what is required is made


def example_value(
    schema: Schema, *, fraction: float, text: Callable[[], str], special: Special = lambda schema: MISSING, entries: int = 1
) -> Any:
    """A value of the schema, the same for the same arguments.

    Args:
        schema: JSON Schema, a mapping.
        fraction: 0 to 1; numbers lie that far between their bounds, a boolean is true from 0.5 on, an enum gives the member there.
        text: Makes the next string; it is cut or repeated to its length.
        entries: Of a list of which the schema sets no limits.
        special: Asked first for every sub-schema; answers `MISSING` where it has no value of its own.
    """

    def value(part: Schema | bool, depth: int = 0) -> Any:
        if isinstance(part, bool):
            return text()  # `true` takes anything
        found = special(part)
        if found is not MISSING:
            return found
        while "$ref" in part:
            part = _referred(schema, part["$ref"])
        part = told_limits(part) | dict(part)
        for option in (*part.get("anyOf", ()), *part.get("oneOf", ())):
            if option.get("type") != "null":
                return value(option, depth)
        if "const" in part:
            return part["const"]
        if choices := part.get("enum"):
            return choices[min(len(choices) - 1, int(fraction * len(choices)))]
        kind = part.get("type", "object" if "properties" in part else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        match kind:
            case "object":
                needed, properties = part.get("required", ()), part.get("properties", {})
                return {name: value(sub, depth + 1) for name, sub in properties.items() if depth < DEPTH or name in needed}
            case "array":
                length = max(part.get("minItems", 0), min(entries, part.get("maxItems", entries)))
                return [value(part.get("items", {}), depth + 1) for _ in range(length)]
            case "integer" | "number":
                low = part.get("minimum", min(0, part.get("maximum", 0)))
                number = low + fraction * (part.get("maximum", max(100, low + 100)) - low)
                return int(number) if kind == "integer" else round(float(number), 6)
            case "boolean":
                return fraction >= 0.5
            case "null":
                return None
        made = text()
        while made and len(made) < part.get("minLength", 0):
            made = f"{made} {made}"
        return made[: part.get("maxLength")]

    return value(schema)


def _referred(root: Schema, reference: str) -> Schema:
    found = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        found = found[step] if step else found
    return found
