"""Every stored item has an embedding of the present embedder."""

from __future__ import annotations

from typing import Any

from gather_pipeline.domain.items import Item
from gather_pipeline.gather.repository import GatherRepository
from gather_pipeline.ports import Vectors
from gather_pipeline.services import Services


def vectors_of(services: Services, repository: GatherRepository, items: list[Item]) -> Vectors:
    """Embeddings of stored items, row by row: from the store, or made now and stored where one is missing or of an older text."""
    stored = repository.vectors(items, services.embedder.name)
    if stored is not None:
        return stored
    made = services.embedder.embed([item.content for item in items])
    repository.save_embeddings(items, made, services.embedder.name)
    return made


def embed_department(services: Services, project_id: str, slug: str) -> dict[str, Any]:
    """Brings a department's embeddings up to date.

    Returns:
        `items`, `embeddings` (their count afterwards), `added`, `model`, `dimensions` (None without items).
    """
    repository = GatherRepository(services.store, project_id)
    items = repository.items(slug)
    model = services.embedder.name
    before = repository.embedding_count(items, model)
    vectors = vectors_of(services, repository, items)
    after = repository.embedding_count(items, model)
    dimensions = int(vectors.shape[1]) if items else None
    return {"items": len(items), "embeddings": after, "added": after - before, "model": model, "dimensions": dimensions}
