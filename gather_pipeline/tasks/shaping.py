"""Brings a model's JSON value into the form that a schema asks for, where only one thing can be meant by it.

Models write `Content` for `content`, add keys of their own, put a number into quotes, or a text into a list of its paragraphs. What is
missing is never made up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NUMBER = re.compile(r"\s*([-+]?\d{1,15}(?:\.\d{1,15})?)\s*%?\s*")
TRUTHS = {"true": True, "false": False}


def shaped(schema: object, value: Any) -> Any:
    """The value in the schema's form as far as it can be brought into it; what of it cannot stays as it is."""
    if not isinstance(schema, Mapping):
        return value
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if isinstance(value, dict):
        value = _object(schema, value) if isinstance(schema.get("properties"), Mapping) else value
    elif isinstance(value, list) and "array" in kinds:
        return [shaped(schema.get("items"), part) for part in value]
    elif isinstance(value, list) and "string" in kinds and value and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    elif isinstance(value, str) and "string" not in kinds:
        if (number := NUMBER.fullmatch(value)) and ("integer" in kinds or "number" in kinds):
            return float(number[1]) if "." in number[1] else int(number[1])
        if "boolean" in kinds:
            return TRUTHS.get(value.strip().lower(), value)
    return [shaped(schema.get("items"), value)] if kinds == ["array"] and value is not None and not isinstance(value, list) else value


def _object(schema: Mapping[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    parts = schema["properties"]
    meant = {_folded(name): name for name in parts if name not in value}
    named = {name if name in parts else meant.get(_folded(name), name): part for name, part in value.items()}
    is_closed = schema.get("additionalProperties") is False
    return {
        name: shaped(parts.get(name), part)
        for name, part in named.items()
        if name in parts or not is_closed
        if part is not None or name in schema.get("required", ())
    }


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
