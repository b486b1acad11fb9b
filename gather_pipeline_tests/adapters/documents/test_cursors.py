"""Change cursors: their form, and when they are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.documents import cursors
from gather_pipeline.adapters.documents.cursors import Place
from gather_pipeline.errors import InvalidInput, StaleCursor

EPOCH, ERA, OTHER = "0123456789abcdef", "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
PLACE = Place(epoch=EPOCH, sequence=10, era=ERA)
TOKENS = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(TOKENS, st.integers(0, 10**18 - 1), TOKENS | st.none())
def test_a_cursor_is_read_as_it_was_written(epoch: str, sequence: int, era: str | None) -> None:
    place = Place(epoch=epoch, sequence=sequence, era=era)
    assert cursors.parse(str(place)) == place


def test_the_empty_cursor_stands_before_everything() -> None:
    place = cursors.parse("")
    assert cursors.check(place, epoch=None, last=0, era=None) == 0
    assert cursors.check(place, epoch=EPOCH, last=10, era=None) == 0


@pytest.mark.parametrize(
    "cursor", ["x", EPOCH, f"{EPOCH}.", f"{EPOCH}.-1", f"{EPOCH}.1.", f"{EPOCH}.1.x", f"{EPOCH}.١", f"{EPOCH}.1\n", 5, None]
)
def test_what_has_not_the_form_of_a_cursor_is_no_stale_one(cursor: Any) -> None:
    with pytest.raises(InvalidInput, match="cursor is .*, expected one that changed_since gave") as caught:
        cursors.parse(cursor)
    assert type(caught.value) is InvalidInput


def test_a_cursor_of_this_log_tells_its_number() -> None:
    assert cursors.check(PLACE, epoch=EPOCH, last=10, era=ERA) == 10
    assert cursors.check(Place(epoch=EPOCH, sequence=3, era=None), epoch=EPOCH, last=10, era=None) == 3


@pytest.mark.parametrize(
    "log",
    [
        {"epoch": OTHER, "last": 10, "era": ERA},
        {"epoch": None, "last": 0, "era": None},
        {"epoch": EPOCH, "last": 9, "era": ERA},
        {"epoch": EPOCH, "last": 10, "era": OTHER},
        {"epoch": EPOCH, "last": 10, "era": None},
    ],
    ids=["another database", "no database", "beyond the end", "another era", "before all eras"],
)
def test_a_cursor_of_another_log_is_stale(log: dict[str, Any]) -> None:
    said = f"cursor is '{EPOCH}.10.{ERA}', expected one of this database as it is now: it was put back from a copy, made anew"
    with pytest.raises(StaleCursor, match=said):
        cursors.check(PLACE, **log)
