"""What is counted of a text by itself: what its words are worth, whether it can be read, comes back to its words, and says what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gather_pipeline.text.language import language_of
from gather_pipeline.text.words import FUNCTION, Token, frequency, tokens

Numbers: TypeAlias = NDArray[np.float64]  # mostly one a note

NUMBER_WORTH = 2.0  # a new number is worth two words, as in "12 m/s at 05:00": rank correlation with rated specificity rises
ECHO_WINDOW = 12  # telling words: about two sentences
ECHO_LOW, ECHO_HIGH = 0.03, 0.25  # careful notes lie at 0.0 to 0.06, drifting prose at 0.1 to 0.3
LEAST_WORTH = 0.5  # least worth of a word; the rest follows its rarity
SENTENCE_ENDS = frozenset(".!?")
DETERMINERS = frozenset("a an the my your our their every its".split())
AFTER_DETERMINERS = frozenset("other own same one more most less least few many very only too quite again".split())
SHORT_NOTE = 6  # words: "The lamp goes out at midnight" can be a note, fewer words hardly
CIRCLES_COST = 0.3
DUTIES = frozenset("should must shall need needs ought please let recommend suggest propose require requires would".split())
OBJECTS = FUNCTION - frozenset("is are was were be has have had do does did will would can could may and or but if than who which".split())


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def ramps(values: NDArray[np.floating], low: float, high: float) -> Numbers:
    """`ramp` of each value."""
    return np.clip((values.astype(np.float64) - low) / (high - low), 0.0, 1.0)


def quoted(text: str, limit: int) -> str:
    """The beginning of a text on one line, in quotation marks; cut at a word."""
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= limit else f"'{line[:limit].rsplit(' ', 1)[0]}...'"


def circling(text: str) -> float:
    """How far a text comes back to its own last words, 0 to 1, by the share of telling words that stood among the `ECHO_WINDOW` before."""
    words = [token.lemma for token in tokens(text) if token.telling]
    again = sum(word in words[max(0, place - ECHO_WINDOW) : place] for place, word in enumerate(words))
    return ramp(again / len(words), ECHO_LOW, ECHO_HIGH) if words else 0.0


def telling(found: Iterable[Token]) -> frozenset[str]:
    """Distinct lemmas of the words that carry content."""
    return frozenset(token.lemma for token in found if token.telling)


def rarity(word: str) -> float:
    """0 for a word of everyday speech ("good"), 1 for a rare one ("grommet")."""
    return ramp(6.0 - frequency(word), 0.0, 3.0)


def worths(text: str) -> Mapping[str, float]:
    """The distinct lemmas of a text's telling words, with what each is worth where it is new."""
    found: dict[str, float] = {}
    for token in tokens(text):
        if token.telling:
            known = token.name or frequency(token.lemma) > 0.0
            own = NUMBER_WORTH if token.kind == "number" else LEAST_WORTH + (1 - LEAST_WORTH) * rarity(token.lemma) if known else 0.0
            found[token.lemma] = max(own, found.get(token.lemma, 0.0))
    return found


def unread(text: str) -> float:
    """In another language than English, which neither the embedding model nor the measures read."""
    return float(language_of(text) != "en")


def noise(text: str) -> float:
    """No words, or hardly any."""
    words = [token for token in tokens(text) if token.kind != "stop"]
    if not words:
        return 1.0
    real = sum(token.kind == "number" or token.name or max(frequency(token.text), frequency(token.lemma)) > 1.0 for token in words)
    variety = len({token.text for token in words}) / len(words)
    return 1 - ramp(real / len(words), 0.4, 0.75) * ramp(variety, 0.1, 0.3) * ramp(len(words), 0, SHORT_NOTE)


def jumble(text: str) -> float:
    """Words without grammar: a list of keywords, or a sentence whose words were shuffled.

    Shuffling puts "the" before "of", where English puts a word that carries content after a determiner in all but few cases; and small
    letters after full stops, in texts that know capitals.
    """
    found = tokens(text)
    words = [token for token in found if token.kind != "stop"]
    if not words:
        return 0.0
    function = sum(token.text in FUNCTION for token in words) / len(words)
    stops = sum(token.kind != "word" for token in found) / len(words)
    listed = 1 - ramp(function + 0.5 * stops, 0.0, 0.15)  # telegraphic notes have stops and numbers instead
    seen = wrong = 0
    capitals = any(token.start and token.capital for token in found)
    for token, after in zip_longest(found, found[1:]):
        if token.kind == "stop" and token.text in SENTENCE_ENDS and after is not None and after.kind == "word" and capitals:
            seen += 1
            wrong += not after.capital
        if token.text in DETERMINERS and not (token.start and token.capital and len(token.text) == 1):
            seen += 1
            wrong += after is None or after.kind == "stop" or (after.text in FUNCTION and after.text not in AFTER_DETERMINERS)
    shuffled = ramp((wrong - 0.5) / seen, 0.15, 0.4) if wrong else 0.0
    return max(0.8 * listed, 0.9 * shuffled)


def circles(text: str) -> float:
    """Comes back to its own last words, as prose does that drifts."""
    return CIRCLES_COST * circling(text)


OWN_FAULTS: Mapping[str, Callable[[str], float]] = {
    "Not read, because only English is": unread,
    "Not readable as words": noise,
    "A list of words, or jumbled": jumble,
    "Turns in circles": circles,
}


def directs(text: str) -> bool:
    """Whether a clause of a note tells people what to do.

    That is a duty or proposal in so many words, or a clause that opens with a bare verb ("Hold the harbour office"): its first word
    stands in its dictionary form, is no name and no function word, and what it acts on follows.
    """
    clauses: list[list[Token]] = [[]]
    for token in tokens(text):
        if token.kind == "stop":
            clauses.append([])
        else:
            clauses[-1].append(token)
    return any(_is_direction(clause) for clause in clauses)


def _is_direction(clause: Sequence[Token]) -> bool:
    if any(token.text in DUTIES for token in clause):
        return True
    if len(clause) < 3:
        return False
    first, second = clause[0], clause[1]
    bare = first.start and first.kind == "word" and first.text == first.lemma and first.telling
    return bare and (second.text in OBJECTS or second.kind == "number")
