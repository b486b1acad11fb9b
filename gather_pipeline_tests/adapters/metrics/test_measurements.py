"""The line format: what one end writes, the other end takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.metrics.measurements import Measurement, utc

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
COLUMNS = {
    "row_id": "VARCHAR",
    "logged_at": "TIMESTAMP",
    "name": "VARCHAR",
    "count": "BIGINT",
    "seconds": "DOUBLE",
    "at": "TIMESTAMP",
    "payload": "JSON",
    "extra": "JSON",
}


def make(**fields: Any) -> Measurement:
    return Measurement(row_id="r:1", kind="timing", at="2026-03-01T10:00:00+00:00", fields=fields)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_every_row_is_one_line_of_strict_json_that_reads_back(fields: dict[str, Any]) -> None:
    line = Measurement(row_id="r:1", kind="k", at="2026-03-01", fields=fields).to_line()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(line.decode("utf-8"), parse_constant=refuse)
    back = Measurement.from_line(line)
    assert len(back.fields) <= len(fields)
    assert Measurement.from_line(back.to_line()) == back


@given(st.binary(max_size=200))
def test_any_bytes_are_a_measurement_or_a_value_error(line: bytes) -> None:
    try:
        Measurement.from_line(line)
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", 2, "2"),
        ("name", ["a"], None),
        ("count", 3.0, 3),
        ("count", 2.5, None),
        ("count", True, None),
        ("count", 2**63, None),
        ("seconds", 1, 1.0),
        ("seconds", "1", None),
        ("at", "2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00"),
        ("at", "soon", None),
        ("payload", {"a": 1}, {"a": 1}),
        ("row_id", "forged", None),
        ("unheard", 1, None),
    ],
)
def test_a_value_goes_to_its_column_where_it_fits_and_to_extra_otherwise(field: str, value: object, kept: object) -> None:
    record = make(**{field: value}).to_record(COLUMNS)
    assert set(record) == set(COLUMNS)
    assert record["row_id"] == "r:1"
    if kept is None:
        assert record["extra"] == {field: value}
    else:
        assert (record[field], record["extra"]) == (kept, None)


def test_a_column_type_that_nobody_knows_is_a_fault_of_the_migration() -> None:
    with pytest.raises(ValueError, match="column type is MAP"):
        make(name="x").to_record({"name": "MAP"})


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00"),
        ("2026-03-01T10:00:00.5-01:00", "2026-03-01T11:00:00.500000"),
        ("2026-03-01", "2026-03-01T00:00:00"),
    ],
)
def test_times_are_kept_in_utc_without_their_offset(value: str, kept: str) -> None:
    assert utc(value) == kept


@pytest.mark.parametrize("value", [None, 5, "noon", "", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="time|isoformat|ISO"):
        utc(value)
