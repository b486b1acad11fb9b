"""Finds a fact in which two texts differ, which no closeness of vectors may overrule.

A conflict needs evidence on both sides about the same thing: the same unit or thing counted, the same place in a sentence that is otherwise
the same, the same verb. A fact that only one text has makes it richer, not contrary. The decision is final: no judge overrules it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby, permutations, product
from typing import Literal

from rapidfuzz.distance import LCSseq, Levenshtein

from gather_pipeline.similarity.reading import MODES, Mode, Word, forms_of

ConflictKind = Literal["number", "name", "opposite", "negation", "mode", "roles"]
Hunk = tuple[int, int, int, int]

# Share of two texts' weight that must stand in line before a difference is believed to be about the same thing. Below it a kind of conflict
# was found as often in pairs that people call the same as in others.
ALIGNED = 0.6
NUMBERS_ALIGNED, NEGATIONS_ALIGNED, ROLES_COMMON = 0.5, 0.3, 0.8
SHORT = 8  # words
LONGEST_ROLES = 200  # words: every pair of them is tried, and roles are a matter of sentences
BACK_IN_LINE = 0.85  # share of words in line once two are put back in their places
SPELLING = 0.75  # likeness from which two capitalised words of six letters are one name
# Verbs of which "A ... B" says "B ... A", and words that join two of a kind.
MUTUAL = frozenset("and or with meet marry kiss embrace argue talk quarrel fight like between versus".split())
# Words that deny without "not": they explain a missing negation in a paraphrase ("the chapel stands empty").
DENYING = frozenset(
    "empty bare absent hardly barely rarely seldom only lack refuse decline avoid fail deny stop cease unable except".split()
)
# What may, what is planned and what was done exclude one another; words of permission say "may" in other words.
EXCLUSIVE = [
    {"possible", "stated"},
    {"possible", "past"},
    {"possible", "obliged"},
    {"possible", "planned"},
    {"able", "obliged"},
    {"able", "planned"},
    {"planned", "past"},
]
HEDGES = frozenset("allow allowed permit permitted possible possibility likely probably chance able".split())
DENYING_PREFIXES = ("un", "in", "im", "dis", "non")
SHORTEST_PREFIXED = 5
# Each line is a scale: words of one part mean much the same, words of two parts exclude one another.
SCALES = """
open ajar|close shut lock
start begin first earliest|stop end finish last final latest
on|off
in inside indoors into|out outside outdoors
before ahead until|after once since
above over|below beneath under
left|right
up upward rise raise increase more climb|down downward fall lower decrease less drop
north|south|east|west
alive living live|dead die
loud louder|soft softer quiet quieter silent
fast faster quick quickly|slow slower slowly
bright brighter light|dark darker dim
hot warm warmer|cold colder cool cooler
big bigger large larger tall taller tallest|small smaller little short shorter shortest
long longer|short shorter brief
high higher|low lower
early earlier|late later
near nearer close closer|far farther further distant
upper|lower
front|back behind rear
full|empty
wet|dry
old older|young younger new
same|different
always|never
everyone everybody all|nobody none
day morning|night evening
dawn sunrise|dusk sunset
summer|winter|spring|autumn
arrive come enter|leave go exit
remember|forget
win|lose
buy|sell
give|take
allow permit may|forbid ban
accept agree|refuse reject
love like|hate dislike
add put|remove
clean|dirty
hard|soft easy
thick|thin
wide|narrow
true truth|false lie
smooth|rough
heavy|light
rich|poor
strong|weak
black|white
keep|lose discard
monday|tuesday|wednesday|thursday|friday|saturday|sunday
january|february|march|april|may|june|july|august|september|october|november|december
"""


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """One fact in which two texts differ: what the first says of it, in its own words, and what the second says instead."""

    kind: ConflictKind
    left: str
    right: str

    @property
    def reason(self) -> str:
        """One sentence for a person."""
        if self.kind == "roles":
            return f"the roles of {self.left!r} and {self.right!r} are exchanged"
        return f"{SAID[self.kind]} differs: {self.left!r} against {self.right!r}"


SAID: dict[ConflictKind, str] = {
    "number": "a number",
    "name": "a name",
    "opposite": "the meaning",
    "negation": "a negation",
    "mode": "what is done and what may be done",
}


def first_conflict(pair: Aligned) -> Conflict | None:
    """The first fact in which two English texts differ; None where none is found. The order of the texts decides only the sides."""
    return next((found for rule in RULES for found in rule(pair)), None)


@dataclass(frozen=True)
class Aligned:
    """Two texts laid side by side.

    Attributes:
        hunks: Stretches (a0, a1, b0, b1) that an edit of the one into the other replaces.
        share: Share of the weight of both texts that stands in line, 0 to 1; of short texts the share of their words, for there one
            word weighs too much.
        common: Share of the weight that both have, wherever it stands.
    """

    a: Sequence[Word]
    b: Sequence[Word]
    hunks: tuple[Hunk, ...]
    share: float
    common: float

    @classmethod
    def of(cls, a: Sequence[Word], b: Sequence[Word]) -> Aligned:
        """The two laid side by side by their lemmas."""
        total = sum(word.weight for word in (*a, *b))
        if not total:
            return cls(a, b, (), 0.0, 0.0)
        hunks: list[Hunk] = []
        weight, count = 0.0, 0
        a0 = b0 = 0
        for block in Levenshtein.opcodes([word.lemma for word in a], [word.lemma for word in b]).as_matching_blocks():
            if block.a > a0 and block.b > b0:  # where one text has nothing, nothing was replaced
                hunks.append((a0, block.a, b0, block.b))
            a0, b0 = block.a + block.size, block.b + block.size
            weight += 2 * sum(word.weight for word in a[block.a : a0])
            count += 2 * block.size
        shared = {word.lemma for word in a} & {word.lemma for word in b}
        common = sum(word.weight for word in (*a, *b) if word.lemma in shared) / total
        counted = count / (len(a) + len(b)) if min(len(a), len(b)) <= SHORT else 0.0
        return cls(a, b, tuple(hunks), max(weight / total, counted), common)

    def same_place(self, i: int, j: int) -> bool:
        """Whether two words hold the same place: the same stretch was replaced, or both neighbours are the same."""
        if any(a0 <= i < a1 and b0 <= j < b1 for a0, a1, b0, b1 in self.hunks):
            return True
        before = i > 0 and j > 0 and self.a[i - 1].lemma == self.b[j - 1].lemma
        after = i + 1 < len(self.a) and j + 1 < len(self.b) and self.a[i + 1].lemma == self.b[j + 1].lemma
        return before and after

    def own(self, a0: int, a1: int, b0: int, b1: int) -> tuple[str, str]:
        """The telling words of two stretches that the other text does not have, in their own words."""
        in_a, in_b = forms_of(self.a), forms_of(self.b)
        left = [word.text for word in self.a[a0:a1] if word.telling and not word.forms & in_b]
        right = [word.text for word in self.b[b0:b1] if word.telling and not word.forms & in_a]
        return " ".join(left), " ".join(right)

    def lacking(self, kind: str) -> tuple[list[int], list[int]]:
        """Places of the words of a kind that the other text does not have, for each text."""
        in_a, in_b = {word.lemma for word in self.a}, {word.lemma for word in self.b}
        return (
            [place for place, word in enumerate(self.a) if word.kind == kind and word.lemma not in in_b],
            [place for place, word in enumerate(self.b) if word.kind == kind and word.lemma not in in_a],
        )


def _numbers(pair: Aligned) -> Iterator[Conflict]:
    if pair.share < NUMBERS_ALIGNED:
        return
    for i, j in product(*pair.lacking("number")):
        left, right = _counted(pair.a, i), _counted(pair.b, j)
        same_thing = left == right if left or right else pair.same_place(i, j)
        if same_thing and not _one_time(pair.a[i].text, pair.b[j].text):
            yield Conflict(kind="number", left=_quote(pair.a, i), right=_quote(pair.b, j))


def _counted(words: Sequence[Word], i: int) -> str | None:
    """Lemma of the thing or unit that a number counts: the telling word after it."""
    after = words[i + 1] if i + 1 < len(words) else None
    return after.lemma if after and after.telling and after.kind == "word" and after.clause == words[i].clause else None


def _one_time(left: str, right: str) -> bool:
    """Whether two are one time of day on a dial: 5:30 and 17:30, 9 and 21:00."""
    if ":" not in left + right:
        return False
    (hour, minute), (other_hour, other_minute) = ((*text.split(":"), "0")[:2] for text in (left, right))
    parts = (hour, minute, other_hour, other_minute)
    return all(part.isdigit() for part in parts) and (int(hour) - int(other_hour)) % 12 == 0 and int(minute) == int(other_minute)


def _quote(words: Sequence[Word], i: int) -> str:
    counted = _counted(words, i)
    return f"{words[i].text} {counted}" if counted else words[i].text


def _names(pair: Aligned) -> Iterator[Conflict]:
    if pair.share < ALIGNED:
        return
    for i, j in product(*pair.lacking("name")):
        if pair.same_place(i, j) and not _one_name(pair.a[i].text, pair.b[j].text):
            yield Conflict(kind="name", left=pair.a[i].text, right=pair.b[j].text)


def _one_name(left: str, right: str) -> bool:
    """Whether two capitalised words are one name in two spellings or a short form."""
    short, long = sorted((left, right), key=len)
    if len(short) >= 3 and long.startswith(short):
        return True
    return len(short) >= 6 and Levenshtein.normalized_similarity(left, right) >= SPELLING


def _opposed_words() -> dict[str, set[str]]:
    table: defaultdict[str, set[str]] = defaultdict(set)
    for line in SCALES.strip().splitlines():
        for one, other in permutations((part.split() for part in line.split("|")), 2):
            for word in one:
                table[word].update(other)
    return dict(table)


OPPOSED = _opposed_words()


def _opposites(pair: Aligned) -> Iterator[Conflict]:
    if pair.share < ALIGNED:
        return
    balance = sum(word.negates for word in pair.a) - sum(word.negates for word in pair.b)
    in_a, in_b = forms_of(pair.a), forms_of(pair.b)
    lacking = [j for j, right in enumerate(pair.b) if not right.forms & in_a]
    for i, left in enumerate(pair.a):
        if left.forms & in_b:
            continue
        against = in_b & (OPPOSED.get(left.text, set()) | OPPOSED.get(left.lemma, set()) | _prefixed(left.text))
        for j in lacking if against else ():
            right = pair.b[j]
            if right.forms & against and pair.same_place(i, j) and balance == left.negates - right.negates:
                yield Conflict(kind="opposite", left=left.text, right=right.text)


def _prefixed(text: str) -> set[str]:
    """A word with and without a prefix that turns it round: aware and unaware."""
    if len(text) < SHORTEST_PREFIXED:
        return set()
    with_prefix = {prefix + text for prefix in DENYING_PREFIXES}
    return with_prefix | {text.removeprefix(prefix) for prefix in DENYING_PREFIXES if text.startswith(prefix) and len(text) > 6}


def _negations(pair: Aligned) -> Iterator[Conflict]:
    """A word negated in one text that stands plain in the other, in a clause that says hardly anything else."""
    in_a, in_b = (sum(word.negates for word in words) for words in (pair.a, pair.b))
    if pair.share < NEGATIONS_ALIGNED or in_a == in_b:
        return
    more, fewer = (pair.a, pair.b) if in_a > in_b else (pair.b, pair.a)
    plain_here = {word.lemma for word in more if word.telling and not word.negated}
    known = forms_of(more)
    for _, group in groupby(fewer, key=lambda word: word.clause):
        clause = list(group)
        telling = [word for word in clause if word.telling]
        strange = sum(not word.forms & known for word in telling)
        if not telling or strange > len(telling) / 3:
            continue
        if any(word.negates or _denies(word) for word in clause if not word.telling or word.text not in known):
            continue
        plain = {word.lemma for word in telling} - plain_here
        for word in more:
            if word.negated and word.telling and word.kind != "number" and word.lemma in plain:
                left, right = (f"not {word.text}", word.text) if more is pair.a else (word.text, f"not {word.text}")
                yield Conflict(kind="negation", left=left, right=right)


def _denies(word: Word) -> bool:
    return word.lemma in DENYING or (len(word.text) > 5 and word.text.startswith(DENYING_PREFIXES)) or word.text.endswith("less")


def _modes(pair: Aligned) -> Iterator[Conflict]:
    """What may be against what is, what can be against what must, what is planned against what was done: of one verb, in like texts."""
    if pair.share < ALIGNED or HEDGES & forms_of((*pair.a, *pair.b)):
        return
    modal_a, modal_b = _modals(pair.a), _modals(pair.b)
    for (one, word), (other, other_word) in product(modal_a - modal_b, modal_b - modal_a):
        if {one, other} in EXCLUSIVE:
            yield Conflict(kind="mode", left=word, right=other_word)
    modes_a, modes_b = _modes_of(pair.a), _modes_of(pair.b)
    for lemma in modes_a.keys() & modes_b.keys():
        if any({left, right} in EXCLUSIVE for left, right in product(modes_a[lemma] - modes_b[lemma], modes_b[lemma] - modes_a[lemma])):
            said, instead = (f"{lemma} ({', '.join(sorted(modes[lemma]))})" for modes in (modes_a, modes_b))
            yield Conflict(kind="mode", left=said, right=instead)


def _modals(words: Sequence[Word]) -> set[tuple[Mode, str]]:
    """Modal words with what they say."""
    return {(MODES[form], word.text) for word in words for form in word.forms if form in MODES}


def _modes_of(words: Sequence[Word]) -> dict[str, set[Mode]]:
    """By lemma, what is said of the words: a modal word speaks of the first telling word after it."""
    found: defaultdict[str, set[Mode]] = defaultdict(set)
    for _, clause in groupby(words, key=lambda word: word.clause):
        previous: Mode = "stated"
        for word in clause:
            if not word.telling or word.kind != "word":
                continue
            if word.mode == "past" or word.mode not in (previous, "stated"):
                found[word.lemma].add(word.mode)
                previous = word.mode
            else:
                found[word.lemma].add("stated")
    return found


def _roles(pair: Aligned) -> Iterator[Conflict]:
    """Two words that trade places, so that putting them back brings the texts into line: "Mara hunts Elias", "Elias hunts Mara".

    A passive ("is hunted by") trades places and keeps the roles.
    """
    if max(len(pair.a), len(pair.b)) > LONGEST_ROLES or pair.common < ROLES_COMMON:
        return
    by_a, by_b = (sum(word.text == "by" for word in words) for words in (pair.a, pair.b))
    if by_a != by_b:
        return
    in_a, in_b = [word.lemma for word in pair.a], [word.lemma for word in pair.b]
    words = {word.lemma: word for word in pair.a if word.telling and word.lemma in in_b}
    in_line = LCSseq.similarity(in_a, in_b)
    for x, y in combinations(words, 2):
        names = words[x].kind == words[y].kind == "name"
        if not names and (in_a.index(x) < in_a.index(y)) == (in_b.index(x) < in_b.index(y)):
            continue
        put_back = LCSseq.similarity([{x: y, y: x}.get(lemma, lemma) for lemma in in_a], in_b)
        if put_back < in_line + 2 or 2 * put_back < BACK_IN_LINE * (len(in_a) + len(in_b)):
            continue
        if not _mutual(pair.a, in_a.index(x), in_a.index(y)) and not _mutual(pair.b, in_b.index(x), in_b.index(y)):
            yield Conflict(kind="roles", left=words[x].text, right=words[y].text)


def _mutual(words: Sequence[Word], i: int, j: int) -> bool:
    """Whether what stands between two words says the same of both: "and", "meets"; or nothing does."""
    return not {word.lemma for word in words[min(i, j) + 1 : max(i, j)] if word.telling} - MUTUAL


RULES: tuple[Callable[[Aligned], Iterator[Conflict]], ...] = (_numbers, _names, _opposites, _negations, _modes, _roles)
