"""Change cursors: where a reader stands in a database's change log, and whether that log is still the one it has read.

A store that is put back from a copy gives numbers again that a reader may have passed. So each writer begins an *era* at its first write:
a random token from its first change number on. A cursor names the era that its number lies in. The log up to that number is unchanged as
long as the number still lies in the same era: a copy that was written to has another one there, a copy that was not ends before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from secrets import token_hex

from gather_pipeline.errors import InvalidInput, StaleCursor

CURSOR = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})(?:\.([0-9a-f]{16}))?")


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place after one change of a database.

    Attributes:
        epoch: Random name that the database got when it was made.
        sequence: The change's number.
        era: Token of the era that the number lies in; None before the first, in databases that are older than eras.
    """

    epoch: str
    sequence: int
    era: str | None

    def __str__(self) -> str:
        return f"{self.epoch}.{self.sequence}" + (f".{self.era}" if self.era else "")


def new_token() -> str:
    """A random name for an epoch or an era."""
    return token_hex(8)


def parse(cursor: str) -> Place | None:
    """Reads a cursor; None for the empty one, which stands before every change.

    Raises:
        InvalidInput: It has not the form of a cursor.
    """
    if cursor == "":
        return None
    found = CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
    if not found:
        raise InvalidInput.field("cursor", cursor, "one that changed_since gave")
    return Place(epoch=found[1], sequence=int(found[2]), era=found[3])


def check(place: Place | None, *, epoch: str | None, last: int, era: str | None) -> int:
    """Number of the change that a cursor stands after, 0 for the empty one.

    Args:
        place: The cursor, as `parse` read it.
        epoch: The database's epoch, None where there is no such database.
        last: Number of its last change.
        era: Token of its era at the cursor's number.

    Raises:
        StaleCursor: The log that the cursor stands in is not this one.
    """
    if place is None:
        return 0
    if place.epoch != epoch or place.sequence > last or place.era != era:
        expected = "one of this database as it is now: it was put back from a copy, made anew, or is another one, so read from the start"
        raise StaleCursor.field("cursor", str(place), expected)
    return place.sequence
