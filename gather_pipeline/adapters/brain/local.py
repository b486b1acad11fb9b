"""The brain of an embedded installation: the project's own items, asked by meaning through their stored embeddings (C10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gather_pipeline.domain.departments import Department
from gather_pipeline.ports import Document, Embedder, Vectors

Load = Callable[[str], "tuple[list[Document], Vectors | None]"]


class LocalBrain:
    """The body of `Brain` over what the store has.

    Args:
        load: Gives a project's committed items (`id`, `content`, `summary`, `department`) and their vectors, row by row.
        embedder: Embeds the question; the same that embedded the items.
    """

    def __init__(self, load: Load, embedder: Embedder) -> None:
        self._load, self._embedder = load, embedder
        self._projects: dict[str, tuple[list[Document], Vectors]] = {}

    def context(self, project_id: str, query: str, *, limit: int = 10) -> list[Document]:
        """Nearest items by cosine similarity, nearest first (S001-BRAIN-01)."""
        items, vectors = self._project(project_id)
        if not items:
            return []
        similarity = vectors @ self._embedder.embed([query])[0]
        nearest = np.argsort(-similarity, kind="stable")[:limit]
        return [{**items[place], "similarity": float(similarity[place])} for place in nearest]

    def index(self, project_id: str, items: Sequence[Document], department: Department) -> None:
        """Adds committed items; those known by id are replaced (S001-BRAIN-02)."""
        known, vectors = self._project(project_id)
        fresh = [{**item, "department": department.slug} for item in items]
        new_vectors = self._embedder.embed([item["content"] for item in fresh])
        ids = {item["id"] for item in fresh}
        keep = [place for place, item in enumerate(known) if item["id"] not in ids]
        kept_vectors = vectors[keep] if keep else np.empty((0, new_vectors.shape[1]), dtype=np.float32)
        self._projects[project_id] = ([known[place] for place in keep] + fresh, np.concatenate([kept_vectors, new_vectors]))

    def forget(self, project_id: str) -> None:
        """Reads the project anew at the next question."""
        self._projects.pop(project_id, None)

    def _project(self, project_id: str) -> tuple[list[Document], Vectors]:
        if project_id not in self._projects:
            items, vectors = self._load(project_id)
            if vectors is None:
                vectors = self._embedder.embed([item["content"] for item in items])
            self._projects[project_id] = (items, vectors)
        return self._projects[project_id]
