"""Facts of the brief that a note contradicts: numbers, ages, dates, addresses, spellings of names, and who is dead.

Each rule needs evidence on both sides: the same thing named in the brief and in the note, with another value. What a note may well add
(part of a number, an event of its own, a date that the brief does not speak of) is no contradiction. Rules of this kind miss much; what
they name can be checked against both places.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from gather_pipeline.quality.statistics import quoted, telling
from gather_pipeline.text.language import language_of
from gather_pipeline.text.names import names_in
from gather_pipeline.text.numbers import UNITS
from gather_pipeline.text.sentences import sentences
from gather_pipeline.text.words import FUNCTION, MONTHS, NEGATIONS, Token, tokens

TIME = frozenset("day night week month year".split()) | frozenset(UNITS.values())
KILLING, DYING = frozenset("kill murder drown".split()), frozenset("die perish".split())
BEING = frozenset("be is".split())  # a word of two letters is its own lemma
BEREAVED = frozenset("widow widower".split())
LIVING = frozenset("alive survive recover recovering".split())
ACTING = frozenset("arrive ask climb come give laugh nod open say sign smile speak tell walk".split())
PAST = frozenset("dream flashback ghost memory photograph remember voice".split())  # where the dead may act
SPELLED_ALIKE = 0.8
SHARED_OF_A_TIME = 3  # telling words, names among them, that two sentences must share to be about one event
Date = tuple[str | None, str, str | None]


@dataclass(frozen=True)
class Said:
    """One sentence, its tokens, and the lemmas of its telling words."""

    text: str
    tokens: tuple[Token, ...]
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Said:
        """The sentence read."""
        found = tokens(text)
        return cls(text, found, telling(found))


@dataclass(frozen=True)
class Count:
    """A number with what it counts.

    Attributes:
        what: Lemma of the noun, or the name of who is that old or of the street.
        kind: ``age``, ``address`` or ``noun``.
        adjacent: Whether nothing stands between the number and the noun.
    """

    what: str
    value: float
    kind: str
    adjacent: bool
    said: Said


@dataclass(frozen=True)
class Facts:
    """What the brief states, read once."""

    names: frozenset[str]
    counts: dict[tuple[str, str], list[Count]]
    dates: list[tuple[Date, Said]]
    times: dict[str, Said]
    dead: dict[str, Said]


def clashes(text: str, brief: str) -> dict[tuple[str, str], str]:
    """What a note contradicts of the brief, one sentence each, by the note's sentence and the kind of fact, in the order of the note."""
    found: dict[tuple[str, str], str] = {}
    if not brief.strip() or language_of(text) != "en":
        return found
    facts, last = facts_of(brief), ""
    for said in map(Said.of, sentences(text)):
        by_kind = {
            "number": _numbers(said, facts),
            "age": _ages(said, last, facts),
            "date": _dates(said, facts),
            "time": _times(said, facts),
            "death": _deaths(said, facts),
            "name": _names(said, facts),
        }
        last = next((one.text for one in reversed(said.tokens) if one.capital and ("age", one.text) in facts.counts), last)
        for kind, pairs in by_kind.items():
            for first, second in pairs:
                found.setdefault((said.text, kind), f"{quoted(said.text, 70)} {first}, against {second}.")
    return found


@lru_cache(maxsize=64)
def facts_of(brief: str) -> Facts:
    """The facts of a brief."""
    names = names_in(brief)
    said = [Said.of(one) for one in sentences(brief)]
    counts: dict[tuple[str, str], list[Count]] = defaultdict(list)
    for one in said:
        for count in _counts(one, names):
            counts[count.kind, count.what].append(count)
    dates = [(date, one) for one in said for date in _dates_in(one.tokens)]
    times = {token.text: one for one in said for token in one.tokens if _is_time(token)}
    return Facts(names, dict(counts), dates, times, {name: one for one in said for name in _dead_in(one, names)})


def _numbers(said: Said, facts: Facts) -> Iterator[tuple[str, str]]:
    for count in _counts(said, facts.names):
        known = facts.counts.get((count.kind, count.what))
        if not known or any(one.value == count.value for one in known):
            continue
        nearest = max(known, key=lambda one: len(one.said.words & said.words))
        if count.kind != "noun" or _counts_the_same(count, known, nearest.said, said):
            label = "the age of " if count.kind == "age" else ""
            yield f"gives {label}{count.what} as {count.value:g}", f"{nearest.value:g} {_in_brief(nearest.said)}"


def _counts_the_same(count: Count, known: Sequence[Count], theirs: Said, said: Said) -> bool:
    """Whether a note gives more of the very things that the brief counts; fewer may be a part of them ("two beds of sound" of sixteen)."""
    shared = (theirs.words & said.words) - {count.what} - {one.lemma for one in said.tokens if one.kind == "number"}
    least = 2 if count.what in TIME else 1
    return count.adjacent and count.value > max(one.value for one in known) and len(shared) >= least


def _counts(said: Said, names: frozenset[str]) -> Iterator[Count]:
    found = said.tokens
    dated = {place + shift for place, token in enumerate(found) if token.text in MONTHS for shift in (-1, 0, 1, 2)}
    for place, token in enumerate(found):
        if token.kind != "number" or place in dated or not re.fullmatch(r"\d+(?:\.\d+)?", token.text):
            continue
        value = float(token.text)
        before, after = found[max(0, place - 3) : place], found[place + 1 : place + 3]
        last = before[-1] if before else None
        if _is_age(value, before, after, names):
            yield Count(_name_before(before) or after[0].lemma, value, "age", True, said)
            continue
        if last and last.lemma in BEING and value <= 110 and (not after or after[0].kind == "stop"):
            subject = next((one.lemma for one in found[:place] if one.capital and one.text in names), None)
            if subject:
                yield Count(subject, value, "age", True, said)
            continue
        if after and after[0].capital and after[0].text in names and len(after) > 1 and after[1].capital:
            yield Count(after[0].text, value, "address", True, said)
            continue
        if len(before) > 1 and last is not None and last.text == "of" and before[-2].telling and before[-2].kind == "word":
            yield Count(before[-2].lemma, value, "noun", True, said)
        if value >= 1000 and not (after and after[0].telling):
            continue
        for step, noun in enumerate(after[:2]):
            if noun.kind != "word" or not noun.telling:
                break
            if noun.text != noun.lemma or noun.lemma in TIME or value == 1:  # "five furnace nights" count no furnaces
                yield Count(noun.lemma, value, "noun", step == 0, said)
                break


def _ages(said: Said, last: str, facts: Facts) -> Iterator[tuple[str, str]]:
    """An age told of somebody: "at 43 she", "he is 38", "a man of 37", "a 34-year-old", "aged 27".

    It is that of the one person named in the sentence, or of the last one named before it; of several, nobody's.
    """
    found = said.tokens
    named = {one.text for one in found if one.capital and ("age", one.text) in facts.counts}
    if len(named) > 1:
        return
    last = next(iter(named), last)
    for place, token in enumerate(found):
        if token.kind != "number" or not token.text.isdigit() or not 1 <= int(token.text) <= 110 or not last:
            continue
        before = [one.text for one in found[max(0, place - 3) : place]]
        after = [one.text for one in found[place + 1 : place + 3]]
        closed = place + 1 == len(found) or found[place + 1].kind == "stop"
        told = (
            (before[-1:] == ["at"] and after[:1] in (["she"], ["he"]))
            or (closed and before[-2:] in (["she", "is"], ["he", "is"]))
            or (before[-1:] == ["of"] and before[-2:-1] in (["man"], ["woman"], ["boy"], ["girl"]))
            or before[-1:] == ["aged"]
            or after[:2] == ["year", "old"]
        )
        known = facts.counts["age", last]
        if told and not any(one.value == float(token.text) for one in known):
            yield f"gives the age of {last} as {token.text}", f"{known[0].value:g} {_in_brief(known[0].said)}"


def _times(said: Said, facts: Facts) -> Iterator[tuple[str, str]]:
    """A time of day or year that the brief does not have, in a sentence about what it gives another one for."""
    dated = any(token.text in MONTHS for token in said.tokens)  # the year of a date is the date's business
    own = [token for token in said.tokens if _is_time(token) and not (dated and ":" not in token.text)]
    if any(token.text in facts.times for token in own):
        return
    for token in own:
        for time, theirs in facts.times.items():
            if (":" in time) == (":" in token.text) and len((theirs.words & said.words) - {time}) >= SHARED_OF_A_TIME:
                yield f"says {token.text}", f"{time} {_in_brief(theirs)}"


def _is_time(token: Token) -> bool:
    return token.kind == "number" and bool(re.fullmatch(r"\d{1,2}:\d{2}|1[5-9]\d{2}|20\d{2}", token.text))


def _is_age(value: float, before: Sequence[Token], after: Sequence[Token], names: frozenset[str]) -> bool:
    if not 1 <= value <= 110 or value != int(value):
        return False
    closed = not after or after[0].kind == "stop"
    if closed and len(before) > 1 and before[-1].text in (",", "(") and before[-2].capital and before[-2].text in names:
        return True
    named = bool(after) and after[0].capital and after[0].text in names and not (len(after) > 1 and after[1].capital)
    return named and bool(before) and before[-1].text == "at"


def _name_before(before: Sequence[Token]) -> str:
    """First word of the name that the tokens end with."""
    run = []
    for token in reversed(before[:-1]):
        if not token.capital or token.kind != "word":
            break
        run.append(token.lemma)
    return run[-1] if run else ""


def _dates(said: Said, facts: Facts) -> Iterator[tuple[str, str]]:
    for date in _dates_in(said.tokens):
        if any(_agree(date, known) for known, _ in facts.dates):
            continue
        for known, theirs in facts.dates:
            same = [one is not None and one == other for one, other in zip(date, known, strict=True)]
            shared = len((theirs.words & said.words) - {part for part in date if part})
            other_year = same[:2] == [True, True] or (date[0] is None and same[1])
            other_month = date[0] is not None and same[0]
            if (other_year and date[2] and known[2]) or (any(same) and shared >= (1 if other_month else 2)):
                yield f"says {_told(date)}", f"{_told(known)} {_in_brief(theirs)}"


def _dates_in(found: Sequence[Token]) -> Iterator[Date]:
    for place, token in enumerate(found):
        if token.text not in MONTHS or not token.capital:
            continue
        before = found[place - 1] if place else None
        after = [one for one in found[place + 1 : place + 4] if one.text != ","]
        day = before.text if before and before.text.isdigit() and int(before.text) <= 31 else None
        if day is None and after and after[0].text.isdigit() and int(after[0].text) <= 31:
            day, after = after[0].text, after[1:]
        year = after[0].text if after and re.fullmatch(r"1\d{3}|20\d{2}", after[0].text) else None
        if day or year:
            yield day, token.text, year


def _agree(date: Date, known: Date) -> bool:
    return date[1] == known[1] and all(one is None or other is None or one == other for one, other in zip(date, known, strict=True))


def _deaths(said: Said, facts: Facts) -> Iterator[tuple[str, str]]:
    lemmas = [token.lemma for token in said.tokens]
    if NEGATIONS.intersection(lemmas) or PAST.intersection(lemmas):
        return
    first = next((token.text for token in said.tokens if token.capital and token.text in facts.names), "")
    for place, token in enumerate(said.tokens):
        if token.text not in facts.dead or not token.capital:
            continue
        theirs = facts.dead[token.text]
        near = set(lemmas[max(0, place - 3) : place + 4]) | (set(lemmas[place:]) if token.text == first else set())
        before_the_story = not any(one.lemma in DYING for one in theirs.tokens)
        follows = said.tokens[place + 1] if place + 1 < len(said.tokens) else None
        owned = re.search(rf"\b{re.escape(token.written)}['’]", said.text)
        acts = before_the_story and follows is not None and follows.lemma in ACTING and not owned
        if LIVING & near or acts:
            yield f"has {token.written} living", f"the death {_in_brief(theirs)}"
    for name in _dead_in(said, facts.names):
        if name not in facts.dead and not any(name in one.words and one.words & (KILLING | DYING) for _, one in facts.dates):
            yield f"has {name.title()} die", "the brief, which says nothing of it"


def _dead_in(said: Said, names: frozenset[str]) -> Iterator[str]:
    """Names of those whom the sentence calls dead: killed, dying as its subject, or leaving a widow."""
    found = said.tokens
    for place, token in enumerate(found):
        after = found[place + 1] if place + 1 < len(found) else None
        if token.lemma in KILLING and not (place and found[place - 1].lemma in BEING):
            yield from (one.text for one in found[place:] if one.capital and one.text in names)
        if not token.capital or token.text not in names or after is None:
            continue
        nexts = [one.lemma for one in found[place + 1 : place + 5] if not (one.capital and one.text in names)]
        if nexts and (nexts[0] in DYING or after.lemma in BEREAVED or (nexts[0] in BEING and nexts[1:2] in (["dead"], ["kill"]))):
            yield token.text


def _names(said: Said, facts: Facts) -> Iterator[tuple[str, str]]:
    """Names spelled otherwise than in the brief."""
    for token in said.tokens:
        word = token.text
        if not token.name or word in facts.names or len(word) < 4 or word in FUNCTION:
            continue
        for name in sorted(facts.names):
            plural = word.removesuffix("s") == name.removesuffix("s")
            if name[0] == word[0] and not plural and SequenceMatcher(None, name, word).ratio() >= SPELLED_ALIKE:
                yield f"has the name {token.written}", f"{name.title()} in the brief"


def _in_brief(said: Said) -> str:
    return f"in the brief: {quoted(said.text, 70)}"


def _told(date: Date) -> str:
    return " ".join(part.title() for part in date if part)
