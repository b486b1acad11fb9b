"""pandas frames as plain values for JSON, and as tables for a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gather_pipeline.cli.output import print_table

if TYPE_CHECKING:
    import pandas as pd


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON can hold them: what is unknown or infinite is None, times are ISO 8601 in UTC, bytes are hexadecimal."""
    return [{str(name): plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def plain(value: Any) -> Any:
    """One value of a frame, however deep, as JSON can hold it."""
    import pandas as pd

    match value:
        case None | bool() | int() | str():
            return value
        case float() | Decimal():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(plain(key)): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case bytes() | bytearray():
            return value.hex()
    if value is pd.NaT or value is pd.NA:
        return None
    match value:
        case datetime():  # measured times carry no zone and are UTC
            return (value if value.tzinfo else pd.Timestamp(value).tz_localize("UTC")).isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def print_frame(frame: pd.DataFrame, columns: Sequence[str] = ()) -> None:
    """A frame as a table; of all its columns where none is named."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    shown = frame[list(columns)] if columns else frame
    numbers = [str(name) for name in shown.columns if is_numeric_dtype(shown[name]) and not is_bool_dtype(shown[name])]
    rows = [[cell(value) for value in row.values()] for row in plain_rows(shown)]
    print_table([str(name) for name in shown.columns], rows, right=numbers)


def cell(value: Any) -> Any:
    """A value as a person reads it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
    return value
