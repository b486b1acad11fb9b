"""What a model answered, as a value: strict JSON first, then ever more forgiving ways (S001-GEN-08).

An answer that was cut is never repaired: closing its brackets would store half a sentence as if it were whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import json_repair

from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import OutputInvalid, shorten
from gather_pipeline.text.sentences import sentence_ends

How = Literal["strict", "fenced", "extracted", "repaired", "text", "trimmed"]

REASONING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)
PAIRS = {"{": "}", "[": "]"}
JSON_BEGINS = re.compile(r"\{\s*(?:[\"']|\w+\s*:)|\[\s*[\[{\"'\d-]")
STARTS_TRIED = 20  # openings in prose that close nowhere; bounds the work on a hostile answer


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A value and the way it was got from the answer."""

    value: Any
    how: How


def parse_json(text: str, fits: Callable[[Any], bool] = lambda value: True) -> Parsed:
    """The JSON value in an answer.

    Args:
        text: The whole answer.
        fits: Tells whether a value has the form asked for; the first that has is taken, else the first found.

    Raises:
        OutputInvalid: The answer holds no JSON object or list, or an unfinished one.
    """
    answer = REASONING.sub("", text).strip()
    if not answer:
        raise OutputInvalid("the answer is empty, expected JSON")
    first: Parsed | None = None
    for how, candidate in _candidates(answer):
        value = _cleaned(_loads(candidate) if how != "repaired" else _repaired(candidate))
        if not isinstance(value, dict | list):
            continue
        if fits(value):
            return Parsed(value=value, how=how)
        first = first or Parsed(value=value, how=how)
    if first is None:
        raise OutputInvalid(f"the answer is {shorten(answer)}, expected JSON and nothing else")
    return first


def parse_text(text: str, *, cut: bool, trim: bool) -> Parsed:
    """The text of an answer, without a model's thoughts before it.

    Args:
        text: The whole answer, with its opening.
        cut: Whether the answer ended at the token limit.
        trim: Whether a cut text may be trimmed to its last whole sentence.

    Raises:
        OutputInvalid: Nothing is left.
    """
    answer = REASONING.sub("", text).strip()
    if not cut:
        return Parsed(value=answer, how="text")
    ends = sentence_ends(answer)
    if not trim or not ends:
        raise OutputInvalid("the answer was cut at the token limit, expected a shorter one that ends")
    return Parsed(value=answer[: ends[-1]], how="trimmed")


def _candidates(answer: str) -> Iterator[tuple[How, str]]:
    yield "strict", answer
    for found in FENCE.finditer(answer):
        yield "fenced", found[1].strip()
    for span in _balanced(answer):
        yield "extracted", span
    for span in _balanced(answer):
        yield "repaired", span


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _repaired(text: str) -> Any:
    try:
        return json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _cleaned(value: Any) -> Any:
    """The value with all its text clean, because JSON can spell what text cannot hold."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(inner) for key, inner in value.items()}
    return [_cleaned(inner) for inner in value] if isinstance(value, list) else value


def _balanced(text: str) -> Iterator[str]:
    """Outermost spans whose brackets close, strings left out of account.

    Ends at an opening of JSON that never closes: what stands in it whole is a part of a cut answer, not an answer.
    """
    position = tried = 0
    while tried < STARTS_TRIED:
        start = min((at for at in (text.find("{", position), text.find("[", position)) if at >= 0), default=-1)
        if start < 0:
            return
        end = _closing(text, start)
        if end is not None:
            yield text[start:end]
            position = end
        elif JSON_BEGINS.match(text, start):
            return
        else:
            tried += 1
            position = start + 1


def _closing(text: str, start: int) -> int | None:
    expected: list[str] = []
    quoted = escaped = False
    for at in range(start, len(text)):
        character = text[at]
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in PAIRS:
            expected.append(PAIRS[character])
        elif character in "]}":
            if character != expected.pop():
                return None
            if not expected:
                return at + 1
    return None
