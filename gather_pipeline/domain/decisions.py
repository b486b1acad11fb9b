"""Values of the duplicate decision: who was dropped, for what match, by which rule (S001-DUP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gather_pipeline.domain.items import Item, NewItem

Rule = Literal["exact", "embedding", "lexical", "contained", "judge", "brain", "conflict", "adds", "content_filter", "person", "distinct"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about one new text.

    Attributes:
        duplicate: True where the text is dropped.
        similarity: Probability-like similarity to the match, 0 to 1.
        cosine: Cosine similarity of the two embeddings; None where the texts were never embedded.
        match_id: Id of the item it was compared with; None where nothing was near.
        match_content: Text of that item.
        reason: One sentence for a person.
    """

    duplicate: bool
    rule: Rule
    similarity: float
    cosine: float | None = None
    match_id: str | None = None
    match_content: str | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class DecidedText:
    """A text with the decision about it: all that a person needs to overrule it.

    Attributes:
        key: Key of the record.
        item_id: Id that the text's item has, or would have had.
        iteration: Iteration that made it, 0 for none.
        task_id: Run that made it, empty for none.
        place: Of the text in its batch.
    """

    key: str
    item_id: str
    department: str
    iteration: int
    task_id: str = ""
    place: int
    text: NewItem
    decision: Decision
    rules_version: str

    @classmethod
    def of_item(cls, item: Item, decision: Decision, rules_version: str) -> DecidedText:
        """The decision that set a stored item aside; `item` is the version after it."""
        return cls(
            key=set_aside_key(item),
            item_id=item.id,
            department=item.department,
            iteration=item.iteration,
            task_id=item.task_id,
            place=0,
            text=item,
            decision=decision,
            rules_version=rules_version,
        )


def decided_in(iteration: int, place: int, department: str, task_id: str) -> str:
    """Key of a decision that a run's iteration made."""
    return f"{department}|{iteration:06d}|{place:03d}|{task_id}"


def set_aside_key(item: Item) -> str:
    """Key of the decision that set a stored item aside; `item` is the version after it."""
    return f"{item.department}|{item.id}|{item.revision}"
