"""What can be counted about a text without any model: sentences, words, stems, how rare each word is, in which language.

Scores stand on these counts, so that a reader can check every one. Word rarity comes from wordfreq (Zipf scale: 8 is the
commonest word, 0 an unknown one), stems from the Snowball stemmers. A script that wordfreq cannot split into words here
(Japanese, Chinese, Korean, Thai) is counted in pairs of characters instead, and `Text.language` is None to say so.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import snowballstemmer

from gather_pipeline.errors import InvalidInput

FUNCTION_ZIPF = 6.0  # a word at least this common ("the", "would", "people") carries grammar, not content
READABLE_ZIPF = 2.0  # a text whose words are rarer than this on average is not made of words (keyboard noise is near 0)
FEW_WORDS = 4  # fewer do not tell a language
ENGLISH_ENOUGH = 3.6  # at this average no other language is tried: terse English notes lie above, other languages below
PAIR_INFORMATION = 0.6  # a pair of Japanese or Chinese characters: about a third of an English word
UNKNOWN_INFORMATION = 3.0  # what an unknown word may count: a name is detail, but keyboard noise must not beat words

LANGUAGES = {  # wordfreq's code for each script, likeliest first; None where words cannot be told apart without a dictionary
    "LATIN": ("en", "es", "fr", "de", "it", "pt", "nl", "pl", "sv", "da", "nb", "fi", "cs", "ro", "hu", "tr", "id", "vi"),
    "GREEK": ("el",),
    "CYRILLIC": ("ru", "uk", "bg", "mk"),
    "ARABIC": ("ar", "fa", "ur"),
    "HEBREW": ("he",),
    "DEVANAGARI": ("hi",),
    "BENGALI": ("bn",),
    "TAMIL": ("ta",),
}
STEMMERS = {
    "en": "english", "es": "spanish", "fr": "french", "de": "german", "it": "italian", "pt": "portuguese", "nl": "dutch",
    "sv": "swedish", "da": "danish", "nb": "norwegian", "fi": "finnish", "ro": "romanian", "hu": "hungarian", "tr": "turkish",
    "el": "greek", "ru": "russian", "ar": "arabic", "hi": "hindi", "ta": "tamil", "pl": "polish", "cs": "czech", "fa": "persian",
    "id": "indonesian",
}  # fmt: skip
WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")

WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
SENTENCE_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+(?=\S)|(?<=[\u3002\uff01\uff1f\u0964])|\n+")
ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|vs|int|ext|no|fig|approx|e\.g|i\.e)|\b[A-Z])\.$", re.IGNORECASE)


@dataclass(frozen=True)
class Text:
    """One text with its counts, each computed once.

    Attributes:
        raw: The text as given.
        hint: Language of the text that this one is a part of; None to find out.
    """

    raw: str
    hint: str | None = None

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Sentences in order, white space evened out; a line break ends one."""
        pieces: list[str] = []
        for piece in SENTENCE_END.split(self.raw):
            piece = " ".join(piece.split())
            if not piece:
                continue
            if pieces and ABBREVIATION.search(pieces[-1]):
                pieces[-1] = f"{pieces[-1]} {piece}"
            elif any(ch.isalnum() for ch in piece):
                pieces.append(piece)
        return tuple(pieces)

    @cached_property
    def parts(self) -> tuple[Text, ...]:
        """The sentences with counts of their own, in the language of the whole."""
        return tuple(text_of(sentence, self.language) for sentence in self.sentences)

    @cached_property
    def script(self) -> str:
        """Unicode's name of the script that most letters belong to, ``NONE`` where there is no letter."""
        counts = Counter(_script(ch) for ch in self.raw if ch.isalpha())
        return counts.most_common(1)[0][0] if counts else "NONE"

    @cached_property
    def language(self) -> str | None:
        """Code of the language whose word list fits best; None where no list can be used on this script."""
        languages = LANGUAGES.get(self.script)
        if languages is None:
            return None
        if self.hint in languages:
            return self.hint
        words = [word for word in self.words if not word[0].isdigit()][:200]
        if len(words) < FEW_WORDS or _mean_zipf(words, languages[0]) >= ENGLISH_ENOUGH or len(languages) == 1:
            return languages[0]
        return max(languages, key=lambda language: (_mean_zipf(words, language), language == languages[0]))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words in order and case-folded; pairs of characters in scripts without spaces."""
        return tuple(word.casefold() for word in split_words(self.raw, spaced=not self.script.startswith(WITHOUT_SPACES)))

    @cached_property
    def readable(self) -> bool:
        """False for keyboard noise: the words are in no word list, where there is one for the script."""
        if self.language is None or not self.words:
            return bool(self.words)
        return _mean_zipf(self.words, self.language) >= READABLE_ZIPF

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """Stem of each word."""
        return tuple(stem(word, self.language) for word in self.words)

    @cached_property
    def content(self) -> dict[str, float]:
        """Information of each distinct content stem: how much rarer its word is than grammar words, on the Zipf scale."""
        found: dict[str, float] = {}
        for word, root in zip(self.words, self.stems, strict=True):
            worth = information(word, self.language)
            if worth > 0:
                found.setdefault(root, worth)
        return found

    @cached_property
    def function_share(self) -> float | None:
        """Share of words that carry grammar; running text has 0.3 to 0.6, a list of keywords nearly none; None if unknowable."""
        if self.language is None or not self.words:
            return None
        return sum(zipf(word, self.language) >= FUNCTION_ZIPF for word in self.words) / len(self.words)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Distinct capitalised words inside sentences: people, places and things by name; none in German, where every noun has one."""
        found: dict[str, None] = {}
        if self.language == "de":
            return ()
        for sentence in self.sentences:
            tokens = WORD.findall(sentence)
            if sum(not token[0].isupper() for token in tokens[1:]) < 0.2 * len(tokens):  # a heading or a shout names nothing
                continue
            for token in tokens[1:]:
                if token[0].isupper() and len(token) > 1 and zipf(token.casefold(), self.language) < FUNCTION_ZIPF:
                    found.setdefault(token.split("'")[0].split("\u2019")[0])
        return tuple(found)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Distinct numbers written in digits."""
        return tuple(dict.fromkeys(word for word in self.words if word[0].isdigit()))


@lru_cache(maxsize=8192)
def text_of(raw: str, hint: str | None = None) -> Text:
    """The counted text, shared by everybody who asks for the same one: sentences are asked for again and again."""
    return Text(raw, hint)


def parse(value: object, field: str = "content") -> Text:
    """The counted text of a value from outside.

    Raises:
        InvalidInput: The value is not a string.
    """
    if not isinstance(value, str):
        raise InvalidInput.field(field, value, "a text")
    return text_of(value)


def split_words(text: str, *, spaced: bool = True) -> list[str]:
    """Words of a text as written; pairs of neighbouring characters where a script has no spaces."""
    words = WORD.findall(text)
    if spaced:
        return words
    return [run[i : i + 2] for run in words for i in range(max(1, len(run) - 1))]


def information(word: str, language: str | None) -> float:
    """How much a word tells, 0 for grammar words and single letters; rarer words tell more."""
    if word[0].isdigit():
        return 2.0
    if language is None:
        return PAIR_INFORMATION
    frequency = zipf(word, language)
    if frequency >= FUNCTION_ZIPF or len(word) < 2:
        return 0.0
    if frequency == 0:
        return UNKNOWN_INFORMATION
    return min(FUNCTION_ZIPF - frequency, UNKNOWN_INFORMATION)


@lru_cache(maxsize=65536)
def zipf(word: str, language: str | None) -> float:
    """Frequency of a word on the Zipf scale, 0 where it is unknown or there is no word list."""
    if language is None:
        return 0.0
    from wordfreq import zipf_frequency  # reads its word list at the first call

    return zipf_frequency(word.replace("\u2019", "'"), language)


@lru_cache(maxsize=65536)
def stem(word: str, language: str | None) -> str:
    """Stem of a folded word, the word itself where the language has no stemmer."""
    name = STEMMERS.get(language or "")
    if name is None:
        return word
    return str(_stemmer(name).stemWord(word.replace("\u2019", "'").removesuffix("'s")))


def runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Every run of `size` neighbouring words; the whole text where it is shorter."""
    if not words:
        return []
    return [tuple(words[i : i + size]) for i in range(max(1, len(words) - size + 1))]


def _mean_zipf(words: Sequence[str], language: str) -> float:
    spoken = [word for word in words if not word[0].isdigit()]
    return sum(zipf(word, language) for word in spoken) / len(spoken) if spoken else FUNCTION_ZIPF


@lru_cache(maxsize=4096)
def _script(ch: str) -> str:
    return unicodedata.name(ch, "UNKNOWN").split()[0]


@lru_cache(maxsize=32)
def _stemmer(name: str) -> Any:
    return snowballstemmer.stemmer(name)
