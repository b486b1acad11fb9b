"""Items as the scorer reads them: whose they are, what each says that is new, and what is counted about it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log1p

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.quality import Analysis
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Embedder, Vectors
from gather_pipeline.quality.analysis import analyse
from gather_pipeline.quality.statistics import Numbers, quoted, ramps, telling
from gather_pipeline.text.words import tokens

BLOCK = 512  # notes whose cosines to all earlier ones are in memory at once
NEAR = 0.6  # cosine from which an earlier note is about the same matter, so that its words are no news
DETAIL_HALF = 6.0  # new telling words: filler, drifting prose and named filler bring 5 to 8 a note, careful notes of 45 words 11 to 14
DETAIL_POWER = 2.5  # steep enough to part those two, and never flat: a richer text always has more
LONG_FROM, LONG_TO, LONG_SHARE = 12.0, 600.0, 0.15  # new telling words: a longer text goes on gaining where a note's detail is full


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
class Notes:
    """Items of a department in order, each with what is counted about it; arrays have one row a note.

    Attributes:
        ids: The items' ids, their positions as text where they have none.
        analyses: What is counted of each by itself.
        vectors: Embeddings, shape (n, d).
        mass: What its words are worth that neither the brief, an aspect nor an earlier note about the same matter has said.
        nearest: Highest cosine to an earlier note, 0 for the first.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    analyses: Sequence[Analysis] = field(repr=False)
    vectors: Vectors
    mass: Numbers
    nearest: Numbers

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def detail(self) -> Numbers:
        """How much each tells that nobody had said, 0 to 1: its new telling words, rarer ones for more, numbers for most."""
        full: Numbers = self.mass**DETAIL_POWER / (self.mass**DETAIL_POWER + DETAIL_HALF**DETAIL_POWER)
        return full * (1 - LONG_SHARE + LONG_SHARE * ramps(np.log1p(self.mass), log1p(LONG_FROM), log1p(LONG_TO)))

    def quote(self, place: int) -> str:
        """The beginning of a note in quotation marks."""
        return quoted(self.texts[place], 60)


def read_notes(
    items: Sequence[object],
    embedder: Embedder,
    topic: Topic,
    *,
    slug: str | None = None,
    project_id: str | None = None,
    vectors: Vectors | None = None,
    analyses: Sequence[Analysis] | None = None,
) -> Notes:
    """Items of one department as notes in order, each in the light of the brief, the aspects and the notes before it.

    Args:
        items: `Item` objects or mappings with `content`, and maybe `id` and `department` (a slug, or a mapping with one).
        embedder: Embeds the contents where `vectors` is None.
        topic: What the notes are held against.
        slug: The department wanted; what names another one is left out (C31). None takes items of any.
        project_id: The project wanted, likewise.
        vectors: Embeddings of the contents of all items, row by row.
        analyses: What `analyse` gives of the contents of all items; made here where None.

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
    places = [place for place, _, _ in read]
    rows = embedder.embed([text for _, _, text in read]) if vectors is None else vectors[places]
    of_text = [analyses[place] if analyses else analyse(text, topic.brief) for place, _, text in read]
    mass, nearest = _news(of_text, rows, topic.known)
    return Notes(
        ids=[id for _, id, _ in read], texts=[text for _, _, text in read], analyses=of_text, vectors=rows, mass=mass, nearest=nearest
    )


def _news(analyses: Sequence[Analysis], rows: Vectors, known: frozenset[str]) -> tuple[Numbers, Numbers]:
    """Of each note what its news are worth, and its highest cosine to an earlier note.

    In blocks, for a department may have tens of thousands of notes; sets of notes are whole numbers, one bit a note.
    """
    mass, nearest = np.zeros(len(rows)), np.zeros(len(rows))
    having: dict[str, int] = {}
    for start in range(0, len(rows), BLOCK):
        cosines = rows[start : start + BLOCK] @ rows[: start + BLOCK].T
        near = np.packbits(cosines >= NEAR, axis=1, bitorder="little")
        for place in range(start, min(start + BLOCK, len(rows))):
            is_near = int.from_bytes(near[place - start].tobytes(), "little")
            for word, worth in analyses[place].worths.items():
                if word in known:
                    continue
                earlier = having.get(word, 0)
                if not earlier & is_near:
                    mass[place] += worth
                having[word] = earlier | 1 << place
            if place:
                nearest[place] = cosines[place - start, :place].max()
    return mass, nearest


def contradictions(analyses: Sequence[Analysis]) -> tuple[str, ...]:
    """Every contradiction between a note and the brief as a sentence, at most one a sentence and kind, in the order of the notes."""
    found: dict[tuple[str, str], str] = {}
    for analysis in analyses:
        for sentence, kind, clash in analysis.clashes:
            found.setdefault((sentence, kind), clash)
    return tuple(found.values())


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
