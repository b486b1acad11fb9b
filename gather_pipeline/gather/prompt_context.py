"""What a department's prompts see: the brief, its own items, its predecessors', and the nearest from the brain, within a token budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gather_pipeline.context.selection import Assembly, Candidate, Kind, Priority, select
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.errors import BrainUnavailable
from gather_pipeline.gather.session import Session
from gather_pipeline.gather.writers.openings import digest
from gather_pipeline.ports import Remembered
from gather_pipeline.text.sentences import sentence_ends

PREDECESSOR_ITEMS = 6  # newest of each earlier department: enough to tell what it decided
BRAIN_ITEMS = 8
SMALL_TOKENS = 80  # two or three lines of predecessors for a small window
LEAST_TOKENS = 20  # of a note: of own items so many are weighed as notes of that size would fit into the budget
AVOIDED = 20  # summaries of own items beyond the budget


@dataclass(frozen=True, kw_only=True)
class PromptContext:
    """The texts for a prompt, and what they were made of.

    Attributes:
        brief: The brief, shortened at a sentence where the budget asks for it.
        own: Own items.
        avoid: Summaries of own items that did not fit, so that they are not said again.
        predecessors: Items of earlier departments, each with its department.
        brain: Nearest items, likewise.
        used: Content hash by id of the items included.
        ledger: What was included, shortened or dropped, with tokens and reason.
        faults: What could not be asked.
    """

    brief: str
    own: list[str]
    avoid: list[str]
    predecessors: list[str]
    brain: list[str]
    used: Mapping[str, str]
    ledger: Sequence[Mapping[str, object]]
    faults: tuple[str, ...] = ()


def format_gather_items(items: Sequence[Item | Remembered]) -> str:
    """Items as one line each, for a prompt (S001-GEN-07); empty for no items."""
    return "\n".join(f"- {line}" for line in _lines(items))


def _lines(items: Sequence[Item | Remembered]) -> list[str]:
    return [f"[{item.department}] {item.content}" for item in items]


def assemble(session: Session, department: Department, before: Sequence[Department], budget: int) -> PromptContext:
    """Chooses what fits into the budget: the brief always, then own items, predecessors' and the brain's, newest or nearest first.

    Args:
        session: The run.
        department: Department whose prompt it is.
        before: Departments that ran earlier, in order.
        budget: Most tokens of all parts together.
    """
    faults: list[str] = []
    own = session.items.get(department.slug, [])
    earlier = [item for one in before for item in session.items.get(one.slug, [])[-PREDECESSOR_ITEMS:]]
    nearest = _from_brain(session, department, {item.id for item in (*own, *earlier)}, faults)
    candidates = [_brief(session, fitting(session.project.brief, budget))]
    candidates += [_candidate(item.id, "own", item.content, "medium") for item in reversed(own[-(budget // LEAST_TOKENS) :])]
    candidates += [_candidate(item.id, "predecessor", item.content, "medium") for item in reversed(earlier)]
    candidates += [_candidate(one.id, "brain", one.content, "low") for one in nearest]
    assembly = select(candidates, budget, estimate_tokens)
    texts = {part.id: part.text for part in assembly.included}
    return PromptContext(
        brief=texts["brief"],
        own=[item.content for item in own if item.id in texts],
        avoid=[item.summary for item in own if item.id not in texts][-AVOIDED:],
        predecessors=_lines([item for item in earlier if item.id in texts]),
        brain=_lines([one for one in nearest if one.id in texts]),
        used=_used(assembly),
        ledger=[asdict(entry) for entry in assembly.ledger],
        faults=tuple(faults),
    )


def assemble_small(session: Session, before: Sequence[Department]) -> PromptContext:
    """Context for a small window: the brief's first sentences, and in a line each what the departments just before have settled."""
    brief = digest(session.project.brief)
    latest = [session.items[one.slug][-1] for one in reversed(before) if session.items.get(one.slug)]
    candidates = [_brief(session, brief), *(_candidate(item.id, "predecessor", item.summary, "medium", item.content) for item in latest)]
    assembly = select(candidates, estimate_tokens(brief) + SMALL_TOKENS, estimate_tokens)
    return PromptContext(
        brief=brief,
        own=[],
        avoid=[],
        predecessors=assembly.texts("predecessor"),
        brain=[],
        used=_used(assembly),
        ledger=[asdict(entry) for entry in assembly.ledger],
    )


def fitting(brief: str, budget: int) -> str:
    """The brief, cut at a word where it has not even a first sentence that fits: one line without a full stop, say."""
    ends = sentence_ends(brief, lines=True)
    first = brief[: ends[0]] if ends else brief
    while estimate_tokens(first) > budget:
        brief = first = first[: len(first) * 3 // 4].rsplit(" ", 1)[0]
    return brief


def _used(assembly: Assembly) -> dict[str, str]:
    return {part.id: part.hash for part in assembly.included if part.kind != "brief"}


def _brief(session: Session, text: str) -> Candidate:
    return Candidate(id="brief", kind="brief", text=text, priority="high", hash=content_hash(session.project.brief))


def _candidate(id: str, kind: Kind, text: str, priority: Priority, content: str | None = None) -> Candidate:
    return Candidate(id=id, kind=kind, text=text, priority=priority, hash=content_hash(content or text))


def _from_brain(session: Session, department: Department, have: set[str], faults: list[str]) -> list[Remembered]:
    query = f"{department.name}: {department.description} {', '.join(department.aspects)}"
    try:
        found = session.services.brain.context(session.project.id, query, limit=BRAIN_ITEMS + len(have))
    except BrainUnavailable as error:
        # S001-ERR-01: without the brain the loop goes on with the store's items alone.
        faults.append(f"the brain did not answer ({error}), so its context is left out")
        return []
    return [one for one in found if one.id not in have][:BRAIN_ITEMS]
