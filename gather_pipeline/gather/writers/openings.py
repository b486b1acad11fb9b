"""Openings for the embedded model's notes, made from the brief's own names.

The embedded model continues a given opening far better than it follows an instruction. In a script without capital letters no names are
found and the openings do without.
"""

from __future__ import annotations

import re

from gather_pipeline.text.names import Names

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
