"""Depth, coherence and actionability: how much a department's notes tell, how well they hang together, how usable they are.

Each part is a mean over notes of a few measures that a reader can check in the text, combined with named weights. Which
measures matter was chosen against public texts rated by people (docs/decisions/0006-quality.md).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from gather_pipeline.domain.quality import Part
from gather_pipeline.gather.score_notes import FILLER_STEMS, SHORT_NOTE, Note, ramp, rise, saturate
from gather_pipeline.gather.text_statistics import Text, runs, stem

# Depth
DETAIL_HALF, DETAIL_POWER = 22.0, 2.0  # information of a note at 50: some 25 words of concrete prose
BREADTH_HALF, BREADTH_POWER = 70.0, 1.2  # distinct information of all notes together at 50
NOTE_SHARE = 0.7  # weight of the single notes against what they tell together
GENERAL_MASS = 4.0  # a note with less information than this only says general things

# Coherence
# Exponents, so that one bad measure pulls a note down. Repetition and choppy sentences weigh most because they told most about
# people's ratings of coherence; word order weighs as much because nothing else sees a shuffled sentence.
FLOW_WEIGHTS = {"order": 0.25, "linked": 0.1, "fresh": 0.13, "economy": 0.27, "form": 0.15, "substance": 0.1}
ECONOMY_WINDOW = 30  # telling words back: a word said again after that is no repetition
SUBSTANCE_HALF = 10.0  # information at which a note is half long enough to show any flow
LINK_COSINE, LINK_WIDTH = 0.2, 0.05  # unrelated sentences lie at 0.0 to 0.15, neighbours in good prose at 0.25 to 0.6
SAME_SUBJECT_COSINE, SAME_SUBJECT_WIDTH = 0.27, 0.06  # of a note to the mean of the others
ALONE = 0.8  # connection of a sentence that has no other to connect with
CONTEXT_SHARE = 0.35  # weight of "notes stay with one subject" against the flow of each
REFERRING = re.compile(
    r"(he|she|it|they|this|that|these|those|his|her|its|their|there|then|but|and|so|yet|still|however|because|after|when|while|"
    r"as|until|before|instead|only|both|neither|each|inside|outside|meanwhile|later|now|once|by)\b",
    re.IGNORECASE,
)

# Actionability
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
    r"make sure|be sure to|never|always|would be (?:\w+ )?(?:nice|better|good|great|useful|helpful)|could (?:be|use|have)|instead of|"
    r"rather than|in order to|no later than|at least|at most|until|so that)\b",
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
DO_SHARE, DETAIL_SHARE = 0.55, 0.45  # what to do or show, and whether it is stated exactly enough to do it


def depth(notes: Sequence[Note]) -> Part:
    """Level of detail (S001-QUAL-03): what each note tells that is rare, named or counted, and what all tell together."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is no detail.",))
    details = [detail(note) for note in notes]
    told: dict[str, float] = {}
    for note in notes:
        for root, worth in note.text.content.items():
            if root not in FILLER_STEMS:
                told[root] = max(told.get(root, 0.0), worth * note.worth)
    together = saturate(sum(told.values()), BREADTH_HALF, BREADTH_POWER)
    value = 100 * (NOTE_SHARE * float(np.mean(details)) + (1 - NOTE_SHARE) * together)
    order = sorted(range(len(notes)), key=lambda place: -details[place])
    words = sum(len(note.text.words) for note in notes) / len(notes)
    names = len({name for note in notes for name in note.text.names})
    numbers = len({number for note in notes for number in note.text.numbers})
    reasons = [
        f"A note has {words:.0f} words on average; all together use {len(told)} different telling words, {names} names and "
        f"{numbers} numbers."
    ]
    best = notes[order[0]]
    if details[order[0]] > 0.3:
        rare = sorted((root for root in best.text.content if root not in FILLER_STEMS), key=lambda root: -best.text.content[root])
        shown = [word for word, root in zip(best.text.words, best.text.stems, strict=True) if root in rare[:4]]
        reasons.append(f"The most detailed note is {best.quote()}, with words such as {', '.join(dict.fromkeys(shown))}.")
    general = [note for note in notes if note.mass < GENERAL_MASS and note.text.readable]
    if general:
        reasons.append(f"{len(general)} of {len(notes)} notes only say general things, e.g. {general[0].quote()}.")
    evidence = dict.fromkeys([notes[place].id for place in order[:3] if details[place] > 0.3] + [note.id for note in general[:3]])
    return Part(value=round(value, 2), reasons=(*reasons, *faults(notes)), evidence=tuple(evidence))


def detail(note: Note) -> float:
    """Detail of one note, 0 to 1."""
    return note.worth * saturate(note.mass, DETAIL_HALF, DETAIL_POWER)


def coherence(notes: Sequence[Note]) -> Part:
    """Consistency and logical flow (S001-QUAL-04): within each note, and between the notes."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to hang together.",))
    flows = [flow(note) for note in notes]
    reasons = [f"{sum(value >= 0.6 for value in flows)} of {len(notes)} notes read as connected, well-formed text."]
    worst = min(range(len(notes)), key=lambda place: flows[place])
    if flows[worst] < 0.4:
        reasons.append(f"The least connected note is {notes[worst].quote()}: {_why(notes[worst])}.")
    value = float(np.mean(flows))
    evidence = [notes[worst].id] if flows[worst] < 0.4 else []
    if len(notes) > 1:
        nearness = _to_the_others(notes)
        together = np.array([rise(float(one), SAME_SUBJECT_COSINE, SAME_SUBJECT_WIDTH) for one in nearness])
        value = value ** (1 - CONTEXT_SHARE) * float(together.mean()) ** CONTEXT_SHARE * _variety(notes)
        strangers = [note for note, one in zip(notes, together, strict=True) if one < 0.3]
        if strangers:
            reasons.append(f"{len(strangers)} of {len(notes)} notes speak of something else than the others, e.g. {strangers[0].quote()}.")
            evidence += [note.id for note in strangers[:3]]
        else:
            reasons.append(f"The notes stay with one subject (mean similarity of a note to the others {float(nearness.mean()):.2f}).")
    unknown = sum(note.text.language != "en" for note in notes)
    if unknown:
        reasons.append(f"The word order of {unknown} notes was not judged, because they are not in English.")
    best = max(range(len(notes)), key=lambda place: flows[place])
    if flows[best] >= 0.6:
        evidence.append(notes[best].id)
    return Part(value=round(100 * value, 2), reasons=(*reasons, *faults(notes)), evidence=tuple(dict.fromkeys(evidence)))


def flow(note: Note) -> float:
    """How well one note reads as connected text, 0 to 1."""
    if not note.text.words or not note.text.readable:
        return 0.0
    found = 1.0
    for name, measure in measures_of_flow(note).items():
        found *= max(measure, 0.01) ** FLOW_WEIGHTS[name]
    return found * ramp(len(note.text.words), 0, SHORT_NOTE)


def measures_of_flow(note: Note) -> dict[str, float]:
    """Word order, connection and difference of sentences, economy of words, form and substance of one note, each 0 to 1."""
    texts = [Text(sentence) for sentence in note.text.sentences]
    likeness = note.sentence_vectors @ note.sentence_vectors.T
    linked, alike = [], [0.0]
    for place in range(1, len(texts)):
        before = likeness[place, :place]
        shared = any(set(texts[place].content) & set(texts[earlier].content) - FILLER_STEMS for earlier in range(place))
        refers = REFERRING.match(texts[place].raw) is not None
        linked.append(max(rise(float(before.max()), LINK_COSINE, LINK_WIDTH), 0.85 * shared, 0.75 * refers))
        alike.append(max(_overlap(texts[place], texts[earlier], float(likeness[place, earlier])) for earlier in range(place)))
    length = len(note.text.words) / max(1, len(texts))
    finished = 1.0 if note.text.raw.rstrip()[-1:] in ".!?\"'\u2019\u201d\u2026)\u3002\uff01\uff1f" else 0.75
    measured = 0.6 if note.order is None and note.text.language == "en" else note.order
    return {
        "order": 1.0 if measured is None else measured,
        "linked": float(np.mean(linked)) if linked else ALONE,
        "fresh": 1 - max(alike),
        "economy": _economy(note.text),
        "form": finished * (0.2 + 0.8 * ramp(length, 2, 22)) * (1 - 0.7 * ramp(length, 45, 90)),
        "substance": saturate(note.mass, SUBSTANCE_HALF),
    }


def actionability(notes: Sequence[Note]) -> Part:
    """How usable the content is (C30): what to do or show, stated exactly enough to do it."""
    if not notes:
        return Part(value=0.0, reasons=("There are no notes, so there is nothing to act on.",))
    values = [usable(note) for note in notes]
    acting = [note for note, value in zip(notes, values, strict=True) if value >= 0.45]
    order = sorted(range(len(notes)), key=lambda place: -values[place])
    reasons = [f"{len(acting)} of {len(notes)} notes say what to do or show, and how."]
    if acting:
        reasons.append(f"The most usable note is {notes[order[0]].quote()}.")
    vague = [note for note in notes if VAGUE.search(note.text.raw)]
    if vague:
        match = VAGUE.search(vague[0].text.raw)
        reasons.append(f"{len(vague)} of {len(notes)} notes leave something open, e.g. '{match.group(0) if match else ''}'.")
    evidence = dict.fromkeys([note.id for note in acting[:3]] + [note.id for note in vague[:2]])
    return Part(value=round(100 * float(np.mean(values)), 2), reasons=(*reasons, *faults(notes)), evidence=tuple(evidence))


def usable(note: Note) -> float:
    """Usability of one note, 0 to 1."""
    texts = [Text(sentence) for sentence in note.text.sentences]
    doing = [_direction(text) for text in texts if text.words]
    if not doing:
        return 0.0
    act = 0.5 * max(doing) + 0.5 * float(np.mean(doing))
    exact = saturate(note.mass, 0.75 * DETAIL_HALF, 1.5)
    vagueness = min(1.0, len(VAGUE.findall(note.text.raw)) / len(doing))
    return note.worth * (DO_SHARE * act * (0.35 + 0.65 * exact) + DETAIL_SHARE * exact) * (1 - 0.4 * vagueness)


def faults(notes: Sequence[Note]) -> list[str]:
    """Why notes counted less than they might, one sentence a fault."""
    kinds = {
        "are no readable text": [note for note in notes if note.text.words and not note.text.readable],
        "are hardly a sentence": [note for note in notes if len(note.text.words) < SHORT_NOTE - 1],
        "are lists of words or jumbled": [
            note for note in notes if note.text.readable and len(note.text.words) >= SHORT_NOTE - 1 and note.soundness < 0.4
        ],
        "repeat earlier notes": [note for note in notes if note.novelty < 0.5],
        "copy the brief": [note for note in notes if note.copied > 0.5],
        "have nothing to do with the department or the brief": [note for note in notes if note.relevance < 0.4],
    }
    return [f"{len(found)} of {len(notes)} notes {kind}, e.g. {found[0].quote()}." for kind, found in kinds.items() if found]


def _direction(text: Text) -> float:
    words = text.words
    if words[0] in COMMANDS or (len(words) > 2 and ":" in text.raw and Text(text.raw.split(":", 1)[1]).words[:1] and _opens(text)):
        return 1.0
    if DIRECTIVE.search(text.raw):
        return 0.85
    return 0.5 if STAGING.search(text.raw) else 0.15


def _opens(text: Text) -> bool:
    """Whether what follows a colon opens with a command ("Weather cover: hold the harbour office")."""
    return Text(text.raw.split(":", 1)[1]).words[0] in COMMANDS


def _economy(text: Text) -> float:
    """1 where no telling word and no pair of words is said again soon; names may be."""
    names = {stem(name.casefold(), text.language) for name in text.names}
    telling = [root for root in text.stems if root in text.content and root not in names]
    again = sum(root in telling[max(0, place - ECONOMY_WINDOW) : place] for place, root in enumerate(telling))
    pairs = runs(text.stems, 2)
    words = 1 - ramp(again / len(telling), 0.0, 0.7) if telling else 1.0
    return words * (1 - ramp(1 - len(set(pairs)) / len(pairs), 0.0, 0.4))


def _overlap(left: Text, right: Text, cosine: float) -> float:
    smaller = min(len(left.content), len(right.content))
    shared = len(set(left.content) & set(right.content)) / smaller if smaller >= 2 else 0.0
    return max(ramp(shared, 0.45, 1.0), ramp(cosine, 0.75, 0.98))


def _to_the_others(notes: Sequence[Note]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Cosine of each note to the mean direction of the others."""
    rows = np.stack([note.vector for note in notes])
    others = rows.sum(axis=0) - rows
    lengths = np.maximum(np.linalg.norm(others, axis=1), 1e-6)
    near: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (rows * others).sum(axis=1) / lengths
    return near


def _variety(notes: Sequence[Note]) -> float:
    """1 where every note says something of its own, near 0 where they repeat one."""
    return 0.15 + 0.85 * float(np.mean([note.novelty for note in notes]))


def _why(note: Note) -> str:
    if not note.text.readable:
        return "its words are in no word list"
    if len(note.text.words) < SHORT_NOTE - 1:
        return "it is hardly a sentence"
    name = min(measured := measures_of_flow(note), key=lambda key: measured[key])
    return {
        "order": "its words stand in an order that English does not use",
        "linked": "its sentences have nothing to do with each other",
        "fresh": "it says the same thing again",
        "economy": "it uses the same words again and again",
        "substance": "it says too little to connect anything",
        "form": "its sentences are too short, endless or unfinished",
    }[name]
