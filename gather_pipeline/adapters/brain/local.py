"""The embedded brain: a project's own items, asked by meaning through their embeddings (C10). `gather brain serve` offers it to others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.nodes import Coverage, Node
from gather_pipeline.ports import Embedder, Remembered, Vectors

CANDIDATES = 10  # nearest items that may say the same as a text


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What is known of a project: nodes and their embeddings, row by row."""

    nodes: Sequence[Node]
    vectors: Vectors


class EmbeddedBrain:
    """The body of `LocalBrain`; for any number of threads.

    Args:
        load: Gives a project's active nodes with their embeddings, where nobody has handed them over yet.
        embedder: The one that embedded the nodes.
        compare: Probability that two texts of a cosine say the same.
        cover: How far nodes cover a department's aspects.
    """

    def __init__(
        self,
        load: Callable[[str], Memory],
        embedder: Embedder,
        compare: Callable[[str, str, float], float],
        cover: Callable[[Department, Sequence[Node]], Coverage],
    ) -> None:
        self._load, self._embedder, self._compare, self._cover = load, embedder, compare, cover
        self._projects: dict[str, Memory] = {}
        self._lock = threading.RLock()

    def context(
        self, project_id: str, query: str, *, department: str = "", previous: Sequence[str] = (), limit: int = 10
    ) -> list[Remembered]:
        """Nearest items by cosine similarity, nearest first (S001-BRAIN-01, 04)."""
        return self._nearest(project_id, query, limit, previous)

    def duplicates(self, project_id: str, content: str, *, threshold: float = 0.90) -> list[Remembered]:
        """Items that the rules hold to say the same as a text, likeliest first (S001-BRAIN-03)."""
        near = self._nearest(project_id, content, CANDIDATES)
        sure = [replace(one, similarity=self._compare(content, one.content, one.similarity)) for one in near]
        return sorted((one for one in sure if one.similarity >= threshold), key=lambda one: -one.similarity)

    def coverage(self, project_id: str, department: Department, nodes: Sequence[Node]) -> Coverage:
        """How far nodes cover a department's aspects, by text statistics."""
        return self._cover(department, nodes)

    def index(self, project_id: str, nodes: Sequence[Node]) -> None:
        """Takes up nodes (S001-BRAIN-02)."""
        if not nodes:
            return
        import numpy as np  # here and below: a command that only reads starts without it

        newest = list({node.id: node for node in nodes}.values())
        active = [node for node in newest if node.is_active]
        vectors = self._embedder.embed([node.content for node in active])
        changed = {node.id for node in newest}
        with self._lock:
            memory = self._memory(project_id)
            kept = [place for place, node in enumerate(memory.nodes) if node.id not in changed]
            rows = [part for part in (memory.vectors[kept], vectors) if len(part)]
            known = [*(memory.nodes[place] for place in kept), *active]
            self.replace(project_id, known, np.concatenate(rows) if rows else vectors)

    def replace(self, project_id: str, nodes: Sequence[Node], vectors: Vectors) -> None:
        with self._lock:
            self._projects[project_id] = Memory(nodes=nodes, vectors=vectors)

    def _nearest(self, project_id: str, text: str, limit: int, departments: Sequence[str] = ()) -> list[Remembered]:
        memory = self._memory(project_id)
        if not memory.nodes:
            return []
        import numpy as np

        similarity = memory.vectors @ self._embedder.embed([text])[0]
        order = np.argsort(-similarity, kind="stable")
        nearest = [place for place in order if not departments or memory.nodes[place].department in departments][:limit]
        found = ((memory.nodes[place], float(similarity[place])) for place in nearest)
        return [
            Remembered(id=node.id, department=node.department, content=node.content, summary=node.summary, similarity=cosine)
            for node, cosine in found
        ]

    def _memory(self, project_id: str) -> Memory:
        with self._lock:
            if project_id not in self._projects:
                self._projects[project_id] = self._load(project_id)
            return self._projects[project_id]
