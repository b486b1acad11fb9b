"""Actionability: how usable the notes are for people who have to make something of them (S001-QUAL-08, C30).

A usable note says what to do or show, and states it exactly enough to do it. Commands, duties and proposals are told by
short closed lists, stage terms (a shot, an hour, a prop) count half, and hedges take away.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.gather.score_notes import Note, faults, once, saturate
from gather_pipeline.gather.text_statistics import Text, text_of
from gather_pipeline.gather.word_order import CLOSED

COMMANDS = frozenset(
    "add adjust agree aim align allow arrange ask assign avoid bake book borrow bring budget build buy call cast change check choose clean "
    "clear close collect colour color combine compose confirm contrast control cover cue cut decide deliver design divide double draw "
    "dress drive drop edit employ end establish fade fill film find finish fit fix focus follow frame get give hang have hide hire hold "
    "include insert install introduce invite keep lay lead leave let light limit list load lock look lower make mark match measure mix "
    "mount mount move mute open order pack paint pan park pick place plan plant play point post practise practice prefer prepare protect "
    "provide pull put raise reach read record reduce rehearse remove rent repeat replace reserve reuse reveal rig run save schedule score "
    "secure send separate set shoot show shorten skip soften sort split stage start state stay stop store strip suggest switch take tell "
    "test tie track train treat try turn use vary wait warm warn watch weather widen work wrap write please".split()
)
DIRECTIVE = re.compile(
    r"\b(should|must|shall|need(?:s|ed)? to|ha(?:s|ve) to|ought to|let us|let's|please|recommend\w*|suggest\w*|propose\w*|require[sd]?|"
    r"(?:we|you|i) (?:need|want)|would (?:like|prefer)|ideal(?:ly)?|preferabl[ey]|had better|make sure|be sure to|"
    r"would be (?:\w+ )?(?:nice|better|good|great|useful|helpful)|could (?:be|use|have)|instead of|rather than|in order to|"
    r"no later than|at least|at most)\b",
    re.IGNORECASE,
)
STAGING = re.compile(
    r"\b(scene|shot|close-?up|wide|lens|camera|frame[ds]?|cut|cuts|fade[s]?|dissolve|montage|voice-?over|soundtrack|dolly|handheld|prop|props|"
    r"costume|set|lighting|backlight|cue|minute|minutes|seconds?|metres?|meters?|dawn|dusk|morning|night|noon|week|day|"
    r"opening|final|first|last|interior|exterior|int|ext)\b",
    re.IGNORECASE,
)
VAGUE = re.compile(
    r"\b(maybe|perhaps|possibly|probably|somehow|something|someone|somewhere|some kind|some sort|sort of|kind of|stuff|things?|whatever|"
    r"etc|and so on|might|not sure|unclear|various|interesting|nice|somewhat|in some way|a lot)\b|\?",
    re.IGNORECASE,
)
NOUNS_TOO = frozenset(
    "budget call cast change check cover cue cut design dress drop end fade film finish fit fix focus frame hand light limit list "
    "load lock look mark match measure mix mount move order paint park place plan plant play point post practice practise protect "
    "pull record rent repeat score set shoot show sort split stage start state stay stop store strip test tie track train treat "
    "turn use wait watch weather work".split()
)
LEADING_WORDS = frozenset(
    word for name in ("ART", "POSS", "DEM", "QUANT", "OBJ", "PREP", "TO", "NOT", "ADV") for word in CLOSED[name].split()
)
UNKNOWN_DIRECTION = 0.4  # for notes in other languages: neither told nor denied
EXACT_HALF = 18.0  # information of a note at which it is half exact enough to act on
DO_SHARE, DETAIL_SHARE = 0.6, 0.4  # what to do or show, and whether it is stated exactly enough to do it


def actionability(notes: Sequence[Note]) -> Part:
    """How usable the content is (C30): what to do or show, stated exactly enough to do it."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to act on.",))
    values = [usable(note) for note in notes]
    acting = [note for note in notes if direction(note) >= 0.5 and exactness(note) >= 0.5]
    best = max(zip(values, notes, strict=True), key=lambda pair: pair[0])[1]
    reasons = [f"{len(acting)} of {len(notes)} notes say what to do or how to stage it, with enough detail to start."]
    if acting:
        reasons.append(f"The most usable note is {best.quote()}.")
    vague = [(note, match.group(0)) for note in notes if (match := VAGUE.search(note.text.raw))]
    if vague:
        reasons.append(f"Vague in places: {len(vague)} of {len(notes)} notes, e.g. '{vague[0][1]}' in {vague[0][0].quote()}.")
    unknown = sum(note.text.language != "en" for note in notes)
    if unknown:
        reasons.append(f"Commands and stage terms were not looked for in {unknown} notes, because they are not in English.")
    evidence = dict.fromkeys([best.id] + [note.id for note in acting[:3]] + [note.id for note, _ in vague[:2]])
    return Part(value=round(100 * float(np.mean(values)), 2), reasons=(*reasons, *faults(notes)), evidence=tuple(evidence))


@once
def usable(note: Note) -> float:
    """Usability of one note, 0 to 1."""
    exact = exactness(note)
    vagueness = min(1.0, len(VAGUE.findall(note.text.raw)) / max(1, len(note.text.sentences)))
    act = direction(note) * (0.4 + 0.6 * exact)
    return note.worth * (DO_SHARE * act + DETAIL_SHARE * exact) * (1 - 0.3 * vagueness)


@once
def exactness(note: Note) -> float:
    """Whether a note states its matter exactly enough to act on, 0 to 1."""
    return saturate(note.mass, EXACT_HALF)


@once
def direction(note: Note) -> float:
    """How far a note tells people what to do or how to stage it, 0 to 1: its strongest sentence, and all of them."""
    if note.text.language != "en":
        return UNKNOWN_DIRECTION
    found = [_sentence_direction(part) for part in note.text.parts]
    return 0.5 * max(found) + 0.5 * float(np.mean(found)) if found else 0.0


def _sentence_direction(text: Text) -> float:
    opening = text.raw.split(":", 1)[-1]  # "Weather cover: hold the harbour office" commands after the colon
    if _commands(text.words) or _commands(text_of(opening, text.hint).words):
        return 1.0
    if DIRECTIVE.search(text.raw):
        return 0.85
    return 0.5 if STAGING.search(text.raw) else 0.15


def _commands(words: Sequence[str]) -> bool:
    """Whether a sentence opens with a command; "light the stairs" does, "light rain falls" does not."""
    if not words or words[0] not in COMMANDS:
        return False
    return words[0] not in NOUNS_TOO or (len(words) > 1 and (words[1] in LEADING_WORDS or words[1][0].isdigit()))
