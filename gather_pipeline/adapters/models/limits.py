"""Limits of an answer's schema, for models that can be held to them while they write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LIMIT = re.compile(r"\b(minimum|maximum|min items|max items|min length|max length) (-?\d+(?:\.\d+)?)")
MOST_ENTRIES, MOST_CHARACTERS = 6, 160  # of a list and a text whose schema sets no limit: a small model would go on to its last token


def told_limits(part: Mapping[str, Any]) -> dict[str, float]:
    """Limits that stand in a description's last brackets, as in the schemas that are sent to providers: ``(min items 3)``."""
    told = str(part.get("description", "")).rpartition("(")[2]
    return {_camel(words): float(number) if "." in number else int(number) for words, number in LIMIT.findall(told)}


def bounded(schema: Any) -> Any:
    """The schema with the limits that it tells as keywords, and with limits for every list and text that has none."""
    if isinstance(schema, list):
        return [bounded(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {
        key: {name: bounded(inner) for name, inner in part.items()}
        if key in ("properties", "$defs") and isinstance(part, Mapping)
        else part
        if key in ("enum", "const", "required")
        else bounded(part)
        for key, part in schema.items()
    } | told_limits(schema)
    if made.get("type") == "array":
        made.setdefault("maxItems", max(MOST_ENTRIES, made.get("minItems", 0)))
    elif made.get("type") == "string" and "enum" not in made:
        made.setdefault("maxLength", max(MOST_CHARACTERS, made.get("minLength", 0)))
    return made


def _camel(words: str) -> str:
    first, _, second = words.partition(" ")
    return first + second.capitalize()
