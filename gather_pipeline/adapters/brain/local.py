"""The brain of an embedded installation: the project's own items, asked by meaning through their embeddings (C10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gather_pipeline.domain.items import Item
from gather_pipeline.ports import Embedder, Remembered, Vectors


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is known of a project: items and their embeddings, row by row."""

    items: Sequence[Item]
    vectors: Vectors


class LocalBrain:
    """The body of `Brain` over what the store has.

    Args:
        load: Gives a project's committed, active items with their embeddings, where nobody has handed them over yet.
        embedder: Embeds the question; the same that embedded the items.
    """

    def __init__(self, load: Callable[[str], Memory], embedder: Embedder) -> None:
        self._load, self._embedder = load, embedder
        self._projects: dict[str, Memory] = {}

    def context(self, project_id: str, query: str, *, limit: int = 10) -> list[Remembered]:
        """Nearest items by cosine similarity, nearest first (S001-BRAIN-01)."""
        memory = self._memory(project_id)
        if not memory.items:
            return []
        import numpy as np  # here and below: a command that only reads starts without it

        similarity = memory.vectors @ self._embedder.embed([query])[0]
        nearest = np.argsort(-similarity, kind="stable")[:limit]
        return [_remembered(memory.items[place], float(similarity[place])) for place in nearest]

    def index(self, project_id: str, items: Sequence[Item], vectors: Vectors) -> None:
        """Adds committed items; those known by id are replaced (S001-BRAIN-02)."""
        import numpy as np

        memory, fresh = self._memory(project_id), {item.id for item in items}
        kept = [place for place, item in enumerate(memory.items) if item.id not in fresh]
        old = memory.vectors[kept] if kept else np.empty((0, vectors.shape[1]), dtype=np.float32)
        self.replace(project_id, [*(memory.items[place] for place in kept), *items], np.concatenate([old, vectors]))

    def replace(self, project_id: str, items: Sequence[Item], vectors: Vectors) -> None:
        """Makes these items, and no others, what is known of a project."""
        self._projects[project_id] = Memory(items=items, vectors=vectors)

    def _memory(self, project_id: str) -> Memory:
        if project_id not in self._projects:
            self._projects[project_id] = self._load(project_id)
        return self._projects[project_id]


def _remembered(item: Item, similarity: float) -> Remembered:
    return Remembered(id=item.id, department=item.department, content=item.content, summary=item.summary, similarity=similarity)
