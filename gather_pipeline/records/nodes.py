"""The nodes of `gather brain serve` with their embeddings, so that it has them after a restart."""

from __future__ import annotations

from collections.abc import Sequence

from gather_pipeline.domain.nodes import Node
from gather_pipeline.ports import DocumentStore, Embedder, Vectors

NODES = "brain_nodes"
TEXTS = ("department", "content", "summary", "context")


class Nodes:
    """The nodes of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str, embedder: Embedder) -> None:
        self._store, self._database, self._embedder = store, database, embedder

    def put(self, project_id: str, nodes: Sequence[Node]) -> list[Node]:
        """Keeps nodes and returns those that are new, by id and version: of each id a later version than the known one."""
        newest = {node.id: node for node in sorted(nodes, key=lambda node: node.version)}
        found = self._store.find(self._database, NODES, {"_id": {"$in": [f"{project_id}|{id}" for id in newest]}})
        known = {row["node_id"]: row["node_version"] for row in found}
        fresh = [node for node in newest.values() if node.version > known.get(node.id, 0)]
        vectors = self._embedder.embed([node.content for node in fresh])
        for node, vector in zip(fresh, vectors, strict=True):
            named = {"_id": f"{project_id}|{node.id}", "project_id": project_id, "node_id": node.id, "node_version": node.version}
            own = {name: getattr(node, name) for name in (*TEXTS, "is_active")}
            embedding = {"model": self._embedder.name, "vector": vector.tobytes()}
            self._store.upsert(self._database, NODES, {**named, **own, **embedding})
        return fresh

    def all(self, project_id: str) -> tuple[list[Node], Vectors]:
        """A project's active nodes with their embeddings, row by row."""
        import numpy as np  # not above: a command that only reads starts without it

        rows = self._store.find(self._database, NODES, {"project_id": project_id, "is_active": True})
        nodes = [Node(id=row["node_id"], version=row["node_version"], **{name: row[name] for name in TEXTS}) for row in rows]
        if any(row["model"] != self._embedder.name for row in rows):
            return nodes, self._embedder.embed([node.content for node in nodes])
        vectors = [np.frombuffer(row["vector"], np.float32) for row in rows]
        return nodes, np.stack(vectors) if vectors else np.empty((0, 0), dtype=np.float32)
