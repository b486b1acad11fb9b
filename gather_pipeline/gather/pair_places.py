"""Where words stand in two texts that are mostly the same: what took whose place, and which phrases traded places.

A sentence vector hardly sees order: "Mara hunts Elias" and "Elias hunts Mara" are 0.97 alike. The guard and the pair model read it off the
edits that turn one text into the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

from rapidfuzz.distance import LCSseq

from gather_pipeline.gather.pair_reading import Reading, Word

COORDINATORS = frozenset("and or nor with versus vs between".split())

PREPOSITIONS = frozenset("in on at from to for with of into onto over under during near after before about against through".split())
DETERMINERS = frozenset("a an the this that these those his her its their my our your".split())
ALIGNED = 0.85  # share of words in line from which two texts differ in little else than the exchange
LONGEST_EXCHANGE = 200  # words; the search tries every pair of words, and roles are a matter of sentences

Hunk = tuple[int, int, int, int]


class Places:
    """Tells whether two words hold the same place: a like neighbour, or the same stretch of text that was replaced."""

    def __init__(self, a: Sequence[Word], b: Sequence[Word]) -> None:
        self._a, self._b = [word.stem for word in a], [word.stem for word in b]
        self._hunks: list[Hunk] | None = None

    def same(self, i: int, j: int) -> bool:
        before = i > 0 and j > 0 and self._a[i - 1] == self._b[j - 1]
        after = i + 1 < len(self._a) and j + 1 < len(self._b) and self._a[i + 1] == self._b[j + 1]
        if before or after:
            return True
        if self._hunks is None:
            self._hunks = replaced(self._a, self._b)
        return any(a0 <= i < a1 and b0 <= j < b1 for a0, a1, b0, b1 in self._hunks)


def replaced(a: Sequence[str], b: Sequence[str]) -> list[Hunk]:
    """Stretches (a0, a1, b0, b1) that an edit of `a` into `b` replaces."""
    edits = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return [(a0, a1, b0, b1) for kind, a0, a1, b0, b1 in edits if kind == "replace"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two phrases that trade places between two texts.

    Attributes:
        left: Telling stems of the one.
        right: Telling stems of the other.
        exact: True where nothing else stands in either place, so that the roles are exchanged and nothing more.
    """

    left: frozenset[str]
    right: frozenset[str]
    exact: bool


def exchanges(a: Reading, b: Reading) -> list[Exchange]:
    """Phrases that trade places in texts that are otherwise aligned: "Mara hunts Elias", "Elias hunts Mara"."""
    stems_a, stems_b = [word.stem for word in a.words], [word.stem for word in b.words]
    if stems_a.count("by") != stems_b.count("by"):  # one of them is passive, which exchanges the places and keeps the roles
        return []
    return _exchanged_phrases(a, b, stems_a, stems_b) or _exchanged_words(a, b, stems_a, stems_b)


def _exchanged_phrases(a: Reading, b: Reading, stems_a: Sequence[str], stems_b: Sequence[str]) -> list[Exchange]:
    """Pairs of replaced stretches where each holds what stood in the other."""
    found = []
    for (a0, a1, b0, b1), (a2, a3, b2, b3) in combinations(replaced(stems_a, stems_b), 2):
        left, right = _stems(a.words[a0:a1]), _stems(b.words[b0:b1])
        later_left, later_right = _stems(a.words[a2:a3]), _stems(b.words[b2:b3])
        if not left or not right or left == right or not (left & later_right and right & later_left):
            continue
        kept = _governor(a.words, a0) == _governor(b.words, b2) and _governor(a.words, a2) == _governor(b.words, b0)
        moved = kept and _governor(a.words, a0) is not None
        if not moved and not _coordinated(a.words[a1:a2]) and not _coordinated(b.words[b1:b2]):
            found.append(Exchange(left, right, left == later_right and right == later_left))
    return found


def _exchanged_words(a: Reading, b: Reading, stems_a: list[str], stems_b: list[str]) -> list[Exchange]:
    """Pairs of words that, put back in each other's place, bring two more words into line: what edits show as a move."""
    if max(len(stems_a), len(stems_b)) > LONGEST_EXCHANGE:
        return []
    common = LCSseq.similarity(stems_a, stems_b)
    telling = {word.stem for word in a.telling if stems_a.count(word.stem) == 1 == stems_b.count(word.stem)}
    ordered = [stem for stem in stems_a if stem in telling]
    found = []
    for left, right in combinations(ordered, 2):
        a0, a1, b0, b1 = stems_a.index(left), stems_a.index(right), stems_b.index(right), stems_b.index(left)
        if b0 > b1 or _coordinated(a.words[a0 + 1 : a1]) or _coordinated(b.words[b0 + 1 : b1]):
            continue
        kept = _governor(a.words, a0) == _governor(b.words, b1) and _governor(a.words, a1) == _governor(b.words, b0)
        if kept and _governor(a.words, a0) is not None:  # "in 1921 in Paris", "in Paris in 1921"
            continue
        trial = stems_a.copy()
        trial[a0], trial[a1] = right, left
        if LCSseq.similarity(trial, stems_b) >= common + 2:
            exact = 2 * LCSseq.similarity(trial, stems_b) >= ALIGNED * (len(stems_a) + len(stems_b))
            found.append(Exchange(frozenset([left]), frozenset([right]), exact))
    return found


def _governor(words: Sequence[Word], place: int) -> str | None:
    """The preposition that the phrase at `place` hangs on, None where there is none; it moves with its phrase."""
    while place > 0 and words[place - 1].text in DETERMINERS:
        place -= 1
    before = words[place - 1].text if place > 0 else ""
    return before if before in PREPOSITIONS else None


def _stems(words: Sequence[Word]) -> frozenset[str]:
    return frozenset(word.stem for word in words if word.telling)


def _coordinated(between: Sequence[Word]) -> bool:
    """Whether only "and" or nothing stands between two phrases, so that their order says nothing."""
    if any(word.telling for word in between):
        return False
    return not between or any(word.text in COORDINATORS for word in between)
