"""What a change has left behind: departments whose prompts used what changed, and those whose score is of other items.

Looked up from what is stored; no model is asked and nothing is embedded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import content_hash, version_of
from gather_pipeline.domain.iterations import FINISHED, Iteration, asked_of, digest, fell, standing
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import SCORER_VERSION
from gather_pipeline.ports import Document
from gather_pipeline.records.project import DRAFTS, SCORES, GatherRepository
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.upkeep.draft import draft_is_current
from gather_pipeline.upkeep.inputs import ResolveModel, chain_of, inputs_of


@dataclass(frozen=True, kw_only=True)
class DepartmentState:
    """How a department of a project stands.

    Attributes:
        reasons: Why its items are stale, in words; empty where nothing that its prompts used has changed.
        causes: The kinds of what changed: ``brief``, ``department``, ``model``, ``definition``, ``items``, ``quality``.
        unscored: True where its score or its draft is of other items or by other rules, or was asked for by another brief, than now.
        began: True where an iteration of it was ever committed.
        version: Version of its present items.
        takings: How often its score and its draft were written: a state that comes back is not taken for one that was dealt with.
        inputs: Hash of what its prompts would use now and of how many iterations it has.
    """

    department: str
    reasons: tuple[str, ...]
    causes: frozenset[str]
    unscored: bool
    began: bool
    version: str
    takings: int
    inputs: str

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
        score, draft = scores.get(slug), drafts.get(slug)
        empty = last is None and version == version_of([])
        inputs = inputs_of(settings, catalogue, project, department, chain_of(settings, resolve_model, department))
        reasons: list[str] = []
        causes: set[str] = set()
        if last is not None:
            differences = last.inputs.differences(inputs, hashes)
            reasons, causes = [one.reason for one in differences], {one.cause for one in differences}
            if worse := _fall(last, score, version, department.threshold):
                reasons, causes = [*reasons, worse], causes | {"quality"}
        found.append(
            DepartmentState(
                department=slug,
                reasons=tuple(reasons),
                causes=frozenset(causes),
                unscored=not empty
                and not (score_is_current(score, version, department, project.brief) and draft_is_current(draft, version)),
                began=last is not None,
                version=version,
                takings=sum(row["_version"] for row in (score, draft) if row),
                inputs=digest([asdict(inputs), last.number if last else 0]),
            )
        )
    return found


def score_is_current(score: Document | None, version: str, department: Department, brief: str) -> bool:
    """True where a score is of these items, by the present scorer, and was asked for as it would be now."""
    if score is None:
        return False
    given = (score["data_version"], score["version"], score["threshold"], score.get("asked"))
    return given == (version, SCORER_VERSION, department.threshold, asked_of(department, brief))


def _fall(last: Iteration, score: Mapping[str, object] | None, version: str, threshold: float) -> str | None:
    if score is None or score["data_version"] != version or last.quality.get("data_version") == version or last.ended_by not in FINISHED:
        return None
    now = standing(last, float(str(score["value"])), str(score["version"]))
    if not fell(last, now, threshold):
        return None
    return f"its quality fell from {last.score:g} to {now:g}, below its threshold {threshold:g}, when people changed its items"
