"""Items' lines as cells of a table, for formats that know only texts and numbers. Nested values are JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from gather_pipeline.domain.item_lines import COLUMNS
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.errors import InvalidInput

NESTED = ("automation", "revisions", "overruled")
NUMBERS = ("iteration", "place", "revision")
NULLABLE = ("written_by", "user_id")
EXACT = "exact"  # column of exports of release 1.0.0: JSON of the fields that their own cells could not hold
FORMULA = re.compile(r"'*[=+@\t\r-]")  # how a cell begins that a spreadsheet takes for a formula, marked or not
WHOLE = re.compile(r"([+-]?\d{1,18})([.,]0{1,2})?")  # spreadsheets write 1.0, or 1,0


def to_cells(fields: Mapping[str, Any]) -> dict[str, str | int | None]:
    """A line's cells, by column; None for nothing."""
    return {name: _cell(name, fields[name]) for name in COLUMNS}


def _cell(name: str, value: Any) -> str | int | None:
    if name in NESTED:
        return json.dumps(value, ensure_ascii=False) if value else None
    # A table of texts cannot tell an empty name from none, so an odd name is quoted.
    return json.dumps(value, ensure_ascii=False) if name in NULLABLE and value is not None and value[:1] in ("", '"') else value


def marked(cell: str | int | None) -> str | int | None:
    """The cell as a spreadsheet shows it and computes nothing: an apostrophe before what looks like a formula."""
    return f"'{cell}" if isinstance(cell, str) and FORMULA.match(cell) else cell


def unmarked(cell: str) -> str:
    """The cell before `marked`."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def columns_of(headings: Iterable[str], shown: str) -> list[str]:
    """The columns that the headings of a table mean, however they are written; a heading that means none stays as it is.

    Raises:
        InvalidInput: Two mean the same column; names the table as it is `shown`.
    """
    columns = [column_of(heading) for heading in headings]
    if twice := next((name for name in COLUMNS if columns.count(name) > 1), None):
        raise InvalidInput(f"{shown}: column {twice!r} is there more than once")
    return columns


def column_of(heading: str) -> str:
    """The column that a heading means, however it is written; one that means none as it is."""
    name = re.sub(r"[\W_]+", "_", heading.lower()).strip("_")
    return name if name in (*COLUMNS, EXACT) else heading.strip()


def from_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a row's cells; a cell that is not what its column holds stays as it is, for the line's rules to name it."""
    fields = {name: _value(name, cell) for name, cell in cells.items() if name != EXACT}
    exact = _decoded(cells.get(EXACT))
    return fields | exact if isinstance(exact, dict) else fields


def _value(name: str, cell: Any) -> Any:
    if name in NESTED:
        return _decoded(cell) if cell else {} if name == "automation" else []
    if name in NULLABLE:
        return _decoded(cell) if isinstance(cell, str) and cell.startswith('"') else cell or None
    if name in NUMBERS:
        if isinstance(cell, str) and (whole := WHOLE.fullmatch(cell)):
            return int(whole[1])
        return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
    return "" if cell is None else cell


def _decoded(cell: Any) -> Any:
    try:
        return load_json(cell) if isinstance(cell, str) else cell
    except ValueError:
        return cell
