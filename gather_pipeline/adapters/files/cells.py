"""Items' lines as cells of a table, for formats that know only texts and numbers.

Nested values are JSON. What UTF-8 text cannot hold (half a surrogate pair, a NUL: models do answer with them) is shown by a replacement
character, and kept exactly in a column of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.item_lines import COLUMNS, NESTED, NULLABLE, NUMBERS

EXACT = "exact"  # JSON of the fields that their own cells cannot hold
CELL_COLUMNS = (*COLUMNS, EXACT)
UNFIT = re.compile("[\x00\ud800-\udfff]")
STRAY = re.compile("[\x00\udc80-\udcff]")  # what `surrogateescape` makes of a byte that is not UTF-8, and what no text file has
WHOLE = re.compile(r"[+-]?\d{1,18}")


def stray(text: str) -> str:
    """What is wrong with a line of a file that is not UTF-8 text; empty where it is."""
    found = STRAY.search(text)
    return f"byte {ord(found[0]) & 0xFF:#04x} at {found.start()} is not UTF-8 text" if found else ""


def not_json(what: str, error: Exception) -> str:
    """What is wrong with a text that should be JSON."""
    reason = f"{error.msg} at {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
    return f"the {what} is no JSON ({reason})"


def to_json(value: Any) -> str:
    """JSON that is readable in its own script, and plain ASCII where UTF-8 cannot hold it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return json.dumps(value, allow_nan=False) if UNFIT.search(text) else text


def fit(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields with replacement characters where text cannot hold them, and those fields as they are."""
    exact = {name: value for name, value in fields.items() if isinstance(value, str) and UNFIT.search(value)}
    return {**fields, **{name: UNFIT.sub("\N{REPLACEMENT CHARACTER}", value) for name, value in exact.items()}}, exact


def to_cells(fields: Mapping[str, Any]) -> dict[str, str | int | None]:
    """A line's cells, by column; None for nothing."""
    shown, exact = fit(fields)
    cells: dict[str, str | int | None] = {name: to_json(value) if name in NESTED and value else value for name, value in shown.items()}
    cells |= {name: None for name in NESTED if not fields[name]}
    for name in NULLABLE:  # a table of texts cannot tell an empty name from none
        if (name not in exact) and isinstance(value := fields[name], str) and value[:1] in ("", '"'):
            cells[name] = json.dumps(value)
    return {**cells, EXACT: to_json(exact) if exact else None}


def from_cells(cells: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a row's cells; a cell that is not what its column holds stays as it is, for the line's rules to name it."""
    fields = {name: _value(name, value) for name, value in cells.items() if name != EXACT}
    exact = _decoded(cells.get(EXACT))
    return fields | exact if isinstance(exact, dict) else fields


def _value(name: str, cell: Any) -> Any:
    if name in NESTED:
        if cell is None or cell == "":
            return {} if name == "automation" else []
        return _decoded(cell)
    if name in NULLABLE:
        return None if cell is None or cell == "" else _decoded(cell) if isinstance(cell, str) and cell.startswith('"') else cell
    if name in NUMBERS:
        if isinstance(cell, str) and WHOLE.fullmatch(cell):
            return int(cell)
        return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
    return "" if cell is None else cell


def _decoded(cell: Any) -> Any:
    try:
        return json.loads(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        return cell
