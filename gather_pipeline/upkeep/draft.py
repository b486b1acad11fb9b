"""A department's draft: its notes as one summary, proposed for review. It is put together by code, no model is asked."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gather_pipeline.domain.items import Item, version_of
from gather_pipeline.ports import Document
from gather_pipeline.records.departments import department_of
from gather_pipeline.records.project import DRAFTS, GatherRepository
from gather_pipeline.services import Services

VERSION = "1"


def draft_department(services: Services, project_id: str, slug: str) -> dict[str, Any]:
    """Proposes the department's summary for review, status pending; leaves the draft alone where its items are unchanged.

    Without items nothing is proposed, and a draft of items that are gone is withdrawn.

    Returns:
        The stored draft, no field of one where there is none; `unchanged` is True where nothing was written.
    """
    repository = GatherRepository(services.store, project_id)
    department = department_of(services, slug)
    items = repository.items(slug)
    version = version_of(items)
    stored = next(iter(repository.rows(DRAFTS, {"_id": slug})), None)
    if draft_is_current(stored, version):
        return {**(stored or {}), "unchanged": True}
    history = repository.iterations(slug)
    draft = {
        "_id": slug,
        "department": slug,
        "title": f"{department.name}: summary for review",
        "text": summarise(department.name, items) if items else "",
        "status": "pending" if items else "withdrawn",
        "quality_score": history[-1].score if history else None,
        "threshold": department.threshold,
        "item_ids": [item.id for item in items],
        "data_version": version,
        "draft_version": VERSION,
        "created_at": services.clock.now(),
    }
    return {**repository.record(DRAFTS, draft), "unchanged": False}


def draft_is_current(draft: Document | None, version: str) -> bool:
    """True where a draft is of these items, by the present rules; without items none is needed."""
    if draft is None:
        return version == version_of([])
    return (draft["data_version"], draft["draft_version"]) == (version, VERSION)


def summarise(name: str, items: list[Item]) -> str:
    """The summaries of a department's items, by aspect in the order in which the aspects first appear, as Markdown."""
    by_aspect: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_aspect[item.aspect or "further notes"].append(item)
    lines = [f"{name}: {len(items)} notes on {len(by_aspect)} aspects."]
    for aspect, notes in by_aspect.items():
        lines += ["", f"**{aspect[0].upper()}{aspect[1:]}**", *(f"- {note.summary}" for note in notes)]
    return "\n".join(lines)
