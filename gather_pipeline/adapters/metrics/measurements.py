"""A measurement and its form as one line of JSON: what processes append and ingestion reads (D2).

Both ends of the format stand here, so that a line which one end writes is a line which the other end takes: strict JSON in UTF-8,
without NaN, infinities or lone surrogates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

COMMON = ("row_id", "logged_at", "extra")  # columns of every table, not open to a row's own fields


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One row of a metrics log.

    Attributes:
        row_id: ``<run id>:<n>``, the key that makes ingestion happen once.
        kind: What was measured, e.g. ``iteration`` or ``call``.
        at: When it was appended, ISO 8601.
        fields: JSON-able values; None is unknown.
    """

    row_id: str
    kind: str
    at: str
    fields: Mapping[str, Any]

    def to_line(self) -> bytes:
        """One line with its newline; values that JSON does not know become text, numbers that are not finite become null."""
        row = {"row_id": self.row_id, "kind": self.kind, "at": self.at, "fields": _plain(self.fields)}
        return to_json(row) + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Measurement:
        """The measurement of a whole line.

        Raises:
            ValueError: The line is no measurement; says why.
        """
        try:
            row = json.loads(line.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_float=_finite)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(row, dict) or not isinstance(row.get("fields"), dict):
            raise ValueError("not an object with fields")
        for name in ("row_id", "kind", "at"):
            if not isinstance(row.get(name), str):
                raise ValueError(f"{name} is {row.get(name)!r}, expected text")
        return cls(row_id=row["row_id"], kind=row["kind"], at=utc(row["at"]), fields=row["fields"])

    def to_record(self, columns: Mapping[str, str]) -> dict[str, Any]:
        """The measurement by column of its kind's table; every column is there, None where nothing is known.

        Args:
            columns: SQL type by column name. Fields that have no column, or whose value does not fit it, go to column ``extra``.
        """
        record: dict[str, Any] = dict.fromkeys(columns)
        extra = {}
        for field, value in self.fields.items():
            fitted = _fit(value, columns[field]) if field in columns and field not in COMMON else None
            if fitted is not None:
                record[field] = fitted
            elif value is not None:
                extra[field] = value
        return record | {"row_id": self.row_id, "logged_at": self.at, "extra": extra or None}


def utc(value: object) -> str:
    """An ISO 8601 time in UTC and without its offset, as databases hold it; one without an offset counts as UTC.

    Raises:
        ValueError: Not such a time.
    """
    if not isinstance(value, str):
        raise ValueError(f"time is {value!r}, expected ISO 8601 text")
    moment = datetime.fromisoformat(value)
    try:
        return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat()
    except OverflowError:
        raise ValueError(f"time is {value!r}, expected a year from 1 to 9999 in UTC") from None


def to_json(value: object) -> bytes:
    """Strict JSON in UTF-8; lone surrogates, legal in Python alone, become question marks."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else str(value)


def _fit(value: Any, type_name: str) -> Any:
    """The value as a column of that SQL type holds it, None where it does not fit."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if type_name == "JSON":
        return value
    if type_name == "VARCHAR":
        return value if isinstance(value, str) else str(value) if number else None
    if type_name == "DOUBLE":
        return float(value) if number and abs(value) < 1e308 else None
    if type_name == "BIGINT":
        return int(value) if number and value == int(value) and abs(value) < 2**63 else None
    if type_name == "TIMESTAMP":
        try:
            return utc(value)
        except ValueError:
            return None
    raise ValueError(f"column type is {type_name}, expected JSON, VARCHAR, DOUBLE, BIGINT or TIMESTAMP")
