"""Gather items: the short production notes that everything else is about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """What a generation gives: three texts, the aspect asked for, and how it came about.

    Attributes:
        content: The note itself, the text that duplicates and quality are decided on.
        summary: One short line.
        context: Where the note belongs, what it answers to.
        aspect: Aspect of the department that was asked for.
        provenance: JSON-able record: task, version, prompt, model, parameters, context items used, `generated_by`.
    """

    content: str
    summary: str
    context: str
    aspect: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Item(NewItem):
    """A stored gather item."""

    id: str
    department: str
    iteration: int
    task_id: str
    project_id: str
    user_id: str | None = None
    created_at: str = ""

    def to_document(self) -> dict[str, Any]:
        """The document of collection `gather` (S001-MDB-06: automation metadata with each item)."""
        return {
            "_id": self.id,
            "project_id": self.project_id,
            "department": self.department,
            "iteration": self.iteration,
            "task_id": self.task_id,
            "user_id": self.user_id,
            "content": self.content,
            "summary": self.summary,
            "context": self.context,
            "aspect": self.aspect,
            "content_hash": content_hash(self.content),
            "automation": dict(self.provenance),
            "created_at": self.created_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Item:
        """The item of a document of collection `gather`."""
        return cls(
            id=document["_id"],
            project_id=document["project_id"],
            department=document["department"],
            iteration=document["iteration"],
            task_id=document["task_id"],
            user_id=document.get("user_id"),
            content=document["content"],
            summary=document["summary"],
            context=document["context"],
            aspect=document.get("aspect", ""),
            provenance=document.get("automation", {}),
            created_at=document.get("created_at", ""),
        )


def item_id(project_id: str, department: str, iteration: int, index: int) -> str:
    """Id of the index-th item of an iteration: 24 hexadecimal digits, the same on every rerun of that iteration."""
    return hashlib.sha256(f"{project_id}|{department}|{iteration}|{index}".encode()).hexdigest()[:24]


def content_hash(text: str) -> str:
    """SHA-256 of a text with case and white space evened out, in hexadecimal."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).hexdigest()
