"""Drafts: proposed changes that wait for a person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A department's summary, proposed for review.

    Attributes:
        text: Markdown; empty where it is withdrawn.
        status: Withdrawn where the items that it was made of are gone.
        quality_score: Quality of the department when it was made, None where it was never scored.
        item_ids: Items that it was made of, in order.
        data_version: Version of these items, see `items.version_of`.
        draft_version: Version of the rules that made it.
        revision: How often the department's draft was written.
    """

    department: str
    title: str
    text: str
    status: Literal["pending", "withdrawn"]
    quality_score: float | None
    threshold: float
    item_ids: tuple[str, ...]
    data_version: str
    draft_version: str
    created_at: str
    revision: int = 0
