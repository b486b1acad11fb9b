"""Every active item has an embedding of the present embedder; what a person wrote is held against its neighbours before it gets one.

A neighbour that repeats a person's text is set aside, for the person's stays whatever the rules say. It is not deleted: it is listed with
what was dropped, and `gather item restore` brings it back and is remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gather_pipeline.domain.items import RULES, Item
from gather_pipeline.errors import UnknownEntity, VersionConflict
from gather_pipeline.ports import Vectors
from gather_pipeline.records.duplicates import detector_of
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.rows import decision_row
from gather_pipeline.services import Services
from gather_pipeline.similarity.known import KnownItems

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """Active items with their embeddings.

    Attributes:
        items: In order.
        vectors: Float32 rows of shape (n, d), one an item; (0, 0) for none.
        added: How many of them were embedded now.
        set_aside: Items, of any department, that repeat what a person wrote and were dropped now.
    """

    items: list[Item]
    vectors: Vectors
    added: int
    set_aside: list[Item]


def embedded(services: Services, repository: GatherRepository, everything: Sequence[Item], slug: str | None = None) -> Embedded:
    """The active items of a department, or of all, with their embeddings row by row.

    What is missing, or of an older text, is made now and stored; nothing else is computed. Embeddings of items that are no longer active
    are removed.

    Args:
        services: The engines.
        repository: The project.
        everything: Every committed item of the project, whatever its state.
        slug: Department whose items are wanted, None for all.
    """
    wanted = [item for item in everything if slug is None or item.department == slug]
    items = [item for item in wanted if item.is_active]
    model = services.embedder.name
    stored = repository.vectors(wanted, model, slug)
    missing = [item for item in items if item.id not in stored]
    made = services.embedder.embed([item.content for item in missing])
    rows = {item.id: stored[item.id] for item in items if item.id in stored} | {
        item.id: row for item, row in zip(missing, made, strict=True)
    }
    persons = [item for item in missing if item.is_persons]
    set_aside: list[Item] = []
    if persons:
        # Before the embeddings are stored: they are what says that an item's neighbours have been judged.
        known = KnownItems.from_items(persons, np.stack([rows[item.id] for item in persons]))
        set_aside = _set_aside(services, repository, everything, known)
        gone = {item.id for item in set_aside}
        items = [item for item in items if item.id not in gone]
    if missing:
        repository.save_embeddings(missing, made, model)
    # Not only what is in `stored`: an item edited before it was deleted has the embedding of an older text.
    repository.drop_embeddings([*(item for item in wanted if not item.is_active), *set_aside])
    vectors = np.stack([rows[item.id] for item in items]) if items else np.empty((0, 0), dtype=np.float32)
    return Embedded(items=items, vectors=vectors, added=len(missing), set_aside=set_aside)


def _set_aside(services: Services, repository: GatherRepository, everything: Sequence[Item], known: KnownItems) -> list[Item]:
    """Drops the project's generated items that repeat one of these texts; returns them."""
    neighbours = [item for item in everything if item.is_active and not item.is_persons]
    if not neighbours:
        return []
    detector = detector_of(repository, everything, services.embedder, services.settings.wrong_drop_cost)
    dropped = []
    stored = repository.vectors(neighbours, services.embedder.name)
    fresh = [item for item in neighbours if item.id not in stored]
    rows = stored | dict(zip((item.id for item in fresh), services.embedder.embed([item.content for item in fresh]), strict=True))
    decisions = detector.against([item.content for item in neighbours], np.stack([rows[item.id] for item in neighbours]), known)
    for item, decision in zip(neighbours, decisions, strict=True):
        found = repository.item(item.id) if decision.duplicate else None
        if found is None or found[0].revision != item.revision:
            continue
        note = f"like {decision.match_id}: {decision.reason}"
        after = item.changed("dropped", RULES, services.clock.now(), note=note, state="dropped")
        row = decision_row(item.id, item, item.department, item.iteration, 0, detector.version, decision)
        try:
            repository.change_item(after, found[1])
        except (VersionConflict, UnknownEntity):
            continue  # a person was quicker, and a person's version stays
        repository.record_drops([{**row, "_id": f"{item.department}|{item.id}|{after.revision}"}])
        logger.info("[AutoGather] Item %s of %s repeats what a person wrote and is set aside", item.id, item.department)
        dropped.append(after)
    return dropped


def embed_department(services: Services, project_id: str, slug: str) -> dict[str, Any]:
    """Brings a department's embeddings up to date.

    Returns:
        `items`, `embeddings` (their count afterwards), `added`, `model`, `dimensions` (None without items), and `set_aside`: slugs of the
        departments that lost an item to what a person wrote in this one.
    """
    repository = GatherRepository(services.store, project_id)
    done = embedded(services, repository, repository.everything(), slug)
    return {
        "items": len(done.items),
        "embeddings": len(done.items),
        "added": done.added,
        "model": services.embedder.name,
        "dimensions": int(done.vectors.shape[1]) if done.items else None,
        "set_aside": sorted({item.department for item in done.set_aside}),
    }
