"""Lines as they come in from outside: here a text is checked to be text, and cleaned, once."""

from __future__ import annotations

import json
import re
from typing import Any

from gather_pipeline.domain.item_lines import Line
from gather_pipeline.domain.texts import clean

STRAY = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8


def stray(text: str) -> str:
    """What is wrong with a line that is not UTF-8 text; empty where it is."""
    found = STRAY.search(text)
    return f"byte {ord(found[0]) & 0xFF:#04x} at {found.start()} is not UTF-8 text" if found else ""


def line_of_fields(number: int, fields: dict[str, Any]) -> Line:
    """A line with its values, their texts cleaned."""
    return Line(number=number, fields=_cleaned(fields))


def line_of_json(number: int, text: str, what: str = "line") -> Line:
    """A line of a JSON object, or what is wrong with it.

    Args:
        number: Of the line.
        text: That should be JSON.
        what: What it is called in the message.
    """
    if fault := stray(text):
        return Line(number=number, fault=fault)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f"{error.msg} at {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        return Line(number=number, fault=f"the {what} is no JSON ({reason})")
    if isinstance(fields, dict):
        return line_of_fields(number, fields)
    return Line(number=number, fault=f"the {what} is {type(fields).__name__}, expected a JSON object")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
