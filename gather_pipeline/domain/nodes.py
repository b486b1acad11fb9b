"""What a brain is told and asked: items as its nodes, what it finds, and how far it sees a department covered (S001-BRAIN)."""

from __future__ import annotations

from dataclasses import dataclass

from gather_pipeline.domain.items import Item


@dataclass(frozen=True, kw_only=True)
class Node:
    """An item as a brain knows it.

    Attributes:
        version: Number of the item's version; id and version together are indexed once, however often they are sent.
        is_active: False where the item was deleted or dropped, and is to be forgotten.
    """

    id: str
    department: str
    content: str
    summary: str
    context: str = ""
    version: int = 1
    is_active: bool = True

    @classmethod
    def of(cls, item: Item) -> Node:
        """The node of an item."""
        texts = {"content": item.content, "summary": item.summary, "context": item.context}
        return cls(id=item.id, department=item.department, version=item.revision, is_active=item.is_active, **texts)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How far a department's aspects are covered.

    Attributes:
        score: 0 to 100.
        least_covered: Aspects, the least covered first.
    """

    score: float
    least_covered: tuple[str, ...] = ()
