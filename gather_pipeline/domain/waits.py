"""How long to wait between two attempts at the same thing: as long as a server asks to, longer each time, and never all callers at once."""

from __future__ import annotations

import math
import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

UNITS = {"ms": 0.001, "milliseconds": 0.001, "s": 1.0, "sec": 1.0, "second": 1.0, "m": 60.0, "min": 60.0, "minute": 60.0}
UNITS |= {"h": 3600.0, "hour": 3600.0, "d": 86_400.0, "day": 86_400.0}
UNITS |= {f"{name}s": seconds for name, seconds in UNITS.items() if len(name) > 2 and not name.endswith("s")}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)


def parse_wait(value: str | None, now: datetime, *, milliseconds: bool = False) -> float | None:
    """Seconds to wait: a number of seconds, an amount with units (``1m2.5s``), a date, or a time of Unix; None where it says none.

    With `milliseconds` a number without a unit counts these; `now` has a time zone.
    """
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        amounts = [(float(amount), UNITS.get(unit.lower())) for amount, unit in AMOUNT.findall(value)]
        if amounts and all(unit is not None for _, unit in amounts) and re.fullmatch(r"[\d.a-zA-Z\s]+", value):
            return sum(amount * (unit or 0.0) for amount, unit in amounts)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                return None
        number = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    else:
        if not math.isfinite(number):
            return None
        if milliseconds or number > 1e11:
            number /= 1000
        if number > 1e9:  # a time of Unix
            number -= now.timestamp()
    return max(0.0, number)


def back_off(failures: int, *, first_s: float = 0.5, longest_s: float = math.inf) -> float:
    """Seconds to wait after so many failures in a row: about `first_s`, doubled from then on, at most `longest_s`."""
    return min(longest_s, first_s * 2.0 ** min(failures - 1, 60)) * random.uniform(0.5, 1.5)


def next_wait(failures: int, asked_s: float | None, *, attempts: int, longest_s: float) -> float | None:
    """Seconds until the next attempt at a request; None where so many have failed, or where it would be longer than `longest_s`.

    Never fewer than the server asked to wait, which is None where it did not.
    """
    wait_s = max(asked_s or 0.0, back_off(failures))
    return None if failures >= attempts or wait_s > longest_s else wait_s
