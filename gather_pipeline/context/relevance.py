"""Ranks texts by how much they say about a query: by words and by meaning together, then without repetition.

Four things were measured on long dialogues with labelled evidence, and each pays (docs/decisions/0014): BM25 over dictionary forms without
function words; embeddings; both together, each relative to its best; and in a dialogue a part of each turn's score and meaning from the
turns around it, because an answer seldom says again what it was asked. Who is asked about by name is preferred among the speakers.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from gather_pipeline.ports import Embedder, Vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

AROUND = (0.4, 0.2, 0.1, 0.05)  # of a turn's score and vector, to the turns one, two, three and four away
SPEAKER = 0.15  # of the best score, for what a speaker says who is asked about
REPEAT = 0.1  # of the likeness to what is chosen already, against a text; more costs evidence in dialogues
POOL = 160  # texts among which repetition is looked for: about what 4,000 tokens of turns are, 2 ms
KEPT = 4  # indexes kept, each for as long as the same texts are asked
LINE_HEAD = 80  # characters in which a line's speaker is looked for
SPEAKS = re.compile(r"(?<![\w:])([^\W\d_][\w'.-]*(?: [^\W\d_][\w'.-]*){0,2})(?: ?[(\[][^)\]]*[)\]])?:\s")

TokenCounter = Callable[[str], int]  # tokens of a text, 0 of an empty one


@lru_cache(maxsize=65536)
def terms(text: str) -> tuple[str, ...]:
    """Dictionary forms of a text's words and its numbers, function words left out."""
    from gather_pipeline.text.words import FUNCTION, WORD, lemma  # not above: its dictionary is loaded with it, and few commands ask

    words = (word.replace("\u2019", "'").removesuffix("'s") for word in re.findall(rf"\d+|{WORD.pattern}", text.casefold()))
    return tuple(lemma(word) for word in words if word not in FUNCTION)


def speakers_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Who speaks in each of the lines of a dialogue, ``Ada: We leave at dawn``, also with a date before it or behind the name.

    Empty for all where most are no such lines: in a note like ``Light: all from the left`` no one speaks.
    """
    found = [SPEAKS.search(text[:LINE_HEAD]) for text in texts]
    is_dialogue = 2 * sum(line is not None for line in found) > len(found)
    return tuple(line.group(1) if line and is_dialogue else "" for line in found)


class Index:
    """Texts made ready to be asked; words, vectors and sizes are made when they are first needed, and kept.

    Args:
        texts: In an order in which neighbours belong together: that of time, either way round.
        said_by: Who says each, empty where it is no turn of a dialogue; read from the texts where it is empty for all.
        meanings: What is embedded for each.
    """

    def __init__(self, texts: tuple[str, ...], said_by: tuple[str, ...], meanings: tuple[str, ...]) -> None:
        self.given = texts, said_by, meanings
        self.texts, self.meanings = texts, meanings
        self._speakers = said_by if any(said_by) else speakers_of(texts)
        self._everyone = frozenset(self._speakers) - {""}
        self._sizes: tuple[TokenCounter, list[int]] | None = None
        self._words: Any = None
        self._vectors: tuple[str, Vectors] | None = None

    @cached_property
    def _says(self) -> NDArray[Any]:
        """Who says each, as an array."""
        import numpy as np  # here and below: a command that only reads starts without it

        return np.array(self._speakers)

    def sizes(self, counter: TokenCounter) -> list[int]:
        """Tokens of each text."""
        if self._sizes is None or self._sizes[0] is not counter:
            self._sizes = counter, [counter(text) for text in self.texts]
        return self._sizes[1]

    def order(self, query: str, embedder: Embedder) -> list[int]:
        """Places of the texts, those that say most about the query first and no thought twice before another."""
        import numpy as np

        vectors, asked = self._meaning(embedder), embedder.embed([query])[0]
        worth = relative(self._by_words(query)) + relative(vectors @ asked)
        if names := self._asked_about(query):
            worth += SPEAKER * np.isin(self._says, list(names))
        best = np.argsort(-worth, kind="stable")
        pool = best[:POOL]
        return [*(int(place) for place in pool[_spread(worth[pool], vectors[pool])]), *best[POOL:].tolist()]

    def _by_words(self, query: str) -> NDArray[Any]:
        import bm25s  # costs 0.2 s
        import numpy as np

        if self._words is None:
            logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
            self._words = bm25s.BM25()
            # A word that no text has keeps an index of empty texts from being refused.
            self._words.index([list(terms(text)) or [""] for text in self.texts], show_progress=False)
        asked = [term for term in terms(query) if term in self._words.vocab_dict]
        scores = self._words.get_scores(asked) if asked else np.zeros(len(self.texts), np.float32)
        return self._with_those_around(scores)

    def _meaning(self, embedder: Embedder) -> Vectors:
        import numpy as np

        if self._vectors is None or self._vectors[0] != embedder.name:
            rows = self._with_those_around(embedder.embed(self.meanings))
            self._vectors = embedder.name, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return self._vectors[1]

    def _with_those_around(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Each turn's row with a share of those of the turns before and after it."""
        import numpy as np

        turns, mixed = self._says != "", rows.copy()
        for away, share in enumerate(AROUND, start=1):
            first = np.flatnonzero(turns[away:] & turns[:-away])
            mixed[first + away] += share * rows[first]
            mixed[first] += share * rows[first + away]
        return mixed

    def _asked_about(self, query: str) -> frozenset[str]:
        """Speakers whose name is in the query; none where all of them are, for that tells nothing."""
        words = set(re.findall(r"\w+", query.casefold()))
        named = frozenset(speaker for speaker in self._everyone if words.intersection(speaker.casefold().split()))
        return named if named != self._everyone else frozenset()


_INDEXES: deque[Index] = deque(maxlen=KEPT)


def index_of(texts: tuple[str, ...], said_by: tuple[str, ...], meanings: tuple[str, ...]) -> Index:
    """The index of these texts, the same as before where the same texts are asked again."""
    for index in tuple(_INDEXES):
        if index.given == (texts, said_by, meanings):
            return index
    index = Index(texts, said_by, meanings)
    _INDEXES.append(index)
    return index


def relative(scores: NDArray[Any]) -> NDArray[Any]:
    """Scores as shares of the best of their column; 0 where none is above 0."""
    import numpy as np

    best = scores.max(axis=0, initial=0.0)
    return scores / np.where(best > 0, best, np.inf)


def _spread(worth: NDArray[Any], vectors: Vectors) -> list[int]:
    """Places in the order of maximal marginal relevance (Carbonell and Goldstein 1998)."""
    import numpy as np

    if not len(worth):
        return []
    alike = vectors @ vectors.T
    left = worth / max(float(worth[0]), 1e-9)
    nearest = np.zeros(len(worth), dtype=alike.dtype)
    chosen: list[int] = []
    for _ in range(len(worth)):
        place = int(np.argmax(left - REPEAT * nearest))
        chosen.append(place)
        left[place] = -np.inf
        np.maximum(nearest, alike[place], out=nearest)
    return chosen
