"""Words with their lemmas, and the closed word classes of English.

The tokenizer, the lemmatizer (simplemma) and the list of function words that every rule on language uses. Open classes come from
libraries; only closed ones are listed here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import simplemma

from gather_pipeline.text.numbers import canonical_numbers

Kind = Literal["word", "number", "stop"]

FUNCTION = frozenset(
    """a an the this that these those some any each every both either all such
    i me my mine myself you your yours yourself he him his himself she her hers herself it its itself
    we us our ours ourselves they them their theirs themselves one ones who whom whose which what where when why how
    am is are was were be been being do does did doing done have has had having
    will would shall should can could may might must ought let lets
    of in on at to from by for with about as into onto upon over under through during between among against toward towards
    across along around near off up down out within behind beside beneath above below and or but if then than so because while although
    though since until unless before after there here also too very just only even still already yet again own same other another
    more most much many few less least quite rather ever get gets got""".split()
)
NEGATIONS = frozenset("no not never none nobody nothing nowhere neither nor without".split())

# Thai, Lao, Myanmar, Khmer, Japanese and Chinese are written without spaces: their characters count one by one.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
LETTERS = rf"(?:(?![{UNSPACED}])[^\W\d_])+"
TOKEN = re.compile(
    rf"(?P<unspaced>[{UNSPACED}])"
    r"|(?P<number>\d+(?:[.,:]\d+)*)"
    r"|(?P<dotted>(?:[A-Za-z]\.){2,})"
    rf"|(?P<word>{LETTERS}(?:['’]{LETTERS})*)"
    r"|(?P<stop>[.!?:;,。！？—–\n()]+)"
)
WORD = re.compile(rf"[{UNSPACED}]|{LETTERS}(?:['’]{LETTERS})*")
CONTRACTED = {"can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"), "shan't": ("shall", "not")}
CLITICS = frozenset("s re ve ll d m t".split())


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number or stop of a text.

    Attributes:
        text: As written, in small letters; a number in canonical form.
        lemma: What is compared: the dictionary form.
        kind: ``stop`` is punctuation.
        written: As it stands in the text.
        start: First word of a sentence or clause.
    """

    text: str
    lemma: str
    kind: Kind
    written: str
    start: bool = False

    @property
    def capital(self) -> bool:
        """Written with a capital."""
        return self.written[:1].isupper()

    @property
    def telling(self) -> bool:
        """False for stops, function words and negations."""
        return self.kind == "number" or (self.kind == "word" and self.text not in FUNCTION and self.text not in NEGATIONS)


@lru_cache(maxsize=8192)
def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text in order; numbers are canonical ("twenty-five" and "25" are one), contractions are two words."""
    found: list[Token] = []
    start = True
    for match in TOKEN.finditer(canonical_numbers(text)):
        value = match.group()
        if match.lastgroup == "stop":
            found.append(Token(value, value, "stop", value))
            start = True
            continue
        if match.lastgroup == "number":
            found.append(Token(value, value, "number", value, start))
        else:
            value = value.replace(".", "") if match.lastgroup == "dotted" else value
            parts = _uncontracted(value.replace("’", "'").casefold())
            for place, part in enumerate(parts):
                written = value[: len(part)] if place == 0 else part
                found.append(Token(part, lemma(part), "word", written, start and place == 0))
        start = False
    return tuple(found)


def raw_words(text: str) -> list[str]:
    """The words of a text in small letters, as written."""
    return [match.group().casefold() for match in WORD.finditer(text)]


@lru_cache(maxsize=65536)
def lemma(word: str) -> str:
    """Dictionary form of an English word in small letters; other words stay as they are."""
    if not word.isascii() or len(word) < 3:
        return word
    return str(simplemma.lemmatize(word, lang="en")).casefold()


@lru_cache(maxsize=65536)
def frequency(word: str, language: str = "en") -> float:
    """How frequent a word is in a language, on the Zipf scale: 7 for "the", 3 for a rare word, 0 for none (wordfreq)."""
    from wordfreq import zipf_frequency  # costs 0.2 s

    return float(zipf_frequency(word, language))


def _uncontracted(word: str) -> tuple[str, ...]:
    """The words of a contraction: don't gives do and not, Mara's gives mara."""
    if word in CONTRACTED:
        return CONTRACTED[word]
    if word.endswith("n't"):
        return (word[:-3], "not")
    head, _, tail = word.partition("'")
    if tail in CLITICS or not tail:
        return (head,)
    return (word.replace("'", ""),)
