"""Names of people and places in a brief, found by capital letters, and openings for notes made from them.

The embedded model continues a given opening far better than it follows an instruction, so its notes begin with words
made here from the brief's own names. In a script without capital letters no names are found and the openings do without.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
NAME = re.compile(r"\b(?:[A-Z][a-zà-öø-ÿ]+)(?:[ -][A-Z][a-zà-öø-ÿ]+){0,2}")
PLACE_BEFORE = re.compile(r"\b(?:in|on|at|near|off|outside|towards?|into|across|(?:island|town|village|port) of)\s+(?:the\s+)?$", re.I)
PLACE_AFTER = re.compile(r"\s+is\s+an?\s+(?:\w+\s+)?(?:island|town|village|city|port|country|valley)\b")
PLACE_WORDS = frozenset("bay city harbor harbour hotel house island lake north river sea south station street valley".split())
# Words that begin a sentence, and headings, are capitalised without being names.
RARE = 3.8  # Zipf scale of wordfreq: the nouns that begin sentences are mostly above it
TITLES = frozenset({"Brother", "Captain", "Doctor", "Dr", "Father", "Lady", "Lord", "Miss", "Mr", "Mrs", "Ms", "Sir", "Sister"})
NOT_NAMES = frozenset(
    """
    a after all an and as at before but by each every for from he her his if in it its no nobody not nothing now of on
    one only or our she so some that the their then there they this three to tone two we what when where while who with
    you monday tuesday wednesday thursday friday saturday sunday january february march april may june july august
    september october november december god english act scene people place conflict brief
    """.split()
)


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names in a brief, the most frequent first."""

    people: tuple[str, ...]
    places: tuple[str, ...]


def find_names(brief: str) -> Names:
    """Finds people and places.

    A capitalised word counts inside a sentence, with a second name, or where it is rare in ordinary English or stands
    twice and never small. Headings are not looked at. It is a place where it mostly follows a preposition of place or is said to be one.
    """
    from wordfreq import zipf_frequency

    inside: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    place: Counter[str] = Counter()
    brief = "\n".join(line for line in brief.splitlines() if not line.lstrip().startswith("#"))
    words = set(WORD.findall(brief))
    for match in NAME.finditer(brief):
        name = match.group().strip()
        first, *rest = name.split()
        if first.lower() in NOT_NAMES:
            if not rest:
                continue
            name = " ".join(rest)
        before = brief[: match.start()].rstrip(" \"'“‘(")
        seen[name] += 1
        begins = not before or before[-1] in ".!?:\n#*-—"
        inside[name] += not begins or " " in name or zipf_frequency(name, "en") < RARE
        last = name.split()[-1].lower()
        place[name] += bool(PLACE_BEFORE.search(brief[: match.start()])) or last in PLACE_WORDS
        place[name] += 2 * bool(PLACE_AFTER.match(brief, match.end()))
    real = [name for name in seen if name not in TITLES and (inside[name] or (seen[name] > 1 and name.lower() not in words))]
    parts = {part: name for name in real if " " in name for part in name.split()}
    for part in [name for name in real if name in parts]:
        seen[parts[part]] += seen[part]
    ranked = sorted((name for name in real if name not in parts), key=lambda name: (-seen[name], brief.index(name)))
    places = tuple(name for name in ranked if place[name] * 2 >= seen[name])
    people = tuple(next((part for part in name.split() if part not in TITLES), name) for name in ranked if name not in places)
    return Names(people=tuple(dict.fromkeys(people)), places=places)


# Each ends in a word that asks for a verb or a thing: after a bare name the model would go on with a surname.
OPENINGS = (
    "For the {aspect}, {person} should",
    "When {person} comes to {place}, the {aspect} should",
    "In {place}, the {aspect} must",
    "Whenever {person} and {other} meet, the {aspect} should",
    "The {aspect} must begin with {person}'s",
    "At the heart of the {aspect} is {other}'s",
    "Halfway through, {person} must",
    "By the end, the {aspect} should",
)


def opening(names: Names, aspect: str, turn: int) -> str:
    """The first words of a note about an aspect; `turn` walks through templates and names, so that two notes seldom begin alike."""
    people = names.people or ("the lead",)
    places = names.places or ("the first scene",)
    words = {
        "aspect": re.sub(r"^(the|a|an)\s+", "", aspect.strip().rstrip("."), flags=re.I),
        "person": people[turn % len(people)],
        "other": people[(turn + 1) % len(people)],
        "place": places[(turn // 2) % len(places)],
    }
    usable = [template for template in OPENINGS if "{other}" not in template or len(people) > 1]
    text = usable[turn % len(usable)].format(**words)
    return text[0].upper() + text[1:]


def strangers(text: str, brief: str) -> int:
    """How many names stand in a text that the brief does not know."""
    known = set(WORD.findall(brief))
    names = find_names(text)
    return sum(not known.intersection(name.split()) for name in (*names.people, *names.places))


def digest(text: str, words: int = 70) -> str:
    """The first whole sentences of a text, about that many words, for a model with a small window."""
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?。！？])\s*", " ".join(line for line in text.split("\n") if not line.startswith("#"))):
        if kept and len(" ".join([*kept, sentence]).split()) > words:
            break
        kept.append(sentence)
    return " ".join(kept).strip()[: words * 10]
