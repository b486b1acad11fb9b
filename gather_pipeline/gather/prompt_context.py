"""What a department's prompts see: the brief, its own items, its predecessors', and the nearest from the brain, within a token budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gather_pipeline.context.selection import Candidate, select
from gather_pipeline.context.tokens import estimate_tokens
from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item, content_hash
from gather_pipeline.errors import BrainUnavailable
from gather_pipeline.gather.session import Session
from gather_pipeline.ports import Document

PREDECESSOR_ITEMS = 6  # newest of each earlier department: enough to tell what it decided
BRAIN_ITEMS = 8
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


def format_gather_items(items: Sequence[Item] | Sequence[Mapping[str, object]]) -> str:
    """Items as one line each, for a prompt (S001-GEN-07); empty for no items."""
    return "\n".join(f"- {line}" for line in _lines(items))


def _lines(items: Sequence[Item] | Sequence[Mapping[str, object]]) -> list[str]:
    lines = []
    for item in items:
        department, text = (item.department, item.content) if isinstance(item, Item) else (item.get("department"), item["content"])
        lines.append(f"[{department}] {text}" if department else str(text))
    return lines


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
    candidates = [
        Candidate(id="brief", kind="brief", text=session.project.brief, priority="high", hash=content_hash(session.project.brief))
    ]
    candidates += [_candidate(item.id, "own", item.content, "medium") for item in reversed(own)]
    candidates += [_candidate(item.id, "predecessor", item.content, "medium") for item in reversed(earlier)]
    candidates += [_candidate(row["id"], "brain", row["content"], "low") for row in nearest]
    assembly = select(candidates, budget, estimate_tokens)
    texts = {part.id: part.text for part in assembly.included}
    return PromptContext(
        brief=texts["brief"],
        own=[item.content for item in own if item.id in texts],
        avoid=[item.summary for item in own if item.id not in texts][-AVOIDED:],
        predecessors=_lines([item for item in earlier if item.id in texts]),
        brain=_lines([row for row in nearest if row["id"] in texts]),
        used={candidate.id: candidate.hash for candidate in candidates[1:] if candidate.id in texts},
        ledger=assembly.ledger.to_rows(),
        faults=tuple(faults),
    )


def _candidate(id: str, kind: str, text: str, priority: str) -> Candidate:
    return Candidate(id=id, kind=kind, text=text, priority=priority, hash=content_hash(text))


def _from_brain(session: Session, department: Department, have: set[str], faults: list[str]) -> list[Document]:
    query = f"{department.name}: {department.description} {', '.join(department.aspects)}"
    try:
        found = session.services.brain.context(session.project.id, query, limit=BRAIN_ITEMS + len(have))
    except BrainUnavailable as error:
        # S001-ERR-01: without the brain the loop goes on with the store's items alone.
        faults.append(f"the brain did not answer ({error}), so its context is left out")
        return []
    return [row for row in found if row["id"] not in have][:BRAIN_ITEMS]
