"""Tables of notes as CSV, the way people's spreadsheets and programs write it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from gather_pipeline.adapters.files.cells import columns_of, from_cells, unmarked
from gather_pipeline.adapters.files.lines import line_of_fields, stray
from gather_pipeline.domain.item_lines import NEEDED, Line
from gather_pipeline.errors import InvalidInput, shorten

DELIMITERS = ",;\t|"  # spreadsheets of many countries write the second
csv.field_size_limit(2**31 - 1)  # of the whole process; 131,072 by default, and a file's own size is limited elsewhere
DECLARED = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # a first line that tells spreadsheets the delimiter


def read_csv(text: str, shown: str) -> Iterator[Line]:
    """Lines of a table. Empty cells may be missing at a line's end, and empty ones follow it.

    Raises:
        InvalidInput: There is no line of headings.
    """
    lines = io.StringIO(text if "\n" in text else text.replace("\r", "\n"), newline="\n")
    columns, delimiter, begun, is_spaced = _headings(lines, shown)
    # Strict, so that a quote that is never closed is not taken for a note of all the lines after it.
    form: dict[str, Any] = {"delimiter": delimiter, "strict": True, "skipinitialspace": is_spaced}
    if '\\"' in text:  # else the rest of a large file is not copied
        rest = lines.read()
        if _faults(rest, form) > _faults(doubled := rest.replace('\\"', '""'), form):
            rest = doubled  # programs such as Spark mark a quote within quotes by a backslash
        lines = io.StringIO(rest, newline="\n")
    reader = csv.reader(lines, **form)
    while True:
        number = reader.line_num + begun + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield Line(number=number, fault=_not_csv(str(error), reader.line_num + begun))
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        beyond = next((place for place, cell in enumerate(cells) if place >= len(columns) and cell.strip()), None)
        if fault := stray(delimiter.join(cells)):
            yield Line(number=number, fault=fault)
        elif beyond is not None:
            fault = f"cell {beyond + 1} is {shorten(cells[beyond])}, expected none: the first line has {len(columns)} headings"
            yield Line(number=number, fault=fault)
        else:
            filled = [unmarked(cell) for cell in cells] + [""] * (len(columns) - len(cells))
            yield line_of_fields(number, from_cells(dict(zip(columns, filled, strict=False))))


def _faults(text: str, form: dict[str, Any]) -> int:
    """How many lines are no CSV of that form."""
    reader, count = csv.reader(io.StringIO(text, newline="\n"), **form), 0
    while True:
        try:
            for _ in reader:
                pass
        except csv.Error:
            count += 1
        else:
            return count


def _not_csv(reason: str, ended: int) -> str:
    if reason == "unexpected end of data":
        return f"the line opens a quote that is never closed, expected its end before the file's (line {ended})"
    if reason.startswith("new-line character"):
        return "the line has a carriage return within, expected one only in quotes"
    return f"the line is no CSV ({reason})"


def _headings(lines: Iterator[str], shown: str) -> tuple[list[str], str, int, bool]:
    """Columns that the headings mean, the character between them, how many lines there are up to them, and whether blanks follow it."""
    delimiters, number, text = DELIMITERS, 0, ""
    for text in lines:
        number += 1
        if declared := DECLARED.fullmatch(text.strip("\r\n")):
            delimiters = declared[1]
        elif text.strip(f"{delimiters} \r\n") and not (text.startswith("#") and NEEDED[1] not in text.lower()):
            break  # no comment
    for delimiter in delimiters:
        try:
            headings = next(csv.reader([text], delimiter=delimiter), [])
        except csv.Error:  # a carriage return within: no line of a table
            break
        while headings and not headings[-1].strip():
            headings.pop()
        named = [heading if heading.strip() else f"column {place}" for place, heading in enumerate(headings, start=1)]
        columns = columns_of(named, shown)
        if set(NEEDED) <= set(columns):
            return columns, delimiter, number, any(heading.startswith(" ") for heading in headings)
    if fault := stray(text):
        raise InvalidInput(f"{shown}: line {number}: {fault}")
    raise InvalidInput.field(f"{shown}: the first line", text.strip(), f"names of columns, {' and '.join(NEEDED)} among them")
