"""How likely the order of words is, told from classes of neighbouring words alone; no model, no dictionary but short closed lists.

Shuffling the words of a sentence keeps its vocabulary, its length and nearly its embedding, so that only the order shows it.
`GAIN` says, for each pair of classes, how much more often English puts the second right after the first than chance would
(tenths of a bit, log2 of observed to expected pairs, held within 4 bits). It was counted on 22,800 sentences of public news
articles and short stories (docs/decisions/0006-quality.md). English only: other languages get no opinion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

CLOSED = {
    "ART": "the a an",
    "POSS": "my your his her its our their",
    "DEM": "this that these those",
    "QUANT": "some any no every each all both another many few more most several such other much either",
    "SUBJ": "i he she we they",
    "PRON": "it you who what which there",
    "OBJ": "me him us them himself herself itself themselves myself",
    "PREP": (
        "of in on at by for with from into through over under between against during without within about "
        "across behind beneath beside toward towards upon along around near onto off out up down back inside "
        "outside past like per despite among above below"
    ),
    "TO": "to",
    "AND": "and or but nor",
    "SUB": ("because although though while when if as since until unless before after where whether than so how why whose"),
    "BE": "is are was were am be been being 's 're",
    "HAVE": "has have had having do does did",
    "MODAL": "will would can could should may might must shall cannot",
    "NOT": "not never n't",
    "ADV": (
        "very also just then now here too still again only even always often already almost soon once perhaps "
        "maybe instead really quite rather ever away later yet"
    ),
}
CLASSES = ("START", "END", "COMMA", *CLOSED, "ING", "ED", "LY", "PLURAL", "NUMBER", "NAME", "OTHER")
_TENTHS = """
 -4 -40 -40   7   3   4   3  25  19 -40  -1 -25   7  21 -28 -18 -18 -23  10 -13 -23   9 -11  -5 -40  -6  START
 40  -4  -7 -12   2  13  14   2  10  21 -12   6   1   9   5  14  19  25  13   4  -2  20  -3  34   2 -27  END
 -7 -40 -40   4   1  -5   1  18  14 -40 -13 -22  22  11 -14 -10 -17  -5   6  18  -4   0 -12   0  13 -14  COMMA
-12 -40 -40 -40 -10 -40   1 -40 -40 -39 -40 -40 -40 -40 -40 -40 -40 -34  -8   2 -15  -2   9   5   9  15  ART
  2 -23 -27 -40 -21 -40 -15 -40 -40 -40 -25 -25 -40 -31 -40 -40 -35 -38 -15  -6 -15   7  20  -4 -12  14  POSS
 13 -17 -16  -5   2  -2   0  17  14 -40 -24 -31 -40 -12  15  13  21 -25   3  -6   7  -6   4 -19  -5   1  DEM
 14  -6  -8 -16 -19  -7  16 -11 -15 -29  -2 -17 -15   7 -13 -18 -14 -40 -15   2  -1   3  15  -1 -15   7  QUANT
  2 -40 -40 -40 -40 -40 -14 -40 -40 -40 -40 -40 -40 -40  23  34  36   0   7 -40  25   7 -20 -20 -40   0  SUBJ
 10   1  -5 -25 -37 -15  -2  -3  -8 -40 -10  -5 -24  -7  33  25  28 -10   5 -25  11  -1  -6 -20 -37  -8  PRON
 21  20  13 -11 -27   6   6 -36 -19 -40   9  16   1  11  -9 -16 -20 -21  -1   3 -11   3 -27 -21 -40 -15  OBJ
-12 -15 -17  20  19   8  10 -37  -2  16 -16 -11 -25 -19 -32 -40 -40 -36 -17   1 -31 -18  -1  11   7  -5  PREP
  6 -40 -40   4   7  -9  -6 -40 -19  11 -40 -40 -40 -40   8   5 -40 -17 -26 -11 -40  -7 -25   1  -6  13  TO
  1 -40 -32   2   3  -2   6  12   7 -37 -16 -22 -40  10 -16  -6 -13  -6  14   9   6   8   6  -3   3   2  AND
  9 -17  -9  13   4  -6  12  29  17  -4 -28 -11 -40   2 -21  -5  -9 -15   1   4 -23  -1  -8  10   5 -13  SUB
  5 -22 -26   9 -12 -11  14 -32  -6 -39  -8 -12 -40  -3 -28 -40 -40  29  20  19  17  19 -22  -7 -21  -2  BE
 14 -19 -25  -2 -12  -9  12 -12   6 -34 -30  10 -40 -17  20 -12 -40  40  20 -15  21   9 -30 -15 -33  -4  HAVE
 19 -30 -36 -40 -40 -23 -13 -11  -3 -40 -34 -30 -40 -36  22  22 -40  40  18 -19 -23  15 -40  -7 -33   8  MODAL
 25 -36 -35 -10 -34 -18  -2 -26 -11 -40 -19  -4 -40   2  11  16 -18 -38  27   6   5  15 -26 -40 -40   9  NOT
 13  -1   5  -2 -19  -5   7  -3  -3 -23   0  -7 -25  13   7   2 -11 -18   3   6  12   3 -10   3 -31   0  ADV
  4  -2  -3   5   8  10   3 -15  -2  16  11  13  -4  -3 -13 -26 -21 -31  -7 -18 -20   0   3 -16 -14  -4  ING
 -2   0   3   3   6  10  -6 -28  -6  16  15  22  -5   1 -33 -40 -38 -26  -9 -11 -40   2  -5  -7  -4 -14  ED
 20   1  12 -24 -37 -24 -17 -23 -21 -31  -2  -6  -5  -1  -6  -2 -15 -11 -13  10  21 -27  -3   3 -32   1  LY
 -3  15  15 -26 -30   8 -15 -10  -7 -12  11   4  13  -1   2  -2   4 -26  -7  -5   3  -7 -15 -16 -27 -15  PLURAL
 34   5 -14  -9 -34 -30 -13 -22 -20 -40  -3 -12   2  -3  -2 -33 -11 -40 -15 -13 -20 -27  17  40  10   4  NUMBER
  2  10  13 -37 -16 -18 -30 -40 -19 -28  -5 -15   4 -12   5   9   5 -28 -17 -20   8  -5 -10  14  28 -10  NAME
-27  11  11 -10  -6   5 -10 -15  -3   5   8   8   4   0  -4  -7  -6 -24 -11  -8  -4  -9   1  -8 -13  -5  OTHER
"""  # a row for the first class of a pair, a column for the second, in the order of CLASSES
GAIN = np.array([[int(value) for value in row.split()[:-1]] for row in _TENTHS.strip().splitlines()]) / 10

SHORTEST = 4  # words below which order says nothing
MIDDLE_BITS = -0.15  # running text lies at 0 to 1 bits a step, the same words shuffled at -0.9 to -0.2
SCALE_BITS = 0.12

_ID = {name: index for index, name in enumerate(CLASSES)}
_CLOSED_ID = {word: _ID[name] for name, words in CLOSED.items() for word in words.split()}
_TOKEN = re.compile(r"\d[\d.,:]*|[^\W\d_]+(?:'[^\W\d_]+)*|[,;:\u2014\u2013()\"]")
_CONTRACTION = re.compile(r"(.+)'(s|re|ve|ll|d|m)$")
_CONTRACTED = {"s": "BE", "re": "BE", "m": "BE", "ve": "HAVE", "ll": "MODAL", "d": "MODAL"}
_SUFFIXES = (("ing", 5, "ING"), ("ed", 4, "ED"), ("ly", 4, "LY"), ("ss", 3, "OTHER"), ("s", 4, "PLURAL"))


def order(sentences: Sequence[str]) -> float | None:
    """How much the word order of English sentences looks like English, 0 (shuffled) to 1; None where they are too short to tell."""
    bits = step_bits(sentences)
    if bits is None:
        return None
    return float(1 / (1 + np.exp(-(bits - MIDDLE_BITS) / SCALE_BITS)))


def step_bits(sentences: Sequence[str]) -> float | None:
    """Mean gain in bits of each step from word to word over all sentences of at least `SHORTEST` words."""
    gains: list[float] = []
    for sentence in sentences:
        classes = classify(sentence)
        if len(classes) >= SHORTEST + 2:
            gains.extend(GAIN[classes[:-1], classes[1:]])
    return float(np.mean(gains)) if gains else None


def classify(sentence: str) -> list[int]:
    """Class of each word and pause of a sentence, between `START` and `END`."""
    found = [_ID["START"]]
    for token in _TOKEN.findall(sentence.replace("\u2019", "'")):
        if token[0].isalnum():
            found.extend(_word(token, len(found) == 1))
        elif found[-1] not in (_ID["COMMA"], _ID["START"]):
            found.append(_ID["COMMA"])
    if found[-1] == _ID["COMMA"]:
        found.pop()
    return [*found, _ID["END"]]


@lru_cache(maxsize=16_384)
def _word(token: str, first: bool) -> tuple[int, ...]:
    folded = token.casefold()
    if folded in _CLOSED_ID:
        return (_CLOSED_ID[folded],)
    if folded[0].isdigit():
        return (_ID["NUMBER"],)
    if folded.endswith("n't"):
        verb = folded.removesuffix("n't")
        return _CLOSED_ID.get(verb, _ID["MODAL"]), _ID["NOT"]
    if match := _CONTRACTION.match(folded):
        base, ending = match.groups()
        if base in _CLOSED_ID:
            return _CLOSED_ID[base], _ID[_CONTRACTED[ending]]
        return (_ID["POSS"] if ending == "s" else _ID["OTHER"],)
    if token[0].isupper() and not first:
        return (_ID["NAME"],)
    return (next((_ID[name] for suffix, length, name in _SUFFIXES if len(folded) >= length and folded.endswith(suffix)), _ID["OTHER"]),)
