"""What a change has left behind: departments whose prompts used what changed, and those whose score is of other items.

Looked up from what is stored; no model is asked and nothing is embedded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import content_hash, version_of
from gather_pipeline.domain.iterations import FINISHED, Iteration, asked_of, fell, standing
from gather_pipeline.domain.projects import Project
from gather_pipeline.gather.inputs import ResolveModel, chain_of, inputs_of
from gather_pipeline.gather.repository import DRAFTS, SCORES, GatherRepository
from gather_pipeline.ports import Document
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class DepartmentState:
    """How a department of a project stands.

    Attributes:
        reasons: Why its items are stale, in words; empty where nothing that its prompts used has changed.
        causes: The kinds of what changed: ``brief``, ``department``, ``model``, ``definition``, ``items``, ``quality``.
        unscored: True where its score or its draft is of other items, or was asked for by another brief, than there are now.
        began: True where an iteration of it was ever committed.
    """

    department: str
    reasons: tuple[str, ...]
    causes: frozenset[str]
    unscored: bool
    began: bool

    @property
    def is_stale(self) -> bool:
        """True where the next run adds to it."""
        return bool(self.reasons)


def states(
    repository: GatherRepository,
    project: Project,
    departments: Sequence[Department],
    *,
    settings: Settings,
    resolve_model: ResolveModel,
    catalogue: Catalogue,
    only: Sequence[str] | None = None,
) -> list[DepartmentState]:
    """How departments stand, in the order given.

    Args:
        repository: The project's collections.
        project: As it is now.
        departments: As their source has them now, in order.
        settings: Settings of a run that would start now.
        resolve_model: Model id that answers for the one a department names.
        catalogue: Task definitions.
        only: Slugs to look at, None for all.
    """
    history: dict[str, list[Iteration]] = {}
    for iteration in repository.iterations():
        history.setdefault(iteration.department, []).append(iteration)
    items = repository.items()
    hashes = {item.id: content_hash(item.content) for item in items}
    scores, drafts = ({row["_id"]: row for row in repository.rows(name)} for name in (SCORES, DRAFTS))
    found = []
    for department in departments:
        slug = department.slug
        if only is not None and slug not in only:
            continue
        last = history[slug][-1] if slug in history else None
        version = version_of([item for item in items if item.department == slug])
        empty = last is None and version == version_of([])
        reasons: list[str] = []
        causes: set[str] = set()
        if last is not None:
            inputs = inputs_of(settings, catalogue, project, department, chain_of(settings, resolve_model, department))
            differences = last.inputs.differences(inputs, hashes)
            reasons, causes = [one.reason for one in differences], {one.cause for one in differences}
            if worse := _fall(last, scores.get(slug), version, department.threshold):
                reasons, causes = [*reasons, worse], causes | {"quality"}
        found.append(
            DepartmentState(
                department=slug,
                reasons=tuple(reasons),
                causes=frozenset(causes),
                unscored=not empty and not _is_scored(scores.get(slug), drafts.get(slug), version, department, project.brief),
                began=last is not None,
            )
        )
    return found


def _is_scored(score: Document | None, draft: Document | None, version: str, department: Department, brief: str) -> bool:
    if score is None or draft is None or draft["data_version"] != version:
        return False
    asked = (score["data_version"], score["threshold"], score.get("asked"))
    return asked == (version, department.threshold, asked_of(department, brief))


def _fall(last: Iteration, score: Mapping[str, object] | None, version: str, threshold: float) -> str | None:
    if score is None or score["data_version"] != version or last.quality.get("data_version") == version or last.ended_by not in FINISHED:
        return None
    now = standing(last, float(str(score["value"])))
    if not fell(last, now, threshold):
        return None
    return f"its quality fell from {last.score:g} to {now:g}, below its threshold {threshold:g}, when people changed its items"
