"""JSON from outside: people's files, answers of servers and of models. What is nested or long without need is refused, with the limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

DEEPEST = 64  # levels of lists and mappings; an export's line has 5, and MongoDB keeps 100
BOM = "\ufeff"
LONGEST_NUMBER = 300  # digits; a number of more is no float
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


def check_depth(value: Any) -> None:
    """Raises `ValueError` where lists and mappings stand in one another deeper than `DEEPEST`."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        inner = (part for one in level for part in (one.values() if isinstance(one, dict) else one))
        level = [part for part in inner if isinstance(part, dict | list)]
        if not level:
            return
    raise ValueError(TOO_DEEP)
