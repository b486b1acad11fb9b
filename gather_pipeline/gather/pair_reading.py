"""How the duplicate rules read a text: words with stems, weights, numbers, names and what is negated.

A sentence vector blurs exactly what makes two notes differ in fact: who, how many, and whether at all. A `Reading` keeps those apart. It is
made once a text and cached, so that comparing a new note with five stored ones costs a few milliseconds.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import snowballstemmer

from gather_pipeline.gather.pair_tokens import Token, tokens
from gather_pipeline.gather.pair_words import (
    CLAUSE_WORDS,
    FUNCTION,
    IRREGULAR,
    MONTHS,
    NEGATION,
    NOT_NAMES,
    NOT_NEGATING,
    REFUSAL,
    WEEKDAYS,
)

WordKind = Literal["word", "number", "name", "date"]

FUNCTION_WEIGHT = 0.12
CITED_LANGUAGES = ("de", "es", "it")
NAME_FREQUENCY_GAP = 1.0  # a tenth as frequent abroad as in English
NEGATION_REACH = 3  # telling words after "not" that it can turn round
TITLE_CASE_SHARE = 0.6  # above this share of capitals a text is a headline, and a capital proves nothing


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text.

    Attributes:
        text: The word, case-folded.
        stem: What is compared: Snowball's stem, a number's canonical value, a month's or weekday's full name.
        kind: Whether it is a number, a date word, a name, or an ordinary word.
        weight: How much it tells, 0.12 for function words to 1 for rare ones.
        negated: True where "not" or the like turns it round.
        group: Number of the run of capitalised words that it belongs to, -1 outside names.
    """

    text: str
    stem: str
    kind: WordKind
    weight: float
    negated: bool = False
    group: int = -1

    @property
    def telling(self) -> bool:
        """False for the function words that any text is full of, and for the word "not" itself."""
        return self.kind != "word" or (self.text not in FUNCTION and self.text not in NEGATION)


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the rules see it.

    Attributes:
        text: The text in Unicode's NFKC form.
        words: Its words in order.
        telling: Those of them that are not function words.
        latin: Share of its letters that are Latin, 1 where it has no letter.
    """

    text: str
    words: tuple[Word, ...]
    telling: tuple[Word, ...]
    latin: float


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """Reads a text; the same text is read once."""
    normal = unicodedata.normalize("NFKC", text)
    found = tokens(normal)
    names, negated = _names(found), _negated(found)
    words = tuple(_word(token, negated[place], names[place]) for place, token in enumerate(found) if token.kind != "stop")
    return Reading(normal, words, tuple(word for word in words if word.telling), _latin_share(normal))


def _word(token: Token, negated: bool, group: int) -> Word:
    if token.kind == "number":
        return Word(token.text, token.text, "number", 1.0, negated)
    date = _date_word(token)
    if date:
        return Word(token.text, date, "date", 1.0, negated)
    if group >= 0:
        return Word(token.text, stem(token.text), "name", 1.0, negated, group)
    return Word(token.text, stem(token.text), "word", weight(token.text), negated)


def _date_word(token: Token) -> str | None:
    """Full name of a month or weekday; a short or ambiguous one ("may", "sun") must be capitalised within a sentence."""
    full = MONTHS.get(token.text) or WEEKDAYS.get(token.text)
    if full and (len(token.text) > 5 or (token.capital and not token.start)):
        return full
    return None


def _names(found: list[Token]) -> list[int]:
    """For each token the number of the name (run of capitalised words) that it belongs to, -1 for none."""
    words = [token for token in found if token.kind == "word" and token.text not in FUNCTION]
    headline = len(words) > 3 and sum(token.capital for token in words) > TITLE_CASE_SHARE * len(words)
    inside = {token.text for token in found if token.capital and not token.start}
    groups, group, previous = [], -1, False
    for token in found:
        doubtful = headline or (token.start and token.text not in inside)
        is_name = (
            token.capital
            and token.text not in FUNCTION
            and token.text not in NOT_NAMES
            and token.text not in NEGATION
            and _date_word(token) is None
            and (not doubtful or looks_like_name(token.text))
        )
        group += is_name and not previous
        groups.append(group if is_name else -1)
        previous = is_name
    return groups


@lru_cache(maxsize=16384)
def looks_like_name(word: str) -> bool:
    """Whether a capitalised word is a name where its capital proves nothing: at a sentence's start, in a headline.

    An English word is far rarer in German, Spanish and Italian texts, a name about as frequent (wordfreq). Of capitalised first words of
    sentences this calls 92% right of those it calls names, and finds 77% of the names (news, encyclopedia and novel sentences).
    """
    english = frequency(word, "en")
    if english >= 6.0:
        return False
    if english == 0.0:
        return True
    return sum(frequency(word, language) > english - NAME_FREQUENCY_GAP for language in CITED_LANGUAGES) >= 2


def _negated(found: list[Token]) -> list[bool]:
    """Which tokens a negation turns round: the next telling words of its clause."""
    reach = 0
    result = []
    for place, token in enumerate(found):
        if token.kind == "stop" or token.text in CLAUSE_WORDS:
            reach = 0
            result.append(False)
        elif token.text in REFUSAL or (token.text in NEGATION and not _idle(found, place)):
            reach = NEGATION_REACH
            result.append(False)
        else:
            result.append(reach > 0)
            reach -= token.text not in FUNCTION
    return result


def _idle(found: list[Token], place: int) -> bool:
    """Whether the negating word at `place` is part of a phrase that negates nothing ("not only")."""
    for phrase in NOT_NEGATING:
        for offset, part in enumerate(phrase):
            first = place - offset
            if part == found[place].text and first >= 0:
                window = tuple(token.text for token in found[first : first + len(phrase)])
                if window == phrase:
                    return True
    return False


@lru_cache(maxsize=32768)
def stem(word: str) -> str:
    """Snowball's stem of an English word, with irregular forms undone first; other scripts stay as they are."""
    if not word.isascii():
        return word
    # A stemmer keeps the word it works on, so threads must not share one.
    return str(snowballstemmer.stemmer("english").stemWord(IRREGULAR.get(word, word)))


@lru_cache(maxsize=32768)
def weight(word: str) -> float:
    """How much a word tells: 0.12 for a function word, else 0.6 for the most frequent to 1 for rare ones (wordfreq)."""
    if word in FUNCTION:
        return FUNCTION_WEIGHT
    return min(1.0, max(0.6, 1.0 - 0.15 * (frequency(word, "en") - 3.5)))


def frequency(word: str, language: str) -> float:
    """Frequency of a word on the Zipf scale (wordfreq): 7 for the commonest, 0 for an unknown one."""
    from wordfreq import zipf_frequency  # costs 0.2 s, which only a comparison is worth

    return float(zipf_frequency(word, language))


def _latin_share(text: str) -> float:
    letters = [letter for letter in text if letter.isalpha()]
    if not letters:
        return 1.0
    return sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters) / len(letters)
