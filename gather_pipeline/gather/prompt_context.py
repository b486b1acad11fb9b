"""What a department's prompts see: the brief, its own items, its predecessors', and the nearest from the brain, within a token budget."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from gather_pipeline.context.budget import allocate
from gather_pipeline.context.distillation import distil
from gather_pipeline.context.relevance import TokenCounter, relative
from gather_pipeline.context.selection import Assembly, Candidate, fitting, select
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.domain.layers import Kind, Priority
from gather_pipeline.domain.ledger import Ledger
from gather_pipeline.errors import GatherError
from gather_pipeline.gather.session import Session
from gather_pipeline.ports import Distiller, Remembered, Vectors
from gather_pipeline.quality.statistics import telling
from gather_pipeline.tasks.plugins import plugins
from gather_pipeline.text.sentences import first_sentences
from gather_pipeline.text.words import tokens

BRAIN_ITEMS = 8
SHORT_NOTE = 40  # tokens: as many notes are weighed for each aspect as would fill the budget were they as short
SMALL_POOL = 100  # items of predecessors weighed for a small window
SMALL_TOKENS = 80  # two or three lines of predecessors for a small window
AVOIDED = 20  # summaries of own items beyond the budget
BRIEF = "brief"


@dataclass(frozen=True, kw_only=True)
class PromptContext:
    """The texts for a prompt, and what they were made of.

    Attributes:
        brief: The brief, shortened at a sentence where the budget asks for it.
        own: Own items.
        avoid: Summaries of own items that did not fit, those nearest to what is asked, so that they are not said again.
        predecessors: Items of earlier departments, each with its department.
        brain: Nearest items, likewise, and what other sources gave.
        ledger: What was included, shortened or dropped, with tokens and reason.
    """

    brief: str
    own: list[str]
    avoid: list[str]
    predecessors: list[str]
    brain: list[str]
    ledger: Ledger

    @property
    def used(self) -> dict[str, str]:
        """Content hash by id of the items included."""
        entries = (entry for entry in self.ledger.entries if entry.kind not in ("brief", "source"))
        return {entry.id: entry.hash for entry in entries if entry.state != "dropped"}


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """What the prompts of one iteration see, chosen for each by the aspects that it asks for.

    Attributes:
        choose: Makes the context of a prompt.
        faults: What could not be asked.
    """

    choose: Callable[[tuple[str, ...]], PromptContext]
    faults: tuple[str, ...] = ()
    _made: dict[tuple[str, ...], PromptContext] = field(default_factory=dict)

    def about(self, aspects: tuple[str, ...]) -> PromptContext:
        """The context of the prompt that asks for these aspects, made once."""
        if aspects not in self._made:
            self._made[aspects] = self.choose(aspects)
        return self._made[aspects]

    @property
    def used(self) -> dict[str, str]:
        """Content hash by id of the items that any of the prompts included."""
        return {id: hash for context in self._made.values() for id, hash in context.used.items()}

    @property
    def ledgers(self) -> tuple[Ledger, ...]:
        """The account of every prompt; prompts with the same one share it."""
        found: list[Ledger] = []
        for aspects, context in self._made.items():
            at = next((place for place, one in enumerate(found) if one.entries == context.ledger.entries), None)
            if at is None:
                found.append(replace(context.ledger, aspects=aspects))
            else:
                found[at] = replace(found[at], aspects=(*found[at].aspects, *aspects))
        return tuple(found)


def format_gather_items(items: Sequence[Item | Remembered]) -> str:
    """Items as one line each, for a prompt (S001-GEN-07); empty for no items."""
    return "\n".join(f"- {line}" for line in _lines(items))


def _lines(items: Sequence[Item | Remembered]) -> list[str]:
    return [f"[{item.department}] {item.content}" for item in items]


def assemble(
    session: Session,
    department: Department,
    before: Sequence[Department],
    budget: int,
    counter: TokenCounter,
    distiller: Distiller | None = None,
) -> Contexts:
    """Chooses for each prompt what fits into the budget: the brief always, and what says most about the department and the aspects.

    A brief that does not fit goes in distilled to half of the budget; where nobody can do that, cut at a sentence (C54).

    Args:
        session: The run.
        department: Department whose prompts they are.
        before: Departments that ran earlier, in order.
        budget: Most tokens of all parts of a prompt together.
        counter: Counts tokens.
        distiller: Shortens a brief that does not fit; None for none.
    """
    faults: list[str] = []
    slugs = [one.slug for one in before]
    own = _about_aspects(session, department, [department.slug], budget // SHORT_NOTE)
    earlier = _about_aspects(session, department, slugs, budget // SHORT_NOTE)
    seen = {item.id for slug in (department.slug, *slugs) for item in session.items.get(slug, [])}
    nearest = _from_brain(session, department, seen)
    distilled = _distilled(session, budget, counter, distiller, faults)
    candidates = [_brief(session, fitting(session.project.brief, budget, counter))]
    candidates += [_candidate(item, "own", item.content) for item in own]
    candidates += [_candidate(item, "predecessor", line) for item, line in zip(earlier, _lines(earlier), strict=True)]
    candidates += [_candidate(one, "brain", line, "low") for one, line in zip(nearest, _lines(nearest), strict=True)]
    candidates += _from_sources(session, department, faults)
    shares = allocate(budget, session.services.settings.context_layers).shares
    summaries, embedder = {item.id: item.summary for item in own}, _Embedded(session)
    whole = counter(session.project.brief)

    def choose(aspects: tuple[str, ...]) -> PromptContext:
        query = _query(department, aspects)
        assembly = select(candidates, budget, counter, query=query, embedder=embedder, shares=shares, distilled=distilled)
        left_out = (entry.id for entry in sorted(assembly.ledger.entries, key=lambda one: one.rank) if entry.state == "dropped")
        avoid = [summaries[id] for id in left_out if id in summaries][:AVOIDED]
        return _context(assembly, whole, avoid=avoid, unlisted=len(seen) - len(own) - len(earlier))

    return Contexts(choose=choose, faults=tuple(faults))


def assemble_small(session: Session, department: Department, before: Sequence[Department], counter: TokenCounter) -> Contexts:
    """Context for a small window: the brief's first sentences, and in a line each what earlier departments have settled on this one.

    One for all prompts of an iteration: what stays the same is read once by the model, which is most of the time of a call.
    """
    brief = first_sentences(session.project.brief)
    earlier = _about_aspects(session, department, [one.slug for one in before], SMALL_POOL)[::-1]
    candidates = [_brief(session, brief), *(_candidate(item, "predecessor", item.summary) for item in earlier)]
    budget = counter(brief) + SMALL_TOKENS
    query = _query(department, department.aspects)
    context = _context(select(candidates, budget, counter, query=query, embedder=_Embedded(session)), counter(session.project.brief))
    return Contexts(choose=lambda aspects: context)


def _query(department: Department, aspects: Sequence[str]) -> str:
    return f"{department.name}: {', '.join(aspects)}. {department.description}"


def _about_aspects(session: Session, department: Department, slugs: Sequence[str], most: int) -> list[Item]:
    """Items of these departments, in order: so many that say most about each of a department's aspects; all where there are no more.

    By meaning, and by the words that are stored with their analyses: reading a note costs a hundred times what its cosine does, and a grown
    project has thousands for a prompt that takes a hundred.
    """
    items = [item for slug in slugs for item in session.items.get(slug, [])]
    if len(items) <= most:
        return items
    import numpy as np  # not above: a command that only reads starts without it

    queries = [_query(department, [aspect]) for aspect in department.aspects]
    rows = np.concatenate([session.vectors_of(slug) for slug in slugs if session.items.get(slug)])
    words = [one.worths.keys() for slug in slugs for one in session.analyses.of(slug, session.items.get(slug, []))]
    scores = relative(rows @ session.services.embedder.embed(queries).T) + relative(_by_words(words, queries))
    best = np.argpartition(scores, -most, axis=0)[-most:]
    return [items[place] for place in np.unique(best).tolist()]


def _by_words(words: Sequence[Set[str]], queries: Sequence[str]) -> Vectors:
    """How rare, among these notes, the words are that each shares with each query; float32 of shape (notes, queries)."""
    import numpy as np

    asked = [telling(tokens(query)) for query in queries]
    shared = [frozenset().union(*asked) & own for own in words]
    having = Counter(word for own in shared for word in own)
    rarity = {word: math.log1p((len(words) - many + 0.5) / (many + 0.5)) for word, many in having.items()}  # as BM25 has it
    return np.array([[sum(rarity[word] for word in own & query) for query in asked] for own in shared], np.float32)


class _Embedded:
    """The embedder of a run, which has the vectors of the run's items at hand."""

    def __init__(self, session: Session) -> None:
        self._embedder, self._known = session.services.embedder, session.known
        self.name = self._embedder.name

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As `Embedder.embed`."""
        import numpy as np  # not above: a command that only reads starts without it

        contents, twins = self._known.contents, [self._known.twins(content_hash(text)) for text in texts]
        places = [next((place for place in own if contents[place] == text), None) for text, own in zip(texts, twins, strict=True)]
        new = iter(self._embedder.embed([text for text, place in zip(texts, places, strict=True) if place is None]))
        return np.stack([next(new) if place is None else self._known.vectors[place] for place in places])


def _context(assembly: Assembly, whole: int, avoid: Sequence[str] = (), unlisted: int = 0) -> PromptContext:
    """The context of an assembly; its ledger tells of a brief that was cut before the choice what it was cut from: `whole` tokens."""
    ledger = assembly.ledger
    brief = ledger.entries[0]
    if brief.full_tokens < whole:
        told = f"{brief.priority}: shortened at a sentence from {whole} to {brief.tokens} tokens"
        ledger = replace(ledger, entries=(brief._replace(state="distilled", full_tokens=whole, reason=told), *ledger.entries[1:]))
    return PromptContext(
        brief=assembly.texts("brief")[0],
        own=assembly.texts("own"),
        avoid=list(avoid),
        predecessors=assembly.texts("predecessor"),
        brain=[*assembly.texts("brain"), *assembly.texts("source")],
        ledger=replace(ledger, unlisted=unlisted),
    )


def _brief(session: Session, text: str) -> Candidate:
    return Candidate(id=BRIEF, kind="brief", text=text, priority="high", hash=content_hash(session.project.brief))


def _candidate(item: Item | Remembered, kind: Kind, text: str, priority: Priority = "medium") -> Candidate:
    return Candidate(id=item.id, kind=kind, text=text, priority=priority, hash=content_hash(item.content), meaning=item.content)


def _distilled(session: Session, budget: int, counter: TokenCounter, distiller: Distiller | None, faults: list[str]) -> Mapping[str, str]:
    """The brief in fewer words, by its id, where it does not fit and somebody can shorten it."""
    if distiller is None or counter(session.project.brief) <= budget:
        return {}
    given = [_brief(session, session.project.brief)]
    try:
        found = session.wait(distil(given, budget // 2, distiller, counter, cache=session.services.cache))
        why = None if found else "what the model made of it is far too short"
    except GatherError as error:  # also one that ends the run, which is told where the run looks for it
        found, why = {}, str(error)
    if why:
        faults.append(f"the brief was not distilled ({why}), so it is cut at a sentence")
    return found


def _from_sources(session: Session, department: Department, faults: list[str]) -> list[Candidate]:
    """What the context sources of other packages say of a department."""
    found: list[Candidate] = []
    for name, source in plugins("context_sources", faults.append).items():
        try:
            texts = [str(text) for text in source(session.project.id, department.slug, _query(department, department.aspects))]
        except Exception as error:
            faults.append(f"the context source {name} failed ({type(error).__name__}: {error}), so it is left out")
            continue
        found += [
            Candidate(id=f"{name}:{content_hash(text)[:12]}", kind="source", text=f"[{name}] {text}", priority="low") for text in texts
        ]
    return found


def _from_brain(session: Session, department: Department, have: set[str]) -> list[Remembered]:
    found = session.brain.context(_query(department, department.aspects), department=department.slug, limit=BRAIN_ITEMS + len(have))
    return [one for one in session.as_here(found) if one.id not in have][:BRAIN_ITEMS]
