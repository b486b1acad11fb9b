"""Every active item has an embedding of the present embedder; what a person wrote is held against its neighbours before it gets one.

A neighbour that repeats a person's text is set aside, for the person's stays whatever the rules say. It is not deleted: it is listed with
what was dropped, and `gather item restore` brings it back and is remembered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.items import RULES, Item
from gather_pipeline.errors import UnknownEntity, VersionConflict
from gather_pipeline.ports import Vectors
from gather_pipeline.records.project import Embedding, ProjectRecords, completed_vectors, vectors_of
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


def embedded(services: Services, view: ProjectView, embed: Callable[[Sequence[str]], Vectors] | None = None) -> Embedded:
    """The active items that a view shows, of the project or of one department, with their embeddings row by row.

    What is missing, or of an older text, is made now and stored; nothing else is computed. Embeddings of items that are no longer active
    are removed.

    Args:
        services: The engines.
        view: What is stored.
        embed: As `Embedder.embed`, which it is where None, for whoever cannot wait for it idly.
    """
    items = list(view.items)
    # Where people wrote something, its neighbours are wanted too, nearly always.
    stored = (view.whole if any(item.is_persons for item in items) else view).embeddings
    rows = vectors_of(stored, items, services.embedder.name)
    missing = [item for item in items if item.id not in rows]
    made = (embed or services.embedder.embed)([item.content for item in missing])
    rows |= dict(zip((item.id for item in missing), made, strict=True))
    persons = [item for item in missing if item.is_persons]
    set_aside: list[Item] = []
    if persons:
        # Before the embeddings are stored: they are what says that an item's neighbours have been judged.
        known = KnownItems.from_items(persons, np.stack([rows[item.id] for item in persons]))
        set_aside = _set_aside(services, view.records, stored, known)
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


def _set_aside(services: Services, records: ProjectRecords, stored: Sequence[Embedding], known: KnownItems) -> list[Item]:
    """Drops generated items of the whole project that repeat one of these texts; returns them. `stored` are the project's embeddings.

    Only what lies near is read, and what may lie near because nothing embedded it yet. A department's mark is set before the first change
    of an item of it, as for what people change themselves.
    """
    embedder = services.embedder
    own = [one for one in stored if one.model == embedder.name]
    found = {item.id: item for item in records.added_items()}
    ids = {one.item_id for one in stored} - {one.item_id for one in own}
    if own:
        ids |= {own[place].item_id for place in _near(np.stack([one.vector for one in own]), known)}
    found |= {item.id: item for item in records.items(ids - found.keys())}
    others = sorted((one for one in found.values() if one.is_active and not one.is_persons), key=lambda one: one.id)
    if not others:
        return []
    rows = completed_vectors(own, others, embedder)
    vectors = np.stack([rows[item.id] for item in others])
    near = _near(vectors, known)
    neighbours = [others[place] for place in near]
    if not neighbours:
        return []
    taught = {item.id: item for item in (*found.values(), *records.persons_items())}
    detector = detector_of([*taught.values()], records.marked(), embedder, services.settings.wrong_drop_cost)
    decisions = detector.screen_by_rules([item.content for item in neighbours], vectors[near], known, within=False)
    repeated = [(item, decision) for item, decision in zip(neighbours, decisions, strict=True) if decision.duplicate]
    for slug in {item.department for item, _ in repeated}:
        services.marks.set(records.project_id, slug)
    dropped = []
    for item, decision in repeated:
        now = records.item(item.id)
        if now is None or now[0].revision != item.revision:
            continue
        note = f"like {decision.match_id}: {decision.reason}"
        after = item.changed("dropped", RULES, services.clock.now(), note=note, state="dropped")
        try:
            records.change_item(after, now[1])
        except (VersionConflict, UnknownEntity):
            continue  # a person was quicker, and a person's version stays
        records.record_drops([DecidedText.of_item(after, decision, detector.version)])
        logger.info("[AutoGather] Item %s of %s repeats what a person wrote and is set aside", item.id, item.department)
        dropped.append(after)
    return dropped


def _near(vectors: Vectors, known: KnownItems) -> list[int]:
    """Places of rows that can repeat one of these texts."""
    near: list[int] = np.flatnonzero((vectors @ known.vectors.T).max(axis=1) >= CANDIDATE_FLOOR).tolist()
    return near
