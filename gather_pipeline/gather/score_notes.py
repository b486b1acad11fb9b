"""Items as the scorer sees them: whose they are, what can be counted about each, and how much of a note is real content.

A note that is gibberish, a list of words, a copy of the brief or a repetition may hold rare and fitting words, so every part
of a score weighs a note by the measures here before it gives credit for anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from math import exp
from typing import TypeVar

import numpy as np
from rapidfuzz import fuzz

from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.text_statistics import Text, parse, runs, stem, text_of
from gather_pipeline.gather.word_order import order
from gather_pipeline.ports import Embedder, Vectors

Measure = TypeVar("Measure")

NAME_WORTH = 1.5  # a name or a number counts beyond its own rarity: with both, rank correlation with
NUMBER_WORTH = 2.0  # people's ratings of specificity was 0.74 to 0.78 on three public sets, without them 0.66 to 0.77
COPY_RUN = 6  # words: shorter runs are shared by chance between a brief and a note about it
SAME_COSINE = 0.92  # two notes this close say the same for a reader who wants to learn something new
SHORT_NOTE = 6  # words: "The lamp goes out at midnight" can be a note, fewer words hardly

# Words that fit every story and tell nothing about this one; a note made of them alone is boilerplate.
FILLER = """
story stories narrative plot plots character characters protagonist scene scenes film films movie audience audiences viewer viewers
reader readers project production department team moment moments journey experience experiences theme themes element elements aspect
aspects detail details idea ideas concept concepts feeling feelings emotion emotions emotional emotionally connection connections impact
depth tension atmosphere mood tone sense perspective context information content quality level approach way ways thing things something
everything anything someone everyone world life part parts kind sort lot stuff important importance essential crucial vital significant
necessary key interesting compelling engaging powerful strong meaningful impactful memorable unique special various different several
overall general good great best better nice beautiful amazing incredible fascinating intriguing complex nuanced rich layered authentic
captivating immersive dynamic stunning effective effectively successfully carefully properly deeply truly highly very really ensure create
creates creating develop develops developed explore explores explored exploring enhance enhances convey conveys establish establishes
consider focus focuses provide provides include includes contribute contributes highlight highlights emphasize emphasizes capture captures
reflect reflects resonate resonates evoke evokes inspire captivate immerse drive drives add adds throughout forward viewer's
"""
FILLER_STEMS = frozenset(stem(word, "en") for word in FILLER.split())

# What anybody may say of any film. Boilerplate of any wording lies at cosine 0.45 to 0.85 to one of these, notes that say
# something of their own at 0.0 to 0.4.
GENERAL_SENTENCES = (
    "This is very important for the story and should be done well.",
    "Every scene should engage the audience and move the story forward.",
    "It is essential to create compelling characters and a strong emotional connection with the viewer.",
    "The film should be memorable, meaningful and visually stunning.",
    "We need to make sure that everything is good and interesting.",
    "A well-crafted element enhances the overall experience and leaves a lasting impression.",
)
GENERAL_COSINE, GENERAL_WIDTH = 0.45, 0.03


@dataclass(frozen=True, kw_only=True)
class Note:
    """One item with its counts.

    Attributes:
        id: The item's id, its position as text where it has none.
        text: The content.
        aspect: Aspect that was asked for, empty where unknown.
        novelty: Share of the note that earlier notes have not said, 0 to 1.
        copied: Share of its words that stand in the brief, word for word in runs of `COPY_RUN`.
        general: How surely it only says what fits every film, 0 to 1.
        relevance: How surely it belongs to the project and department, 0 to 1; 1 where nothing says what they are about.
        vector: Embedding of the content.
        sentence_vectors: Embeddings of its sentences, row by row.
    """

    id: str
    text: Text
    aspect: str = ""
    novelty: float = 1.0
    copied: float = 0.0
    general: float = 0.0
    relevance: float = 1.0
    vector: Vectors
    sentence_vectors: Vectors

    @cached_property
    def order(self) -> float | None:
        """How English the word order is, 0 to 1; None where that cannot be told."""
        return order(self.text.sentences) if self.text.language == "en" else None

    @cached_property
    def soundness(self) -> float:
        """1 for running text, less for word lists, near 0 for keyboard noise or one word said again and again."""
        if not self.text.words or not self.text.readable:
            return 0.0
        share = self.text.function_share
        if share is None:
            grammar = 1.0
        elif self.text.language == "en":
            grammar = max(0.4, ramp(share, 0.0, 0.2))  # English prose lies at 0.3 to 0.6, terse notes at 0.1, keywords at 0
        else:
            grammar = max(0.4, ramp(share, -0.1, 0.1))  # languages without articles have fewer grammar words
        variety = ramp(len(set(self.text.words)) / len(self.text.words), 0.15, 0.45)
        ordered = 1.0 if self.order is None else 0.25 + 0.75 * ramp(self.order, 0.1, 0.5)  # terse notes may lie at one half
        return grammar * max(variety, 0.05) * ordered

    @cached_property
    def mass(self) -> float:
        """Information in the note: the rarity of its distinct telling words, with names and numbers on top."""
        return self.mass_beyond(frozenset())

    def mass_beyond(self, known: frozenset[str]) -> float:
        """The same, without the stems that the reader knows already (the words of the aspects, for example)."""
        told = sum(worth for root, worth in self.text.content.items() if root not in FILLER_STEMS and root not in known)
        names = sum(stem(name.casefold(), self.text.language) not in known for name in self.text.names)
        return told + NAME_WORTH * names + NUMBER_WORTH * len(self.text.numbers)

    @cached_property
    def worth(self) -> float:
        """What a reader can take from the note at all, 0 to 1: sound, new, its own words, and on the subject."""
        length = ramp(len(self.text.words), 0, SHORT_NOTE)
        return self.soundness * length * self.novelty * (1 - 0.9 * self.copied) * (1 - 0.8 * self.general) * self.relevance

    def quote(self, limit: int = 60) -> str:
        """Its beginning in quotation marks."""
        line = " ".join(self.text.raw.split())
        return f"'{line}'" if len(line) <= limit else f"'{line[:limit].rsplit(' ', 1)[0]}...'"


def once(measure: Callable[[Note], Measure]) -> Callable[[Note], Measure]:
    """Keeps what a function of a note alone says for as long as the note lives, as `cached_property` does."""
    name = f"{measure.__module__}.{measure.__qualname__}"

    @wraps(measure)
    def kept(note: Note) -> Measure:
        known = vars(note)
        if name not in known:
            known[name] = measure(note)
        found: Measure = known[name]
        return found

    return kept


@dataclass(frozen=True, kw_only=True)
class RawNote:
    """An item as it came in, checked."""

    id: str
    text: Text
    aspect: str
    place: int


def read_department(department: Department | Mapping[str, object]) -> Department:
    """The department of a CMS row.

    Raises:
        InvalidInput: The row is not a department.
    """
    return department if isinstance(department, Department) else parse_departments([department], "department")[0]


def read_items(items: Iterable[object], *, slug: str | None = None, project_id: str | None = None) -> list[RawNote]:
    """Items of one department; what names another department or project is left out (C31).

    Args:
        items: `Item` objects or mappings with `content`, and maybe `id`, `department` (a slug, or a mapping with one), `aspect`.
        slug: The department wanted; None takes items of any.
        project_id: The project wanted; None takes items of any.

    Raises:
        InvalidInput: An item without content, or whose content is not a string.
    """
    found = []
    for place, item in enumerate(items):
        id, owner, own_project, content, aspect = _fields(item, place)
        text = parse(content, f"items[{place}].content")
        if (slug and owner and owner != slug) or (project_id and own_project and str(own_project) != project_id):
            continue
        found.append(RawNote(id=str(id), text=text, aspect=str(aspect or ""), place=place))
    return found


def _fields(item: object, place: int) -> tuple[object, object, object, object, object]:
    """Id, department, project, content and aspect of an item, each as it was given."""
    if isinstance(item, Item):
        return item.id, item.department, item.project_id, item.content, item.aspect
    if not isinstance(item, Mapping):
        raise InvalidInput.field(f"items[{place}]", item, "an item with content")
    owner = item.get("department")
    owner = owner.get("slug") if isinstance(owner, Mapping) else owner
    project = item.get("project_id") or item.get("projectId")
    return item.get("id") or item.get("_id") or place, owner, project, item.get("content"), item.get("aspect")


class NoteMaker:
    """Makes notes of items in order, each in the light of those before it, of the brief, and of `GENERAL_SENTENCES`.

    Args:
        brief: The project's brief, empty for none.
        general: Embeddings of `GENERAL_SENTENCES`; None leaves that measure out.
    """

    def __init__(self, brief: str = "", general: Vectors | None = None) -> None:
        self._brief_runs = {run for run in runs(text_of(brief).words, COPY_RUN) if len(run) == COPY_RUN}
        self._general = general
        self._told: set[tuple[str, ...]] = set()
        self._texts: list[Text] = []

    def add(self, one: RawNote, vectors: Vectors, sentence_vectors: Vectors) -> Note:
        """The next note.

        Args:
            one: Its item.
            vectors: Embeddings of all items so far, this one's last.
            sentence_vectors: Embeddings of its sentences.
        """
        before, vector = vectors[:-1], vectors[-1]
        cosines = before @ vector if len(before) else np.zeros(0, dtype=np.float32)
        near = [self._texts[int(place)] for place in np.flatnonzero(cosines >= SAME_COSINE)]
        general = 0.0 if self._general is None else rise(float((self._general @ vector).max()), GENERAL_COSINE, GENERAL_WIDTH)
        self._texts.append(one.text)
        return Note(
            id=one.id,
            text=one.text,
            aspect=one.aspect,
            novelty=_novelty(one.text, self._told, near),
            general=general,
            copied=_copied(one.text.words, self._brief_runs),
            vector=vector,
            sentence_vectors=sentence_vectors,
        )


def sentences_of(raw: Sequence[RawNote]) -> list[str]:
    """Distinct sentences of all notes, for one call of the embedder."""
    return list(dict.fromkeys(sentence for one in raw for sentence in one.text.sentences))


def embed_all(embedder: Embedder, texts: Iterable[str]) -> dict[str, Vectors]:
    """Vector of each distinct text, in one call."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, embedder.embed(distinct), strict=True))


def faults(notes: Sequence[Note]) -> list[str]:
    """Why notes counted less than they might, one sentence a fault."""
    kinds = {
        "Not readable as words": [note for note in notes if note.text.words and not note.text.readable],
        "Hardly a sentence": [note for note in notes if len(note.text.words) < SHORT_NOTE - 1],
        "A list of words, or jumbled": [
            note for note in notes if note.text.readable and len(note.text.words) >= SHORT_NOTE - 1 and note.soundness < 0.4
        ],
        "Said by an earlier note": [note for note in notes if note.novelty < 0.5],
        "Only general things": [note for note in notes if note.general > 0.5],
        "Copied from the brief": [note for note in notes if note.copied > 0.5],
        "Far from the department and the brief": [note for note in notes if note.relevance < 0.4],
    }
    return [f"{kind}: {len(found)} of {len(notes)} notes, e.g. {found[0].quote()}." for kind, found in kinds.items() if found]


def ramp(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high`, straight between."""
    return min(1.0, max(0.0, (value - low) / (high - low)))


def rise(value: float, middle: float, width: float) -> float:
    """Logistic step from 0 to 1, one half at `middle`."""
    return 1 / (1 + exp(-(value - middle) / width))


def saturate(value: float, half: float, power: float = 1.5) -> float:
    """From 0 towards 1, one half at `half`, and never flat: a richer text always scores more."""
    return value**power / (value**power + half**power) if value > 0 else 0.0


def _copied(words: Sequence[str], brief_runs: set[tuple[str, ...]]) -> float:
    covered = [False] * len(words)
    for start in range(len(words) - COPY_RUN + 1):
        if tuple(words[start : start + COPY_RUN]) in brief_runs:
            covered[start : start + COPY_RUN] = [True] * COPY_RUN
    return sum(covered) / len(words) if words else 0.0


def _novelty(text: Text, told: set[tuple[str, ...]], near: Sequence[Text]) -> float:
    """Share of a note that is new, against the runs of words told so far (which it joins) and the notes of nearly its meaning."""
    own = set(runs(text.stems, 3))
    if not own:
        return 1.0
    fresh = 1 - len(own & told) / len(own)
    told |= own
    alike = max((fuzz.token_sort_ratio(text.raw, other.raw) / 100 for other in near), default=0.0)
    return min(fresh, 1 - ramp(alike, 0.4, 0.9))  # close vectors may still differ in what counts, hence the words too
