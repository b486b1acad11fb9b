"""Numbers in one form, so that "half past six" and "6:30", "a dozen" and "12", "two metres" and "2 m" compare as equal.

Number words are text2num's business; times of day, fractions, dozens and units stand here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from text_to_num import alpha2digit

from gather_pipeline.domain.texts import LONE_SURROGATE

UNITS = {
    "m": "metre", "metre": "metre", "metres": "metre", "meter": "metre", "meters": "metre",
    "cm": "centimetre", "centimetre": "centimetre", "centimetres": "centimetre", "centimeter": "centimetre", "centimeters": "centimetre",
    "mm": "millimetre", "millimetre": "millimetre", "millimetres": "millimetre", "millimeter": "millimetre", "millimeters": "millimetre",
    "km": "kilometre", "kilometre": "kilometre", "kilometres": "kilometre", "kilometer": "kilometre", "kilometers": "kilometre",
    "ft": "foot", "foot": "foot", "feet": "foot", "in": "in", "inch": "inch", "inches": "inch",
    "kg": "kilogram", "kilo": "kilogram", "kilos": "kilogram", "kilogram": "kilogram", "kilograms": "kilogram",
    "kilogramme": "kilogram", "kilogrammes": "kilogram", "g": "gram", "gram": "gram", "grams": "gram",
    "l": "litre", "litre": "litre", "litres": "litre", "liter": "litre", "liters": "litre",
    "s": "second", "sec": "second", "secs": "second", "second": "second", "seconds": "second",
    "min": "minute", "mins": "minute", "minute": "minute", "minutes": "minute",
    "h": "hour", "hr": "hour", "hrs": "hour", "hour": "hour", "hours": "hour",
    "hz": "hertz", "hertz": "hertz", "db": "decibel", "decibel": "decibel", "decibels": "decibel",
    "percent": "percent", "per cent": "percent", "%": "percent", "degree": "degree", "degrees": "degree", "°": "degree",
}  # fmt: skip
# Factors to one unit of a kind, so that 40 cm is 0.4 metre.
BASES = {
    "centimetre": ("metre", 0.01), "millimetre": ("metre", 0.001), "kilometre": ("metre", 1000.0), "gram": ("kilogram", 0.001),
    "minute": ("second", 60.0), "hour": ("second", 3600.0), "foot": ("metre", 0.3048), "inch": ("metre", 0.0254),
}  # fmt: skip
SMALL = {"two": "2", "three": "3"}  # which text2num leaves where they stand alone
MAGNITUDES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
DAYS = {"first": "1 ", "second": "2 ", "third": "3 "}
Steps = tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]


def canonical_numbers(text: str) -> str:
    """The text with its numbers, times of day and units of measure in one form each; lines and white space stay as they are."""
    found = _replaced(LONE_SURROGATE.sub("\ufffd", text), BEFORE_DIGITS)
    found = "\n".join(alpha2digit(line, "en") if line.strip() else line for line in found.split("\n"))
    return _replaced(found, AFTER_DIGITS)


def _replaced(text: str, steps: Steps) -> str:
    for pattern, value in steps:
        text = pattern.sub(value, text)
    return text


def _past(match: re.Match[str]) -> str:
    spoken = match[1].casefold().removeprefix("a ")
    minutes = {"half": 30, "quarter": 15}.get(spoken) or int(spoken)
    hour = int(match[3])
    if minutes > 59 or hour > 24:
        return match.group()
    if match[2].casefold() == "to":
        return f"{(hour - 1) % 24}:{60 - minutes:02d}"
    return f"{hour}:{minutes:02d}"


def _clock(match: re.Match[str]) -> str:
    hour = int(match[1]) % 12 + (12 if match[3].casefold() == "p" else 0)
    return f"{hour}:{match[2] or '00'}"


def _late(match: re.Match[str]) -> str:
    hour = int(match[1])
    return f"{(hour + 12) % 24 if 0 < hour <= 12 else hour}:{match[2] or '00'} "


def _unit(match: re.Match[str]) -> str:
    unit = UNITS.get(match[2].casefold())
    if unit is None:
        return match.group()
    base, factor = BASES.get(unit, (unit, 1.0))
    return f"{float(match[1].replace(',', '.')) * factor:.6g} {base}"


BEFORE_DIGITS: Steps = (
    (re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])"), " "),  # the hyphen of "twelve-hour"
    (re.compile(rf"\bhalf a ({'|'.join(MAGNITUDES)})\b", re.I), lambda match: f"{MAGNITUDES[match[1].casefold()] / 2:.15g}"),
    (
        re.compile(r"\b(?:the )?(first|second|third) of (?=(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b)", re.I),
        lambda match: DAYS[match[1].casefold()],
    ),
    (
        re.compile(rf"(\d+(?:\.\d+)?)[ -]({'|'.join(MAGNITUDES)})\b", re.I),
        lambda match: f"{float(match[1]) * MAGNITUDES[match[2].casefold()]:.15g}",
    ),
)
AFTER_DIGITS: Steps = (
    (re.compile(r"\b(two|three)\b", re.I), lambda match: SMALL[match[1].casefold()]),
    (re.compile(r"(?<![\d.,])\d{1,3}(?:[,’'\u202f\u00a0]\d{3})+(?![\d,])"), lambda match: re.sub(r"\D", "", match.group())),
    (
        re.compile(r"\b(1[0-9]|20) (\d{2})\b(?=[\s,.;)]|$)(?!\s*(?:%|percent|o['’]clock|metre|meter|second|minute|hour))"),
        r"\1\2",  # "nineteen seventy-four"
    ),
    (re.compile(r"\b(\d+)(?: and a half\b|½)", re.I), r"\1.5"),
    (re.compile(r"\b(\d+)(?: and a quarter\b|¼)", re.I), r"\1.25"),
    (re.compile(r"\b(\d+) dozen\b", re.I), lambda match: str(12 * int(match[1]))),
    (re.compile(r"\b(?:(?:a|one|1) (?:and a half|1/2) hours?|(?:an|one|1) hour and a half)\b", re.I), "90 minute"),
    (re.compile(r"\bhalf an? hour\b", re.I), "30 minute"),
    (re.compile(r"\b(?:a )?quarter of an hour\b", re.I), "15 minute"),
    (re.compile(r"\b(?:three|3) quarters of an hour\b", re.I), "45 minute"),
    (re.compile(r"\bhalf a dozen\b", re.I), "6"),
    (re.compile(r"\b(?:a )?dozen\b(?!s)", re.I), "12"),
    (re.compile(r"\b(?:noon|midday)\b", re.I), "12:00"),
    (re.compile(r"\bmidnight\b", re.I), "0:00"),
    (re.compile(r"\ba (?:couple|pair) of\b", re.I), "2"),
    (re.compile(r"\btwice\b", re.I), "2 times"),
    (re.compile(r"\bthrice\b", re.I), "3 times"),
    (re.compile(r"\b(half|quarter|a quarter|\d{1,2})(?: minutes)? (past|to) (\d{1,2})(?![\d:])", re.I), _past),
    (re.compile(r"(?<![\d:])(\d{1,2}) o['’]clock", re.I), r"\1:00"),
    (re.compile(r"(?<![\d:.])(\d{1,2})(?:[:.h](\d{2}))?\s*([ap])\.?\s?m\b\.?", re.I), _clock),
    (re.compile(r"(?<![\d:.])(\d{1,2})(?::(\d{2}))? (?=(?:in the (?:afternoon|evening)|at night|tonight)\b)", re.I), _late),
    (re.compile(r"(?<!\w)(\d+)(?:st|nd|rd|th)\b"), r"\1"),
    (re.compile(r"(?<![\w.])(\d+(?:[.,]\d+)?)[\s-]?(%|°|per cent|[A-Za-z]+)(?![\w])"), _unit),
)
