"""Lines as they come in from outside: here a text is checked to be text, and cleaned, once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gather_pipeline.domain.item_lines import Line
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import InvalidInput

STRAY = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8

EACH_LINE = re.compile("^.*$", re.MULTILINE)  # one at a time, for a file may have hundreds of megabytes


def stray(text: str) -> str:
    """What is wrong with a line that is not UTF-8 text; empty where it is."""
    found = STRAY.search(text)
    return f"byte {ord(found[0]) & 0xFF:#04x} at {found.start()} is not UTF-8 text" if found else ""


def read_json(text: str, shown: str) -> Iterator[Line]:
    """Lines of JSON, or one document: a list of objects, an object, or an object with nothing but a list of them.

    Raises:
        InvalidInput: It is a document over several lines, and no JSON.
    """
    fault = stray(text)
    document, fault = (None, fault) if fault else _parsed(text)
    if isinstance(document, dict) and "content" not in document:
        lists = [value for value in document.values() if isinstance(value, list)]
        document = lists[0] if len(lists) == 1 else document
    if not fault:
        rows = document if isinstance(document, list) else [document]
        yield from (_line(number, row, "item" if row is not document else "line") for number, row in enumerate(rows, start=1))
        return
    is_list = text.lstrip().startswith("[")
    faulty: list[Line] | None = []  # as long as no line is one of JSON, for then it is no file of lines at all
    for number, found in enumerate(EACH_LINE.finditer(text), start=1):
        if not found[0].strip():
            continue
        line = line_of_json(number, found[0])
        if faulty is None:
            yield line
            continue
        faulty.append(line)
        if not line.fault and not is_list:
            yield from faulty
            faulty = None
    if faulty is not None and len(faulty) > 1:
        raise InvalidInput(f"{shown} is no JSON: {fault}")
    yield from faulty or ()


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
    value, fault = _parsed(text)
    return Line(number=number, fault=f"the {what} is no JSON ({fault})") if fault else _line(number, value, what)


def _line(number: int, value: Any, what: str) -> Line:
    if isinstance(value, dict):
        return line_of_fields(number, value)
    return Line(number=number, fault=f"the {what} is {type(value).__name__}, expected a JSON object")


def _parsed(text: str) -> tuple[Any, str]:
    """The value of a JSON text, and why it is none, empty where it is."""
    try:
        return load_json(text), ""
    except json.JSONDecodeError as error:
        return None, f"{error.msg} at line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"{error.msg} at {error.pos}"
    except ValueError as error:
        return None, str(error)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(inner) for name, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value
