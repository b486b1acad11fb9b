"""What new texts are compared with: the stored notes of a project, with their texts, hashes and vectors in one order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from gather_pipeline.domain.items import content_hash
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import Vectors
from gather_pipeline.similarity.vectors import VectorMatrix


class HasContent(Protocol):
    """A stored note: `domain.items.Item` or the like."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def content(self) -> str:
        """Its text."""


class KnownItems:
    """Ids, texts and content hashes in one order, and a matrix with a row each."""

    def __init__(self) -> None:
        self.contents: list[str] = []
        self.hashes: list[str] = []
        self.vectors = VectorMatrix()
        self._first: dict[str, int] = {}
        self._copies: Counter[str] = Counter()

    @classmethod
    def empty(cls) -> KnownItems:
        """No item yet."""
        return cls()

    @classmethod
    def from_items(cls, items: Sequence[HasContent], vectors: Vectors) -> KnownItems:
        """Known items with one vector each, in order; raises `InvalidInput` as `append` does."""
        known = cls()
        known.append([item.id for item in items], [item.content for item in items], vectors)
        return known

    def __len__(self) -> int:
        return len(self.contents)

    @property
    def ids(self) -> Sequence[str]:
        """Ids in order."""
        return self.vectors.ids

    def append(self, ids: Sequence[str], contents: Sequence[str], vectors: Vectors) -> None:
        """Adds items, so that the next batch is compared with them too.

        Raises:
            InvalidInput: The counts or the dimension do not fit, an id is taken, or a row has another length than 1.
        """
        if len(ids) != len(contents):
            raise InvalidInput(f"got {len(contents)} texts for {len(ids)} ids")
        self.vectors.append(ids, vectors)
        for content in contents:
            self.hashes.append(content_hash(content))
            self.contents.append(content)
            self._first.setdefault(self.hashes[-1], len(self.contents) - 1)
            self._copies[self.hashes[-1]] += 1

    def twin(self, content: str) -> tuple[str, str] | None:
        """Id and text of the first item equal to a text but for case and white space; None where there is none."""
        place = self._first.get(content_hash(content))
        return None if place is None else (self.ids[place], self.contents[place])

    def copies(self, hash: str) -> int:
        """How many items have a content hash."""
        return self._copies[hash]

    def content(self, id: str) -> str:
        """Text of the item of that id."""
        return self.contents[self.vectors.row(id)]
