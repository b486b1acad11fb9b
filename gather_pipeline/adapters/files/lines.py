"""Lines as they come in from outside: here a text is checked to be text, and cleaned, once."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO

from gather_pipeline.adapters.files.cells import column_of
from gather_pipeline.domain.item_lines import COLUMNS, Line
from gather_pipeline.domain.json_texts import BOM, each_text, from_mongo, load_json, load_several
from gather_pipeline.domain.texts import ENCODINGS, clean, decode
from gather_pipeline.errors import InvalidInput

ENVELOPES = 3  # objects around a list of items
STRAY = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8


def stray(text: str) -> str:
    """What is wrong with a line that is not UTF-8 text; empty where it is."""
    found = STRAY.search(text)
    return f"byte {ord(found[0]) & 0xFF:#04x} at {found.start()} is not UTF-8 text" if found else ""


def read_json(file: BinaryIO, shown: str) -> Iterator[Line]:
    """Lines of JSON, read one at a time, or one document: a list of objects, an object, or objects around one list of them.

    The file is read more than once; messages name it as it is `shown`.

    Raises:
        InvalidInput: It is a document over several lines, and no JSON.
        OSError: It cannot be read.
    """
    file = _in_utf_8(file)
    is_list, is_lines = _kind(file)
    fault = ""
    if not is_lines:
        document, fault = _document(file)
        for _ in range(ENVELOPES):
            held = list(document.values()) if isinstance(document, dict) and "content" not in document else []
            lists = [part for part in held if isinstance(part, list)]
            lists = [part for part in lists if any(isinstance(row, dict) for row in part)] or lists
            held = lists or [part for part in held if isinstance(part, dict)]
            document = held[0] if len(held) == 1 else document
        if not fault:
            rows = document if isinstance(document, list) else [document]
            yield from (_line(number, row, "item" if row is not document else "line") for number, row in enumerate(rows, start=1))
            return
    faulty: list[Line] | None = []  # as long as no line is one of JSON, for then it is no file of lines at all
    for number, text in _texts(file):
        line = line_of_json(number, text)
        if faulty is None:
            yield line
            continue
        faulty.append(line)
        if not line.fault and not is_list:
            yield from faulty
            faulty = None
    if faulty is not None and len(faulty) > 1:
        raise InvalidInput(f"{shown} is no JSON: {fault or _document(file)[1]}")
    yield from faulty or ()


def _in_utf_8(file: BinaryIO) -> BinaryIO:
    """The file, or what it says in UTF-8 where a mark tells of another encoding."""
    mark = file.read(max(map(len, ENCODINGS)))
    file.seek(0)
    if mark.startswith(tuple(ENCODINGS)):
        with suppress(UnicodeDecodeError):
            return io.BytesIO(decode(file.read()).encode())
    return file


def _texts(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Lines in which something stands, with their numbers; a byte that is no text is marked, for its line to be refused."""
    file.seek(0)
    for number, line in enumerate(file, start=1):
        text = line.decode("utf-8", "surrogateescape").removesuffix("\n")
        text = (text.removeprefix(BOM) if number == 1 else text).removeprefix("\x1e")
        if text.strip():
            yield number, text


def _kind(file: BinaryIO) -> tuple[bool, bool]:
    """Whether a file begins like a list, and whether it can be nothing but lines of JSON: there are two, and the first is no beginning."""
    first, *others = [text for _, text in islice(_texts(file), 2)] or [""]
    is_list = first.lstrip().startswith("[")
    if is_list or not others:
        return is_list, False
    try:
        load_json(first)
    except json.JSONDecodeError as error:
        return False, error.pos < len(first.rstrip())  # else it is right as far as it goes, and may go on
    except ValueError:
        pass
    return False, True


def _document(file: BinaryIO) -> tuple[Any, str]:
    """The value of a file that is one JSON text, and why it is none, empty where it is."""
    file.seek(0)
    text = file.read().decode("utf-8", "surrogateescape")
    fault = stray(text)
    return (None, fault) if fault else _parsed(text)


def line_of_fields(number: int, fields: dict[str, Any]) -> Line:
    """A line with its values, their texts cleaned."""
    return Line(number=number, fields=each_text(fields, clean))


def line_of_json(number: int, text: str, what: str = "line") -> Line:
    """A line of a JSON object, or what is wrong with it, in which it is called `what`."""
    if fault := stray(text):
        return Line(number=number, fault=fault)
    value, fault = _parsed(text)
    return Line(number=number, fault=f"the {what} is no JSON ({fault})") if fault else _line(number, value, what)


def _line(number: int, value: Any, what: str) -> Line:
    if isinstance(value, dict):
        exact = {name: value[name] for name in COLUMNS if name in value}
        return line_of_fields(number, {column_of(name): part for name, part in value.items()} | exact)
    return Line(number=number, fault=f"the {what} is {type(value).__name__}, expected a JSON object")


def _parsed(text: str) -> tuple[Any, str]:
    """The value of a JSON text, of several one after the other a list, and why it is none, empty where it is."""
    try:
        values = load_several(text)
        return from_mongo(values[0] if len(values) == 1 else values), ""
    except json.JSONDecodeError as error:
        return None, f"{error.msg} at line {error.lineno}, column {error.colno}" if "\n" in text.strip() else f"{error.msg} at {error.pos}"
    except ValueError as error:
        return None, str(error)
