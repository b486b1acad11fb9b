"""The one place that decides where sentences end.

The boundaries are sentencex's, which knows abbreviations ("Dr. Holm waits." is one sentence) and the stops of many scripts.
"""

from __future__ import annotations

import re

from gather_pipeline.domain.texts import LONE_SURROGATE

STOP = re.compile(r"[.!?…؟।。！？]+[\"'”’»)\]」』）]*\Z")
LINE_END = re.compile(r"(?<=\S)[ \t]*(?=\n)")
LETTER = re.compile(r"[^\W\d_]")
LINE_CHARS = 140
FIRST_WORDS = 70


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, without the white space around them; a numeral alone ("1.") belongs to what follows it."""
    found: list[str] = []
    carried = ""
    for piece in _pieces(text):
        for line in piece.splitlines():
            whole = f"{carried} {line.strip()}".strip()
            carried = "" if LETTER.search(whole) else whole
            if whole and not carried:
                found.append(whole)
    return found or ([carried] if carried else [])


def sentence_ends(text: str, *, lines: bool = False) -> list[int]:
    """Places after which a text may be cut so that whole sentences stay, in order.

    With `lines` the end of a line counts too, as in headings and lists.
    """
    ends, place = set(), 0
    for piece in _pieces(text):
        whole = piece.rstrip()
        if STOP.search(whole) and LETTER.search(whole):
            ends.add(place + len(whole))
        place += len(piece)
    if lines:
        ends.update(found.start() for found in LINE_END.finditer(text))
    return sorted(ends)


def summary_line(text: str) -> str:
    """The first sentence, shortened at a word to `LINE_CHARS` characters."""
    ends = sentence_ends(text)
    first = text[: ends[0]] if ends else text
    return first if len(first) <= LINE_CHARS else first[: LINE_CHARS - 1].rsplit(" ", 1)[0] + "…"


def first_sentences(text: str) -> str:
    """The first whole sentences of a text without its headings, about `FIRST_WORDS` words, for a model with a small window."""
    kept: list[str] = []
    for sentence in sentences("\n".join(line for line in text.split("\n") if not line.startswith("#"))):
        if kept and len(" ".join([*kept, sentence]).split()) > FIRST_WORDS:
            break
        kept.append(sentence)
    return " ".join(kept).strip()[: FIRST_WORDS * 10]


def _pieces(text: str) -> list[str]:
    """Stretches of the text, a sentence and the white space after it each, that together are the whole text."""
    import sentencex  # not above: a command that only reads starts without it

    return list(sentencex.segment("en", LONE_SURROGATE.sub("\ufffd", text)))
