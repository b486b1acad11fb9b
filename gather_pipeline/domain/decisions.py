"""Values of the duplicate decision: who was dropped, for what match, by which rule (S001-DUP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal["exact", "embedding", "lexical", "contained", "judge", "conflict", "adds", "content_filter", "person", "distinct"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about one new text.

    Attributes:
        duplicate: True where the text is dropped.
        rule: The rule that decided.
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
