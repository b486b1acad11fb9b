"""Words with their lemmas, the closed word classes of English, and which words are names.

The tokenizer, the lemmatizer (simplemma) and the list of function words that every rule on language uses. Open classes come from
libraries; only closed ones are listed here.

A capital within a sentence is proof enough of a name. At a sentence's start, or in a headline, a word is taken for a name where it stands
capitalised elsewhere in the text, or where it is about as frequent in other languages as in English, as names are and words are not.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Literal, NamedTuple

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

CITED_LANGUAGES = ("de", "es", "it")
FREQUENCY_GAP = 1.0  # a tenth as frequent abroad as in English
HEADLINE_SHARE = 0.75  # above this share of capitals a text is a headline, and a capital proves nothing
MONTHS = frozenset("january february march april may june july august september october november december".split())
NOT_NAMES = (
    FUNCTION
    | NEGATIONS
    | MONTHS
    | frozenset(
        """monday tuesday wednesday thursday friday saturday sunday
    brother captain doctor dr father inspector lady lord miss mr mrs ms professor saint sir sister st uncle aunt
    act art brief chapter cut dialogue english ext exterior god int interior note notes ok page panel part scene sound take tv""".split()
    )
)


class Token(NamedTuple):
    """One word, number or stop of a text.

    Attributes:
        text: As written, in small letters; a number in canonical form.
        lemma: What is compared: the dictionary form.
        kind: ``stop`` is punctuation.
        written: As it stands in the text.
        start: First word of a sentence or clause.
        name: Part of the name of a person or a place.
    """

    text: str
    lemma: str
    kind: Kind
    written: str
    start: bool = False
    name: bool = False

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
                written = value[: len(part)] if value.casefold().startswith(part) else value if place == 0 else part  # O'Brien stays whole
                found.append(Token(part, lemma(part), "word", written, start and place == 0))
        start = False
    return tuple(token._replace(name=True) if is_name else token for token, is_name in zip(found, _names(found), strict=True))


def _names(found: Sequence[Token]) -> list[bool]:
    """For each token whether it is a name."""
    words = [token for token in found if token.kind == "word" and token.text not in FUNCTION]
    headline = len(words) > 3 and sum(token.capital for token in words) > HEADLINE_SHARE * len(words)
    inside = {token.text for token in found if token.capital and not token.start}
    return [
        token.capital
        and token.text not in NOT_NAMES
        and (looks_like_name(token.text) if headline or (token.start and token.text not in inside) else True)
        for token in found
    ]


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
def frequency(word: str) -> float:
    """How frequent a word is in English, on the Zipf scale: 7 for "the", 3 for a rare word, 0 for none (wordfreq)."""
    from wordfreq import zipf_frequency  # costs 0.2 s

    return float(zipf_frequency(word, "en"))


@lru_cache(maxsize=16384)
def looks_like_name(word: str) -> bool:
    """Whether a capitalised word is a name where its capital proves nothing: at a sentence's start, in a headline.

    An English word is far rarer in German, Spanish and Italian texts, a name about as frequent (wordfreq). Of capitalised first words of
    sentences this calls 92% right of those it calls names, and finds 77% of the names (news, encyclopedia and novel sentences).
    """
    english = frequency(word)
    if english >= 6.0 or lemma(word) != word:
        return False
    if english == 0.0:
        return True
    first, second, third = (partial(_is_commoner, word, one, english - FREQUENCY_GAP) for one in CITED_LANGUAGES)
    return answer if (answer := first()) == second() else third()  # two of three decide, and each language takes 0.1 s to load


def _is_commoner(word: str, language: str, least: float) -> bool:
    """Whether a word is more frequent in a language than `least`, on the Zipf scale.

    Looks through wordfreq's bands of equal frequency, words in order: its table of the 1.3 million words would take over a second to make.
    """
    from wordfreq import get_frequency_list

    bands = get_frequency_list(language)[: max(0, round(900 - 100 * least))]  # the n-th has frequency 9 - n/100
    return any(word in band[(place := bisect_left(band, word)) : place + 1] for band in bands)


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
