"""Drops what a studio could not show: sexual content, slurs and gore in so many words (S000-SEC-02).

A simple filter by words: it is there for a small model's slips, not against somebody who wants to get past it.
"""

from __future__ import annotations

import re

WORDS = {
    "sexual content": (
        r"naked(?:ness)?|nude|nudity|topless|genital\w*|penis|vagina\w*|nipples?|orgasm\w*|masturbat\w*|porn\w*",
        r"rap(?:e|ed|es|ist|ists|ing)|erotic\w*|blow ?jobs?|cum(?:ming|shot)|sex(?:ual)? (?:act|slave|scene)s?|having sex",
        r"molest\w*|incest\w*|p(?:a)?edophil\w*",
    ),
    "a slur": (r"cunts?|whores?|sluts?|n[i1]gg(?:er|a)s?|fagg?ots?|kikes?|retards?|trann(?:y|ies)",),
    "gore": (
        r"disembowel\w*|decapitat\w*|dismember\w*|entrails|intestines|mutilat\w*|gouged? out",
        r"severed (?:head|limb|arm|leg)s?|brains? splatter\w*",
    ),
}
# The same words in a crew's mouth: they are taken out before the words above are looked for.
CRAFT = re.compile(
    r"\b(?:"
    r"nude[ -](?:colou?red|ton(?:e|es|ed)|shades?|stockings?|tights|hose|lipsticks?|heels?|palettes?|mesh|body ?suits?|body stockings?)"
    r"|naked (?:eyes?|flames?|lights?|bulbs?|wood|branch(?:es)?|trees?|stones?|bricks?|wires?|steel|blades?|walls?)"
    r"|(?:grease|pipe|hose|brass|steel) nipples?"
    r"|retards? (?=(?:the|an?|its|their|his|her|all|any|every|growth|rust|rot|decay|fire|motion)\b)"
    r"|(?:bundles?|stacks?|loads?|armfuls?) of faggots|faggots of (?:wood|sticks|twigs|brushwood)"
    r"|(?:oilseed|fields? of) rape|rape ?(?:seed|oil|fields?)"
    r"|(?:sheep|lamb|pig|hog|cat|goat|ox)(?:['’]s)? intestines"
    r"|(?:decapitated|dismembered|mutilated) (?:\w+ )?"
    r"(?:statues?|dolls?|mannequins?|puppets?|figures?|angels?|toys?|books?|pages?|ledgers?|posters?)"
    r")",
    re.IGNORECASE,
)
PATTERNS = {kind: re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE) for kind, words in WORDS.items()}


def objection(text: str) -> str | None:
    """Why a text cannot be shown, in one sentence; None where nothing is against it."""
    plain = CRAFT.sub(" ", text)
    for kind, pattern in PATTERNS.items():
        if match := pattern.search(plain):
            return f"the text has {kind} ({match.group()!r})"
    return None
