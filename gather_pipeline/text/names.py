"""Names of people and places in a text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from gather_pipeline.text.words import tokens

PLACE_BEFORE = frozenset("in on at near off outside toward towards into across".split())
PLACE_WORDS = frozenset("bay city harbor harbour hotel house island lake north river sea south station street valley".split())
SETTLEMENT = r"\s+is\s+an?\s+(?:\w+\s+)?(?:island|town|village|city|port|country|valley)\b"


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names in a text, the most frequent first."""

    people: tuple[str, ...]
    places: tuple[str, ...]


def find_names(text: str) -> Names:
    """People and places of a text; headings are not looked at.

    A name is a place where it mostly follows a preposition of place, ends in a word for a place or is said to be one.
    """
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    seen: Counter[str] = Counter()
    place: Counter[str] = Counter()
    found = tokens(body)
    start = 0
    for is_name, run in groupby(found, key=lambda token: token.name):
        words = list(run)
        if is_name:
            name = " ".join(token.written for token in words)
            before = [token.text for token in found[max(0, start - 2) : start]]
            seen[name] += 1
            place[name] += bool(PLACE_BEFORE.intersection(before[-1:] if before[-1:] != ["the"] else before[:1]))
            place[name] += words[-1].text in PLACE_WORDS
        start += len(words)
    for name in seen:
        place[name] += 2 * len(re.findall(re.escape(name) + SETTLEMENT, body))
    whole = {part: name for name in seen if " " in name for part in name.split()}
    for part in [name for name in seen if name in whole]:
        seen[whole[part]] += seen[part]
        place[whole[part]] += place[part]
    written = [token.written for token in found]
    ranked = sorted((name for name in seen if name not in whole), key=lambda name: (-seen[name], written.index(name.split()[0])))
    places = tuple(name for name in ranked if place[name] * 2 >= seen[name])
    people = dict.fromkeys(name.split()[0] for name in ranked if name not in places)
    return Names(people=tuple(people), places=places)


def strangers(text: str, known: str) -> int:
    """How many names stand in a text that another one, the brief for example, does not have."""
    words = {token.text for token in tokens(known)}
    names = find_names(text)
    return sum(words.isdisjoint(name.casefold().split()) for name in (*names.people, *names.places))


def names_in(text: str) -> frozenset[str]:
    """Every word of a name in a text, in small letters."""
    return frozenset(token.text for token in tokens(text) if token.name)
