"""A department's draft: its notes as one summary, proposed for review. It is put together by code, no model is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.items import Item, version_of
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.outcome import Outcome
from gather_pipeline.domain.texts import counted
from gather_pipeline.records.lease import Lease
from gather_pipeline.services import Services

VERSION = "1"


def propose_draft(
    services: Services,
    project_id: str,
    department: Department,
    *,
    items: Sequence[Item],
    last: Iteration | None,
    stored: Draft | None,
    lease: Lease | None = None,
) -> Outcome[Draft | None]:
    """Proposes a summary of a department's active items for review, status pending; leaves a stored draft of the same items alone.

    Without items nothing is proposed, and a draft of items that are gone is withdrawn. `lease` is of the run that it is made in.
    """
    version = version_of(items)
    if draft_is_current(stored, version):
        return Outcome(value=stored, changed=False)
    draft = Draft(
        department=department.slug,
        title=f"{department.name}: summary for review",
        text=summarise(department.name, items) if items else "",
        status="pending" if items else "withdrawn",
        quality_score=last.score if last else None,
        threshold=department.threshold,
        item_ids=tuple(item.id for item in items),
        data_version=version,
        draft_version=VERSION,
        created_at=services.clock.now(),
    )
    return Outcome(value=services.project(project_id).save_draft(draft, stored, lease), changed=True)


def draft_is_current(draft: Draft | None, version: str) -> bool:
    """True where a draft is of these items, by the present rules; without items none is needed."""
    if draft is None:
        return version == version_of([])
    return (draft.data_version, draft.draft_version) == (version, VERSION)


def summarise(name: str, items: Sequence[Item]) -> str:
    """The summaries of a department's items, by aspect in the order in which the aspects first appear, as Markdown."""
    by_aspect: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_aspect[item.aspect or "further notes"].append(item)
    lines = [f"{name}: {counted(len(items), 'note')} on {counted(len(by_aspect), 'aspect')}."]
    for aspect, notes in by_aspect.items():
        lines += ["", f"**{aspect[0].upper()}{aspect[1:]}**", *(f"- {note.summary}" for note in notes)]
    return "\n".join(lines)
