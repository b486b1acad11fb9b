"""JSON from outside: people's files, answers of servers and of models. What is nested or long without need is refused, with the limit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

DEEPEST = 64  # levels of lists and mappings; an export's line has 5, and MongoDB keeps 100
BOM = "\ufeff"
LONGEST_NUMBER = 300  # digits; a number of more is no float
BETWEEN = re.compile(r"[\s,\x1e]*")  # values that stand one after the other: blanks, a comma, the separator of RFC 7464
TOO_DEEP = f"it is nested more than {DEEPEST} levels deep, expected at most {DEEPEST}"


def load_json(text: str, **options: Any) -> Any:
    """The value of a JSON text, also of one with the mark that some programs put before UTF-8; `options` are as `json.loads` takes them.

    Raises:
        ValueError: It is none, is nested too deep, or has a number too long; a `JSONDecodeError` where it is none.
    """
    try:
        value = json.loads(text.removeprefix(BOM), parse_int=whole_number, **options)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    check_depth(value)
    return value


def load_several(text: str) -> list[Any]:
    """The values of a text, one at least, in which they stand one after the other: JSON lines, or as MongoDB and jq write them.

    Raises:
        ValueError: As `load_json`, also where there is none.
    """
    text, decoder, values = text.removeprefix(BOM), json.JSONDecoder(parse_int=whole_number), []
    place = _after(text, 0)
    try:
        while place < len(text):
            value, end = decoder.raw_decode(text, place)
            check_depth(value)
            values.append(value)
            place = _after(text, end)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    return values or [load_json(text)]


def _after(text: str, place: int) -> int:
    between = BETWEEN.match(text, place)
    return between.end() if between else place


def each_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every text in it changed, names too; done before it is parsed, a number could become none."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): each_text(part, change) for name, part in value.items()}
    return [each_text(part, change) for part in value] if isinstance(value, list) else value


def whole_number(digits: str) -> int:
    """The number; raises `ValueError` where it has too many digits."""
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(digits)} digits, expected at most {LONGEST_NUMBER}")
    return int(digits)


MONGO: dict[str, Callable[[str], Any]] = {"$oid": str, "$date": str, "$numberInt": whole_number, "$numberLong": whole_number}
MONGO |= {"$numberDouble": float, "$numberDecimal": float}


def from_mongo(value: Any) -> Any:
    """A JSON value in which MongoDB's own notations for values (Extended JSON, as mongoexport writes it) are read.

    Raises:
        ValueError: One of them is none.
    """
    if isinstance(value, list):
        return [from_mongo(part) for part in value]
    if not isinstance(value, dict):
        return value
    made = {name: from_mongo(part) for name, part in value.items()}
    read = MONGO.get(next(iter(made))) if len(made) == 1 else None
    return read(str(*made.values())) if read else made


def check_depth(value: Any) -> None:
    """Raises `ValueError` where lists and mappings stand in one another deeper than `DEEPEST`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        inner = (part for one in level for part in (one.values() if isinstance(one, dict) else one))
        level = [part for part in inner if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(TOO_DEEP)
