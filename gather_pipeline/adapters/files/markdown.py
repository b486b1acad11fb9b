"""Items as Markdown for reading: headings by department and aspect, each note as a quotation, and what else is kept of it in a comment.

Every line of a note begins with ``>``, so that a note which looks like a heading or a comment stays a note. A note with control
characters is shown without them, and kept as it is in its comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from gather_pipeline.adapters.files.lines import line_of_fields, line_of_json, stray
from gather_pipeline.domain.item_lines import Line
from gather_pipeline.domain.texts import CONTROL
from gather_pipeline.errors import InvalidInput

OPENING, CLOSING = "<!-- gather-item ", " -->"
UNSAFE = re.compile(f"[<>]|{CONTROL.pattern}")
HEADINGS = {"deleted": "Deleted", "dropped": "Set aside as duplicates"}


def write_markdown(rows: Iterable[Mapping[str, Any]], file: BinaryIO, title: str) -> None:
    """Writes items by department and aspect; those that are not active in parts of their own at the end."""
    states = _grouped(rows, "state")
    _write(file, f"# {_one_line(title)}", "")
    for department, its_rows in _grouped(states.pop("active", []), "department").items():
        _write(file, f"## {department}", "")
        for aspect, found in _grouped(its_rows, "aspect").items():
            _write(file, f"### {_one_line(aspect) or 'further notes'}", "")
            for row in found:
                _write_item(file, row)
    for state in (state for state in HEADINGS if state in states):
        _write(file, f"## {HEADINGS[state]}", "")
        for row in states[state]:
            _write_item(file, row)


def _grouped(rows: Iterable[Mapping[str, Any]], name: str) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


def _write_item(file: BinaryIO, row: Mapping[str, Any]) -> None:
    content = CONTROL.sub("\N{REPLACEMENT CHARACTER}", row["content"])
    kept = {name: value for name, value in row.items() if name != "content" or value != content}
    text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
    # Within JSON these signs stand in texts alone, where they may be written as codes: so no text ends the comment or steers a screen.
    comment = UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    lines = [f"> {line}" if line else ">" for line in content.split("\n")]
    _write(file, f"{OPENING}{comment}{CLOSING}", *lines, "")


def _write(file: BinaryIO, *lines: str) -> None:
    file.write("".join(f"{line}\n" for line in lines).encode())


def _one_line(text: str) -> str:
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def read_markdown(text: str, shown: str) -> Iterator[Line]:
    """Items of a file that `write_markdown` made; everything but comments and quotations is passed over.

    Raises:
        InvalidInput: There is no such comment in it.
    """
    comment: tuple[int, str] | None = None
    quoted: list[str] = []
    found = carried = False
    for number, line in enumerate(text.split("\n"), start=1):
        if comment is not None and carried:  # whoever saved the file ends lines with two characters
            line = line.removesuffix("\r")
        if comment is not None and (line == ">" or line.startswith("> ")):
            quoted.append(line[2:])
            continue
        if comment is not None:
            yield _line(*comment, quoted)
            comment, quoted = None, []
        if line.startswith(OPENING):
            comment, found, carried = (number, line.rstrip()), True, line.endswith("\r")
    if comment is not None:
        yield _line(*comment, quoted)
    if not found:
        raise InvalidInput(f"{shown} has no note with its comment, expected Markdown as gather export writes it")


def _line(number: int, comment: str, quoted: list[str]) -> Line:
    line = line_of_json(number, comment.removeprefix(OPENING).removesuffix(CLOSING), "comment")
    content = "\n".join(quoted)
    if line.fault or not quoted:
        return line
    if fault := stray(content):
        return Line(number=number, fault=fault)
    return line_of_fields(number, {"content": content, **line.fields})
