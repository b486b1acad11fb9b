"""What a model answered, as a value: strict JSON first, then ever more forgiving ways (S001-GEN-08).

An answer that was cut is never repaired: closing its brackets would store half a sentence as if it were whole.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from typing import Any, Literal

import json_repair

from gather_pipeline.domain.json_texts import DEEPEST, load_json
from gather_pipeline.errors import OutputInvalid, shorten
from gather_pipeline.text.sentences import sentence_ends

How = Literal["strict", "fenced", "extracted", "repaired", "shaped", "text", "trimmed"]

FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)
TOKEN = re.compile(r'"(?:[^"\\]|\\.?)*(?:"|\Z)|[][{}]', re.DOTALL)  # a string, closed or not, or a bracket
OPENING = re.compile(r"[{[]")
PAIRS = {"{": "}", "[": "]"}
JSON_BEGINS = re.compile(r"\{\s*(?:[\"']|\w+\s*:)|\[\s*[\[{\"'\d-]")
QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
WRAPPED = 2  # times that an answer may stand as a text in JSON, and levels of lists and mappings around it
STARTS_TRIED = 20  # openings in prose that close nowhere; bounds the work on a hostile answer
MEANT_TRIED = 10  # values, and parts of one value, that are looked at for what may be meant
SPANS_TRIED = 100  # parts of an answer that may be what was asked for; of one that repeats itself, the longest


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A value and the way it was got from the answer."""

    value: Any
    how: How


def parse_json(text: str, fits: Callable[[Any], bool] = lambda value: True, shape: Callable[[Any], Any] = lambda value: value) -> Parsed:
    """The JSON value in an answer, also one that stands as a text in JSON, or alone in another object or list.

    Args:
        text: The whole answer.
        fits: Tells whether a value has the form asked for; the first that has is taken, else the first found.
        shape: Brings a value nearer to that form; asked where none has it, also for the parts of a value.

    Raises:
        OutputInvalid: The answer holds no JSON object or list, or an unfinished one.
    """
    answer = text.strip()
    if not answer:
        raise OutputInvalid("the answer is empty, expected JSON")
    found: list[Parsed] = []
    for how, candidate in _candidates(answer):
        value = _loaded(candidate, repaired=how == "repaired")
        if not isinstance(value, dict | list):
            continue
        inner = list(value.values()) if isinstance(value, dict) else value
        for part in (value, *inner) if len(inner) == 1 else (value,):
            if fits(part):
                return Parsed(value=part, how=how)
        found.append(Parsed(value=value, how=how))
    for one in found[:MEANT_TRIED]:
        meant = _meant(one.value, fits, shape)
        if len(meant) == 1:  # of several none is meant more than the others
            return Parsed(value=meant[0], how="shaped")
    if not found:
        raise OutputInvalid(f"the answer is {shorten(answer)}, expected JSON and nothing else")
    return found[0]


def parse_text(text: str, *, cut: bool, trim: bool) -> Parsed:
    """The text of an answer.

    Args:
        text: The whole answer, with its opening.
        cut: Whether the answer ended at the token limit.
        trim: Whether a cut text may be trimmed to its last whole sentence.

    Raises:
        OutputInvalid: It was cut and may not be trimmed, or has no whole sentence.
    """
    answer = text.strip()
    if not cut:
        return Parsed(value=answer, how="text")
    ends = sentence_ends(answer)
    if not trim or not ends:
        raise OutputInvalid("the answer was cut at the token limit, expected a shorter one that ends")
    return Parsed(value=answer[: ends[-1]], how="trimmed")


def _candidates(answer: str) -> Iterator[tuple[How, str]]:
    yield "strict", answer
    for found in islice(FENCE.finditer(answer), SPANS_TRIED):
        yield "fenced", found[1].strip()
    spans = list(_balanced(answer))
    if len(spans) > SPANS_TRIED:
        spans = nlargest(SPANS_TRIED, spans, key=len)
    yield from (("extracted", span) for span in spans)
    yield from (("repaired", span) for span in spans)
    # As a word processor, a web page or a program has it, and no JSON ever begins.
    if re.match(r"[\[{\s]*(?:[“”„‟«]|&quot;)", answer) and '"' not in answer:
        answer = html.unescape(answer.translate(QUOTES))
    elif re.match(r'[\[{\s]*\\"', answer):
        answer = answer.replace('\\"', '"')
    else:
        return
    yield from (("repaired", span) for span in islice(_balanced(answer), SPANS_TRIED))


def _meant(value: Any, fits: Callable[[Any], bool], shape: Callable[[Any], Any], levels: int = WRAPPED) -> list[Any]:
    """What of a value fits once it is shaped: itself, else its parts, or theirs; of the parts of a list the first."""
    if fits(made := shape(value)):
        return [made]
    if not levels or not isinstance(value, dict | list):
        return []
    parts = islice(value.values() if isinstance(value, dict) else value, MEANT_TRIED)
    meant = [one for part in parts for one in _meant(part, fits, shape, levels - 1)]
    return meant[:1] if isinstance(value, list) else meant


def _loaded(candidate: str, *, repaired: bool) -> Any:
    """The value, None where it is none."""
    value: Any = candidate
    for _ in range(WRAPPED + 1):
        try:
            value = json_repair.loads(value, skip_json_loads=True) if repaired else load_json(value, parse_constant=refuse_constant)
        except ValueError:
            return None
        if not isinstance(value, str):
            return value
    return None


def refuse_constant(constant: str) -> None:
    """Refuses NaN and Infinity, which Python's parser takes and JSON does not have."""
    raise ValueError(f"{constant} is no JSON")


def _balanced(text: str) -> Iterator[str]:
    """Outermost spans whose brackets close, strings left out of account.

    Ends at an opening of JSON that never closes: what stands in it whole is a part of a cut answer, not an answer.
    """
    position = tried = 0
    while tried < STARTS_TRIED and (opening := OPENING.search(text, position)):
        end, is_json = _closing(text, opening.start()), JSON_BEGINS.match(text, opening.start())
        if end is not None:
            yield text[opening.start() : end]
            if not is_json and JSON_BEGINS.search(text, opening.end(), end):  # such as <![CDATA[{...}]]>
                end, tried = None, tried + 1
        elif is_json:
            return
        else:
            tried += 1
        position = end or opening.end()


def _closing(text: str, start: int) -> int | None:
    expected: list[str] = []
    for token in TOKEN.finditer(text, start):
        if token[0] in PAIRS:
            expected.append(PAIRS[token[0]])
            if len(expected) > DEEPEST:
                return None
        elif token[0] in ("}", "]"):
            if token[0] != expected.pop():
                return None
            if not expected:
                return token.end()
    return None
