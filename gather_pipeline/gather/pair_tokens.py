"""Splits a text into tokens for the duplicate rules: words, numbers in canonical form, sentence marks.

"three", "3" and "3.0" must read the same and "twenty-five" must not read as 20 and 5, or the number rule would see differences that nobody
else sees. Scripts without spaces are cut into overlapping pairs of characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from gather_pipeline.gather.pair_words import AFTER_TENS, ORDINALS, SCALES, TENS, UNITS

TokenKind = Literal["word", "number", "unspaced", "stop"]

# Thai, Lao, Myanmar, Khmer, Japanese and Chinese are written without spaces.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTERS = rf"(?:(?![{UNSPACED}])[^\W\d_])+"
TOKEN = re.compile(
    rf"(?P<unspaced>[{UNSPACED}]+)"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
    r"|(?P<dotted>(?:[A-Za-z]\.){2,})"
    rf"|(?P<word>{LETTERS}(?:['’]{LETTERS})*)"
    r"|(?P<sign>[$€£%])"
    r"|(?P<stop>[.!?:;。！？\n]+|[\"“”«»„`])"
)
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
ORDINAL_ENDINGS = ("st", "nd", "rd", "th", "s")


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        text: Case-folded text; for a number its canonical value.
        kind: What it is; ``stop`` ends a sentence or opens a quotation.
        capital: True for a word written with a capital.
        start: True for the first word of a sentence.
    """

    text: str
    kind: TokenKind
    capital: bool = False
    start: bool = False


def tokens(text: str) -> list[Token]:
    """The tokens of a text in order, number words and digits joined to one number."""
    return _join_numbers(_split_text(text))


def _split_text(text: str) -> list[Token]:
    found: list[Token] = []
    start = True
    for match in TOKEN.finditer(text):
        group, value = match.lastgroup, match.group()
        if group == "stop":
            start = True
            found.append(Token(value, "stop"))
            continue
        if group == "unspaced":
            found.extend(Token(pair, "unspaced") for pair in _character_pairs(value))
        elif group == "number":
            found.append(Token(value, "number", start=start))
        elif group == "sign":
            found.append(Token("percent" if value == "%" else value, "word"))
        else:
            plain = value.replace(".", "") if group == "dotted" else value.replace("’", "'")
            parts = _split_contraction(plain.casefold())
            found.extend(
                Token(part, "word", capital=plain[0].isupper() and place == 0, start=start and place == 0)
                for place, part in enumerate(parts)
            )
        start = False
    return found


def _character_pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)] or [run]


def _split_contraction(word: str) -> list[str]:
    """The words of a contraction: don't gives do and not, Mara's gives mara."""
    if word in ("can't", "cannot"):
        return ["can", "not"]
    if word == "won't":
        return ["will", "not"]
    if word == "n't":
        return ["not"]
    if word.endswith("n't"):
        return [word[:-3], "not"]
    head, _, tail = word.partition("'")
    if tail in ("s", "re", "ve", "ll", "d", "m", "t"):
        return [head] if head else []
    return [word.replace("'", "")]


def _join_numbers(raw: list[Token]) -> list[Token]:
    joined: list[Token] = []
    place = 0
    while place < len(raw):
        value, used = _number_at(raw, place)
        if used:
            joined.append(Token(value, "number", start=raw[place].start))
        else:
            joined.append(raw[place])
        place += used or 1
    return joined


def _number_at(raw: list[Token], place: int) -> tuple[str, int]:
    """Canonical value of the number that starts at `place` and how many tokens it takes, 0 where none starts there."""
    first = raw[place]
    if first.kind == "number":
        total, used = _digits(first.text), 1
        if total is None:
            return first.text, 1
        if place + 1 < len(raw) and raw[place + 1].text in ORDINAL_ENDINGS:
            return _canonical(total), 2
    elif first.kind == "word" and first.text in TENS:
        total, used = float(TENS[first.text]), 1
        following = raw[place + 1].text if place + 1 < len(raw) else ""
        if following in AFTER_TENS:
            total, used = total + AFTER_TENS[following], 2
    elif first.kind == "word" and first.text in UNITS:
        total, used = float(UNITS[first.text]), 1
    elif first.kind == "word" and first.text in ORDINALS:
        return _canonical(ORDINALS[first.text]), 1
    elif first.kind == "word" and len(first.text) > 2 and first.text in SCALES:
        total, used = 1.0, 0
    else:
        return "", 0
    while place + used < len(raw) and raw[place + used].text in SCALES:
        total, used = total * SCALES[raw[place + used].text], used + 1
    return _canonical(total), used


def _digits(text: str) -> float | None:
    plain = text.replace(",", "") if THOUSANDS.fullmatch(text) else text
    try:
        return float(plain)
    except ValueError:
        return None  # 1.2.3 or 1,5


def _canonical(value: float) -> str:
    return f"{value:.12g}"
