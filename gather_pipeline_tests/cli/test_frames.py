from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from gather_pipeline.cli.views.frames import cell, plain, plain_rows


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (pd.NaT, None),
        (pd.NA, None),
        (True, True),
        (3, 3),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (Decimal("1.25"), 1.25),
        (np.array([1.0, float("nan")]), [1.0, None]),
        ([np.array([1])], [[1]]),
        ({"a": np.int64(1), 2: None}, {"a": 1, "2": None}),
        (b"\x00\xff", "00ff"),
        (bytearray(b"x"), "78"),
        (pd.Timestamp("2026-01-02 03:04:05"), "2026-01-02T03:04:05+00:00"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=2), 120.0),
        (pd.Timedelta(seconds=3), 3.0),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("text", "text"),
    ],
    ids=repr,
)
def test_a_value_becomes_what_json_can_hold(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted
    json.dumps(plain(value), allow_nan=False)


def test_a_frame_becomes_rows() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, None], "t": pd.to_datetime(["2026-01-01", None])})
    assert plain_rows(frame) == [{"a": 1, "b": 0.5, "t": "2026-01-01T00:00:00+00:00"}, {"a": 2, "b": None, "t": None}]


@pytest.mark.parametrize(("value", "shown"), [(1234567, "1,234,567"), (0.5, "0.5"), (2.0, "2"), (True, "yes"), ("x", "x"), (None, None)])
def test_a_cell_is_for_reading(value: Any, shown: Any) -> None:
    assert cell(value) == shown
