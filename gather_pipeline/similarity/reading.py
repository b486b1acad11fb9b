"""A text as the duplicate rules see it: its words with lemmas, weights and names, what is negated, and what is only possible.

A sentence vector blurs exactly what makes two notes differ in fact: who, how many, whether at all. A `Reading` keeps those apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from gather_pipeline.text.language import language_of
from gather_pipeline.text.words import NEGATIONS, Token, frequency, tokens

WordKind = Literal["word", "number", "name"]
Mode = Literal["stated", "possible", "able", "obliged", "planned", "past"]

# "Note 7.", "1.", "- ", "**The red door:**": how a provider numbers its notes is no part of what they say.
LABEL = re.compile(
    r"\s*(?:[-–—*•#>]+\s+|\(?(?:(?:note|item|idea|no\.?|nr\.?|#)\s*)?#?\d{1,3}\s*[.):]\s+|(?:note|item|idea)\s*#?\d{1,3}\s*[-–—:.]\s+"
    r"|\*\*[^*\n]{1,60}?:?\*\*\s*:?\s*)+",
    re.IGNORECASE,
)
DETERMINERS = frozenset("a an the this that these those its his their my our your some any".split())
MODES: dict[str, Mode] = {
    **dict.fromkeys("may might perhaps maybe possibly".split(), "possible"),
    **dict.fromkeys("can could".split(), "able"),
    **dict.fromkeys("must".split(), "obliged"),
    **dict.fromkeys("will shall going plan intend consider think hope want propose".split(), "planned"),
}  # fmt: skip
PRONOUNS = dict.fromkeys("she him her hers".split(), "he")  # their gender follows the noun that they stand for
NEGATION_REACH = 2  # telling words after "not" that it turns round
CLAUSE_BREAKS = frozenset("but because although though while whereas so unless if when besides except than beyond".split())
REFUSING = frozenset("refuse fail decline".split())
FUNCTION_WEIGHT = 0.1
READ_CHARS = 20_000  # the longest note that a person may store
LONGEST_INITIALISM = 5  # UN and U.N., GOP: the same is often written out, so they are no evidence of another name


class Word(NamedTuple):
    """One word of a text.

    Attributes:
        text: In small letters; a number in canonical form.
        lemma: Dictionary form, which is compared.
        weight: How much it tells: 0.1 for function words, to 1 for rare ones, names and numbers.
        clause: Number of the clause that it stands in.
        negated: A negation stands before it in its clause.
        mode: What the clause says of it so far: stated, possible (may), able (can), obliged (must), planned (will), or past.
        telling: False for function words and negations.
        negates: True for "not" and the like, and for verbs that say it of another verb ("refuses to open").
        forms: What it may be found by: text and lemma.
    """

    text: str
    lemma: str
    kind: WordKind
    weight: float
    clause: int
    negated: bool
    mode: Mode
    telling: bool
    negates: bool
    forms: frozenset[str]


class Reading(NamedTuple):
    """A text read.

    Attributes:
        words: In order, determiners left out.
        telling: Those that are no function words.
        forms: What its words may be found by.
        english: Whether the rules for English words apply.
    """

    words: tuple[Word, ...]
    telling: tuple[Word, ...]
    forms: frozenset[str]
    english: bool


def forms_of(words: Sequence[Word]) -> frozenset[str]:
    """What the words of a text may be found by."""
    return frozenset(form for word in words for form in word.forms)


def unlabelled(text: str) -> str:
    """The text without the number, bullet or title that a provider puts before a note."""
    label = LABEL.match(text)
    rest = text[label.end() :] if label else text
    return rest if rest.strip() else text


@lru_cache(maxsize=8192)
def read(text: str) -> Reading:
    """Reads a text; the same text is read once."""
    body = unlabelled(text[:READ_CHARS])
    found = tokens(body)
    clause, reach = 0, 0
    mode: Mode = "stated"
    words: list[Word] = []
    for token in found:
        if token.kind == "stop" or token.text in CLAUSE_BREAKS:
            clause, reach, mode = clause + 1, 0, "stated"
        if token.kind == "stop" or token.text in DETERMINERS:
            continue
        own = mode if mode != "stated" or not _is_past(token) else "past"
        name = token.name and not (token.written.isupper() and 1 < len(token.written) <= LONGEST_INITIALISM)
        kind: WordKind = "number" if token.kind == "number" else "name" if name else "word"
        weight = 1.0 if kind != "word" else _weight(token)
        lemma = PRONOUNS.get(token.text, token.lemma)
        negates = token.text in NEGATIONS or lemma in REFUSING
        telling = kind != "word" or token.telling
        words.append(Word(token.text, lemma, kind, weight, clause, reach > 0, own, telling, negates, frozenset((token.text, lemma))))
        reach = NEGATION_REACH if negates else reach - telling
        mode = MODES.get(token.lemma, MODES.get(token.text, mode))
    return Reading(tuple(words), tuple(word for word in words if word.telling), forms_of(words), language_of(body) == "en")


def _is_past(token: Token) -> bool:
    return token.kind == "word" and token.text != token.lemma and not token.text.endswith(("s", "ing", "er", "est"))


def _weight(token: Token) -> float:
    """How much a word tells that is no name and no number: 0.1 for a function word, else 0.4 for the commonest to 1 for rare ones."""
    return min(1.0, max(0.4, 1.0 - 0.2 * (frequency(token.text) - 3.5))) if token.telling else FUNCTION_WEIGHT
