"""Every active item has an embedding of the present embedder; what a person wrote is held against its neighbours before it gets one.

A neighbour that repeats a person's text is set aside, for the person's stays whatever the rules say. It is not deleted: it is listed with
what was dropped, and `gather item restore` brings it back and is remembered.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import RULES, Item
from gather_pipeline.errors import UnknownEntity, VersionConflict
from gather_pipeline.ports import Vectors
from gather_pipeline.records.project import completed_vectors, vectors_of
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.similarity.detector import CANDIDATE_FLOOR
from gather_pipeline.similarity.known import KnownItems
from gather_pipeline.similarity.project import detector_of

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


def embedded(services: Services, view: ProjectView) -> Embedded:
    """The active items that a view shows, of the project or of one department, with their embeddings row by row.

    What is missing, or of an older text, is made now and stored; nothing else is computed. Embeddings of items that are no longer active
    are removed.

    Args:
        services: The engines.
        view: What is stored.
    """
    stored, items = view.embeddings, list(view.items)
    rows = vectors_of(stored, items, services.embedder.name)
    missing = [item for item in items if item.id not in rows]
    made = services.embedder.embed([item.content for item in missing])
    rows |= dict(zip((item.id for item in missing), made, strict=True))
    persons = [item for item in missing if item.is_persons]
    set_aside: list[Item] = []
    if persons:
        # Before the embeddings are stored: they are what says that an item's neighbours have been judged.
        set_aside = _set_aside(services, view.whole, KnownItems.from_items(persons, np.stack([rows[item.id] for item in persons])))
        gone = {item.id for item in set_aside}
        items = [item for item in items if item.id not in gone]
    if missing:
        older = {one.item_id for one in stored if one.model == services.embedder.name}
        view.records.save_embeddings(missing, made, services.embedder.name, older)
    useless = {one.item_id for one in stored} & {item.id for item in view.everything if not item.is_active} | {
        item.id for item in set_aside
    }
    view.records.drop_embeddings(sorted(useless))
    vectors = np.stack([rows[item.id] for item in items]) if items else np.empty((0, 0), dtype=np.float32)
    return Embedded(items=items, vectors=vectors, added=len(missing), set_aside=set_aside)


def _set_aside(services: Services, view: ProjectView, known: KnownItems) -> list[Item]:
    """Drops generated items of the whole project, which the view shows, that repeat one of these texts; returns them.

    A department's mark is set before the first change of an item of it, as for what people change themselves.
    """
    others = [item for item in view.items if not item.is_persons]
    if not others:
        return []
    rows = completed_vectors(view.embeddings, others, services.embedder)
    vectors = np.stack([rows[item.id] for item in others])
    near = np.flatnonzero((vectors @ known.vectors.T).max(axis=1) >= CANDIDATE_FLOOR).tolist()  # no other can repeat them
    neighbours = [others[place] for place in near]
    detector = detector_of(view.everything, view.dropped, services.embedder, services.settings.wrong_drop_cost)
    decisions = detector.screen_by_rules([item.content for item in neighbours], vectors[near], known, within=False)
    repeated = [(item, decision) for item, decision in zip(neighbours, decisions, strict=True) if decision.duplicate]
    for slug in {item.department for item, _ in repeated}:
        services.marks.set(view.records.project_id, slug)
    dropped = []
    for item, decision in repeated:
        found = view.records.item(item.id)
        if found is None or found[0].revision != item.revision:
            continue
        note = f"like {decision.match_id}: {decision.reason}"
        after = item.changed("dropped", RULES, services.clock.now(), note=note, state="dropped")
        try:
            view.records.change_item(after, found[1])
        except (VersionConflict, UnknownEntity):
            continue  # a person was quicker, and a person's version stays
        view.records.record_drops([DecidedText.of_item(after, decision, detector.version)])
        logger.info("[AutoGather] Item %s of %s repeats what a person wrote and is set aside", item.id, item.department)
        dropped.append(after)
    return dropped
