"""What no closeness of vectors may overrule: a negation, number, date, name, opposite or role that differs (issue 3, D6).

A conflict needs evidence on both sides. A fact that only one text has makes it richer, not contrary: people call such pairs the
same more often than not. So a number counts only where each text has one that the other lacks, a name where another takes its
place, and a negation where what it turns round stands plain in the other text. The guard is final: no model and no judge
overrules it.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Literal

from rapidfuzz.distance import Levenshtein

from gather_pipeline.gather.pair_places import Places, exchanges
from gather_pipeline.gather.pair_reading import Reading, Word, stem
from gather_pipeline.gather.pair_words import (
    APPROXIMATE,
    HALF_NEGATION,
    MONTHS,
    NEGATION,
    ONE,
    OPPOSITES,
    PREFIX_PARTNERS_NOT_OPPOSED,
    PREFIXES,
    REFUSAL,
    WEEKDAYS,
)

ConflictKind = Literal["negation", "number", "date", "name", "opposite", "roles"]

NAME_ENDINGS = frozenset(["", *"a e i n s y an ans ia ian ians ns ese is ish".split()])
LONG_NAME = 6  # letters from which one letter's difference is a spelling and not another name
SPELLING_LIKENESS = 0.75
UNSPACED_NUMERALS = re.compile("[一二三四五六七八九十百千万億两]+")
UNSPACED_NEGATIONS = re.compile("ない|なかった|なく|ません|不|没|沒|無|无|未|ไม่")
KATAKANA_NAME = re.compile("[\u30a1-\u30fa\u30fc]{2,}")


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One fact in which two texts differ.

    Attributes:
        kind: What differs.
        left: What the first text says, in its own words.
        right: What the second says instead.
    """

    kind: ConflictKind
    left: str
    right: str

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        if self.kind == "negation":
            return f"a negation differs: {self.left} against {self.right}"
        if self.kind == "roles":
            return f"the roles of {self.left!r} and {self.right!r} are exchanged"
        return f"{self.kind} differs: {self.left!r} against {self.right!r}"


def first_conflict(a: Reading, b: Reading) -> Conflict | None:
    """The first fact in which two texts differ, None where none is found; the order of the texts decides only the sides."""
    return next(conflicts(a, b), None)


def conflicts(a: Reading, b: Reading) -> Iterator[Conflict]:
    """Every fact in which two texts differ, cheapest rules first."""
    yield from _numbers(a, b)
    yield from _dates(a, b)
    yield from _negations(a, b)
    yield from _unspaced(a, b)
    place = Places(a.telling, b.telling)
    yield from _names(a, b, place)
    yield from _opposites(a, b)
    yield from _roles(a, b)


def _numbers(a: Reading, b: Reading) -> Iterator[Conflict]:
    only_a, only_b = _only(a, b, "number"), _only(b, a, "number")
    left = [i for i in only_a if not any(_rounded(a, i, b, j) for j in only_b)]
    right = [j for j in only_b if not any(_rounded(a, i, b, j) for i in only_a)]
    if left and right:
        yield Conflict(kind="number", left=a.words[left[0]].stem, right=b.words[right[0]].stem)
    for i in left:
        for j in _ones_before(b, a.words, i):
            yield Conflict(kind="number", left=a.words[i].stem, right=b.words[j].text)
    for j in right:
        for i in _ones_before(a, b.words, j):
            yield Conflict(kind="number", left=a.words[i].text, right=b.words[j].stem)


def _only(a: Reading, b: Reading, kind: str) -> list[int]:
    """Places of the words of a kind in `a` that `b` does not have."""
    known = {word.stem for word in b.words if word.kind == kind}
    return [place for place, word in enumerate(a.words) if word.kind == kind and word.stem not in known]


def _rounded(a: Reading, i: int, b: Reading, j: int) -> bool:
    """Whether one of two numbers is given as a rounding of the other: "about 50" and "48"."""
    if not (_approximate(a.words, i) or _approximate(b.words, j)):
        return False
    try:
        left, right = float(a.words[i].stem), float(b.words[j].stem)
    except ValueError:
        return False
    return abs(left - right) <= 0.05 * max(abs(left), abs(right))


def _approximate(words: Sequence[Word], place: int) -> bool:
    return any(word.text in APPROXIMATE for word in words[max(0, place - 2) : place])


def _ones_before(b: Reading, words: Sequence[Word], i: int) -> Iterator[int]:
    """Places in `b` of a word for one where `words[i]` has another number: before the same word."""
    if i + 1 >= len(words) or words[i].stem == "1":
        return
    for j in range(len(b.words) - 1):
        if b.words[j].text in ONE and b.words[j + 1].stem == words[i + 1].stem:
            yield j
            return


def _dates(a: Reading, b: Reading) -> Iterator[Conflict]:
    for calendar in (set(MONTHS.values()), set(WEEKDAYS.values())):
        left = [place for place in _only(a, b, "date") if a.words[place].stem in calendar]
        right = [place for place in _only(b, a, "date") if b.words[place].stem in calendar]
        if left and right:
            yield Conflict(kind="date", left=a.words[left[0]].stem, right=b.words[right[0]].stem)


def _negations(a: Reading, b: Reading) -> Iterator[Conflict]:
    in_a, in_b = _negation_count(a), _negation_count(b)
    if in_a == in_b:
        return
    more, fewer = (a, b) if in_a > in_b else (b, a)
    known = {word.stem for word in more.words}
    # "declined to comment" says what "would not comment" says.
    if any(_half_negates(word) and word.stem not in known for word in fewer.words):
        return
    plain = {word.stem for word in fewer.telling if not word.negated}
    excused = {word.stem for word in fewer.words if word.negated} | {word.stem for word in more.telling if not word.negated}
    for word in more.telling:
        if word.negated and word.kind != "number" and word.stem in plain and word.stem not in excused:
            sides = (f"not {word.text}", word.text)
            yield Conflict(kind="negation", left=sides[more is b], right=sides[more is a])
            return


def _negation_count(reading: Reading) -> int:
    return sum(word.text in NEGATION or word.text in REFUSAL for word in reading.words)


def _half_negates(word: Word) -> bool:
    return word.text in HALF_NEGATION or (len(word.text) > 5 and word.text.startswith(("un", "non", "dis", "im", "in")))


def _names(a: Reading, b: Reading, place: Places) -> Iterator[Conflict]:
    left, right = _lacking(a, b), _lacking(b, a)
    for i, j in product(left, right):
        if place.same(i, j):
            yield Conflict(kind="name", left=a.telling[i].text, right=b.telling[j].text)
            return


def _lacking(a: Reading, b: Reading) -> list[int]:
    """Places among the telling words of `a` that belong to a name of which `b` has no part."""
    groups: dict[int, list[int]] = {}
    for place, word in enumerate(a.telling):
        if word.group >= 0:
            groups.setdefault(word.group, []).append(place)
    if not groups:
        return []
    words = {word.text for word in b.words} | {word.stem for word in b.words}
    capitals = [word.text for word in b.words if word.kind == "name"]
    initials = "".join(word.text[0] for word in b.words)
    return [
        place
        for places in groups.values()
        if not _mentioned([a.telling[place] for place in places], words, capitals, initials)
        for place in places
    ]


def _mentioned(name: Sequence[Word], words: set[str], capitals: Sequence[str], initials: str) -> bool:
    """Whether a name stands in a text, in part, in another spelling, as initials or spelt out."""
    if any(word.text in words or word.stem in words for word in name):
        return True
    if any(_one_spelling(word.text, capital) for word in name for capital in capitals):
        return True
    short = "".join(word.text[0] for word in name)
    if len(short) > 1 and any(word.startswith(short) for word in words):
        return True
    return any(2 <= len(word.text) <= 5 and word.text in initials for word in name)


def _one_spelling(left: str, right: str) -> bool:
    """Whether two capitalised words are one name: Ala and Alabama, China and Chinese, Hussein and Hussain, but not Anna and Anne."""
    short, long = sorted((left, right), key=len)
    if len(short) == 3 and long.startswith(short):
        return True
    common = len(os.path.commonprefix([left, right]))
    if common >= 4 and left[common:] in NAME_ENDINGS and right[common:] in NAME_ENDINGS:
        return True
    return len(short) >= LONG_NAME and Levenshtein.normalized_similarity(left, right) >= SPELLING_LIKENESS


@cache
def _opposed() -> dict[str, set[str]]:
    """For each stem of a scale the stems that exclude it."""
    table: dict[str, set[str]] = {}
    for parts in OPPOSITES:
        for one, other in combinations(parts, 2):
            for left, right in product(map(stem, one), map(stem, other)):
                table.setdefault(left, set()).add(right)
                table.setdefault(right, set()).add(left)
    return table


def _opposites(a: Reading, b: Reading) -> Iterator[Conflict]:
    table = _opposed()
    stems_a, stems_b = {word.stem for word in a.words}, {word.stem for word in b.words}
    pairs = {
        (left, right)
        for left, right in product(stems_a - stems_b, stems_b - stems_a)
        if right in table.get(left, ()) or _prefixed(left, right)
    }
    if not pairs:
        return
    left_words = [word for word in a.words if word.telling or word.stem in table]
    right_words = [word for word in b.words if word.telling or word.stem in table]
    place = Places(left_words, right_words)
    for (i, left), (j, right) in product(enumerate(left_words), enumerate(right_words)):
        if (left.stem, right.stem) in pairs and place.same(i, j):
            yield Conflict(kind="opposite", left=left.text, right=right.text)
            return


def _prefixed(left: str, right: str) -> bool:
    short, long = sorted((left, right), key=len)
    return len(short) >= 4 and short not in PREFIX_PARTNERS_NOT_OPPOSED and any(long == prefix + short for prefix in PREFIXES)


def _roles(a: Reading, b: Reading) -> Iterator[Conflict]:
    for exchange in exchanges(a, b):
        if exchange.exact:
            yield Conflict(kind="roles", left=" ".join(sorted(exchange.left)), right=" ".join(sorted(exchange.right)))
            return


def _unspaced(a: Reading, b: Reading) -> Iterator[Conflict]:
    """Numbers, negations and transcribed names of scripts without spaces, where the rules for words see nothing."""
    kinds: tuple[tuple[ConflictKind, re.Pattern[str]], ...] = (("number", UNSPACED_NUMERALS), ("name", KATAKANA_NAME))
    for kind, pattern in kinds:
        left, right = set(pattern.findall(a.text)), set(pattern.findall(b.text))
        if left - right and right - left:
            yield Conflict(kind=kind, left=min(left - right), right=min(right - left))
    in_a, in_b = len(UNSPACED_NEGATIONS.findall(a.text)), len(UNSPACED_NEGATIONS.findall(b.text))
    if in_a != in_b:
        yield Conflict(kind="negation", left=f"{in_a} negations", right=f"{in_b} negations")
