"""Items as the scorer reads them: whose they are, what each says that is new, and what is counted about it once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import log1p

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.text.words import Token, frequency, tokens

NEAR = 0.6  # cosine from which an earlier note is about the same matter, so that its words are no news
DETAIL_HALF = 6.0  # new telling words: filler, drifting prose and named filler bring 5 to 8 a note, careful notes of 45 words 11 to 14
DETAIL_POWER = 2.5  # steep enough to part those two, and never flat: a richer text always has more
NUMBER_WORTH = 2.0  # a new number is worth two words, as in "12 m/s at 05:00": rank correlation with rated specificity rises
LONG_FROM, LONG_TO, LONG_SHARE = 12.0, 600.0, 0.15  # new telling words: a longer text goes on gaining where a note's detail is full
ECHO_WINDOW = 12  # telling words: about two sentences
ECHO_LOW, ECHO_HIGH = 0.03, 0.25  # careful notes lie at 0.0 to 0.06, drifting prose at 0.1 to 0.3
LEAST_WORTH = 0.5  # least worth of a word; the rest follows its rarity
READ_TEXTS = 8192  # what is counted of a text by itself is kept for so many: a department is scored anew after every ten notes


@dataclass(frozen=True, kw_only=True)
class Topic:
    """What a department's notes are held against.

    Attributes:
        aspects: What they should cover; none where the department has but a name.
        brief: The project's brief, empty for none.
    """

    aspects: tuple[str, ...] = ()
    brief: str = ""

    @classmethod
    def of(cls, department: Department, brief: str = "") -> Topic:
        """The topic of a department."""
        says = department.coordinationSettings.aspects or department.description.strip()
        return cls(aspects=tuple(department.aspects) if says else (), brief=brief)

    @cached_property
    def known(self) -> frozenset[str]:
        """Lemmas that a note gets no credit for, because the brief or an aspect has said them."""
        return telling(tokens(self.brief)).union(*(telling(tokens(aspect)) for aspect in self.aspects))


@dataclass(frozen=True, kw_only=True)
class Note:
    """One item with what is counted about it.

    Attributes:
        id: The item's id, its position as text where it has none.
        known: Lemmas that the brief, an aspect or an earlier note about the same matter has said.
        nearest: Highest cosine to an earlier note, 0 for the first.
    """

    id: str
    text: str
    vector: Vectors
    known: frozenset[str] = field(default=frozenset(), repr=False)
    nearest: float = 0.0

    @cached_property
    def detail(self) -> float:
        """How much it tells that nobody had said, 0 to 1: its new telling words, rarer ones for more, numbers for most."""
        mass = sum(worth for word, worth in worths(self.text).items() if word not in self.known)
        full = float(mass**DETAIL_POWER / (mass**DETAIL_POWER + DETAIL_HALF**DETAIL_POWER))
        return full * (1 - LONG_SHARE + LONG_SHARE * ramp(log1p(mass), log1p(LONG_FROM), log1p(LONG_TO)))

    def quote(self) -> str:
        """Its beginning in quotation marks."""
        return quoted(self.text, 60)


def quoted(text: str, limit: int) -> str:
    """The beginning of a text on one line, in quotation marks; cut at a word."""
    line = " ".join(text.split())
    return f"'{line}'" if len(line) <= limit else f"'{line[:limit].rsplit(' ', 1)[0]}...'"


@lru_cache(maxsize=READ_TEXTS)
def circling(text: str) -> float:
    """How far a text comes back to its own last words, 0 to 1, by the share of telling words that stood among the `ECHO_WINDOW` before."""
    words = [token.lemma for token in tokens(text) if token.telling]
    again = sum(word in words[max(0, place - ECHO_WINDOW) : place] for place, word in enumerate(words))
    return ramp(again / len(words), ECHO_LOW, ECHO_HIGH) if words else 0.0


def telling(found: Iterable[Token]) -> frozenset[str]:
    """Distinct lemmas of the words that carry content."""
    return frozenset(token.lemma for token in found if token.telling)


def rarity(word: str) -> float:
    """0 for a word of everyday speech ("good"), 1 for a rare one ("grommet")."""
    return ramp(6.0 - frequency(word), 0.0, 3.0)


@lru_cache(maxsize=READ_TEXTS)
def worths(text: str) -> Mapping[str, float]:
    """The distinct lemmas of a text's telling words, with what each is worth where it is new."""
    found: dict[str, float] = {}
    for token in tokens(text):
        if token.telling:
            known = token.name or frequency(token.lemma) > 0.0
            own = NUMBER_WORTH if token.kind == "number" else LEAST_WORTH + (1 - LEAST_WORTH) * rarity(token.lemma) if known else 0.0
            found[token.lemma] = max(own, found.get(token.lemma, 0.0))
    return found


def read_notes(
    items: Sequence[object],
    embedder: Embedder,
    topic: Topic,
    *,
    slug: str | None = None,
    project_id: str | None = None,
    vectors: Vectors | None = None,
) -> list[Note]:
    """Items of one department as notes in order, each in the light of the brief, the aspects and the notes before it.

    Args:
        items: `Item` objects or mappings with `content`, and maybe `id` and `department` (a slug, or a mapping with one).
        embedder: Embeds the contents where `vectors` is None.
        topic: What the notes are held against.
        slug: The department wanted; what names another one is left out (C31). None takes items of any.
        project_id: The project wanted, likewise.
        vectors: Embeddings of the contents of all items, row by row.

    Raises:
        InvalidInput: An item without content, or whose content is not a string.
    """
    read: list[tuple[int, str, str]] = []
    for place, item in enumerate(items):
        id, owner, project, content = _fields(item, place)
        if not isinstance(content, str):
            raise InvalidInput.field(f"items[{place}].content", content, "a text")
        if not (slug and owner and owner != slug) and not (project_id and project and str(project) != project_id):
            read.append((place, str(id), content))
    if not read:
        return []
    texts = [text for _, _, text in read]
    rows = embedder.embed(texts) if vectors is None else vectors[[place for place, _, _ in read]]
    words = [worths(text) for text in texts]
    notes = []
    for place, (_, id, text) in enumerate(read):
        cosines = rows[:place] @ rows[place]
        near = [words[other] for other in np.flatnonzero(cosines >= NEAR)]
        nearest = float(cosines.max()) if place else 0.0
        notes.append(Note(id=id, text=text, vector=rows[place], known=topic.known.union(*near), nearest=nearest))
    return notes


def _fields(item: object, place: int) -> tuple[object, object, object, object]:
    """Id, department, project and content of an item, each as it was given."""
    if isinstance(item, Item):
        return item.id, item.department, item.project_id, item.content
    if not isinstance(item, Mapping):
        raise InvalidInput.field(f"items[{place}]", item, "an item with content")
    owner = item.get("department")
    owner = owner.get("slug") if isinstance(owner, Mapping) else owner
    project = item.get("project_id") or item.get("projectId")
    return item.get("id") or item.get("_id") or place, owner, project, item.get("content")


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
