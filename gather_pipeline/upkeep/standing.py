"""How the departments of a project stand: how far each has come, and what a change has left behind.

Looked up from what is stored; no model is asked and nothing is embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from gather_pipeline.domain.departments import Department, in_order, to_automate
from gather_pipeline.domain.items import version_of
from gather_pipeline.domain.iterations import FINISHED, EndedBy, Iteration, asked_of, digest, fell, newest_quality, quality_after_edits
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import SCORER_VERSION, Score
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.upkeep.draft import draft_is_current
from gather_pipeline.upkeep.inputs import inputs_of
from gather_pipeline.upkeep.runs import RunStatus, project_run

Stage = Literal["new", "open", "finished", "retired"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a department of a project stands.

    Attributes:
        stage: As of its last iteration; ``retired`` where it left the list of departments.
        ended_by: Why its last iteration was its last, None where it may go on.
        quality: 0 to 100, people's changes included as far as they have been scored; None where it was never scored.
        judged: Whether a judge had a part in `quality`.
        items: Active items, people's included.
        reasons: Why its items are stale, in words; empty where nothing that its prompts used has changed.
        causes: The kinds of what changed: ``brief``, ``department``, ``model``, ``definition``, ``items``, ``quality``.
        unscored: True where its score or its draft is of other items or by other rules, or was asked for by another brief, than now.
        version: Version of its present items.
        revisions: How often its score and its draft were written: a state that comes back is not taken for one that was dealt with.
        inputs: Hash of what its prompts would use now and of how many iterations it has.
    """

    department: str
    stage: Stage
    ended_by: EndedBy | None
    quality: float | None
    judged: bool
    threshold: float
    iterations: int
    items: int
    reasons: tuple[str, ...] = ()
    causes: frozenset[str] = frozenset()
    unscored: bool = False
    version: str = ""
    revisions: int = 0
    inputs: str = ""

    @property
    def is_stale(self) -> bool:
        """True where the next run adds to it."""
        return bool(self.reasons)

    def to_progress(self) -> dict[str, Any]:
        """JSON-able form of how far it has come."""
        return {"state": self.stage} | {name: getattr(self, name) for name in ("ended_by", "quality", "judged", "iterations", "items")}

    def to_document(self) -> dict[str, Any]:
        """JSON-able form of how far it has come, and whether it is behind."""
        own = {"department": self.department, "threshold": self.threshold}
        return {**own, **self.to_progress(), "stale": self.is_stale, "unscored": self.unscored}


@dataclass(frozen=True, kw_only=True)
class ProjectStatus:
    """How a project stands.

    Attributes:
        run: The run that counts as running, else the last one.
    """

    project_id: str
    run: RunStatus | None
    standings: Sequence[Standing]

    @property
    def unscored(self) -> list[str]:
        """Slugs of departments whose score or draft is behind."""
        return [one.department for one in self.standings if one.unscored]

    def to_document(self) -> dict[str, Any]:
        """JSON-able form."""
        return {
            "project_id": self.project_id,
            "run": None if self.run is None else asdict(self.run),
            "departments": [one.to_document() for one in self.standings],
            "stale": stale_of(self.standings),
            "unscored": self.unscored,
        }


def standings(services: Services, view: ProjectView, project: Project, departments: Sequence[Department]) -> list[Standing]:
    """How departments, as their source has them now, stand for a run that would start now."""
    return [_standing(services, view, project, one) for one in departments]


def retired_standings(view: ProjectView, departments: Sequence[Department]) -> list[Standing]:
    """How those departments stand that a run once found and that are not among these any more; nothing of them is stale."""
    there = {department.slug for department in departments}
    return [progress(view, stored.department, retired=True) for stored in view.departments if stored.slug not in there]


def project_standings(services: Services, view: ProjectView, project: Project) -> list[Standing]:
    """How the departments of a project stand, in the order in which they run, those that left the list last; raises as `to_automate`."""
    departments = to_automate(services.departments.departments())
    return [*standings(services, view, project, departments), *retired_standings(view, departments)]


def project_status(services: Services, project_id: str) -> ProjectStatus:
    """How a project and its last run stand; raises as `project_standings`, and `UnknownEntity` where there is no such project."""
    project = services.projects.get(project_id)
    view = services.project(project_id).view()
    return ProjectStatus(project_id=project_id, run=project_run(services, view), standings=project_standings(services, view, project))


def made_stale(services: Services, project_id: str) -> list[Standing]:
    """Departments that a change of the brief has made stale; raises as `project_standings`."""
    found = project_standings(services, services.project(project_id).view(), services.projects.get(project_id))
    return [one for one in found if "brief" in one.causes]


def stale_of(standings: Sequence[Standing]) -> list[dict[str, str]]:
    """One entry a stale department, in order."""
    return [{"department": one.department, "reason": "; ".join(one.reasons)} for one in standings if one.is_stale]


def source_rows(services: Services) -> list[dict[str, Any]]:
    """Every department of the source, JSON-able: first those that are automated, in the order in which they run."""
    everything = services.departments.departments()
    automated = in_order(everything)
    return [_row(one, one in automated) for one in [*automated, *(one for one in everything if one not in automated)]]


def project_rows(services: Services, project_id: str) -> list[dict[str, Any]]:
    """A project's departments as its last run found them, JSON-able, and how far each has come; of one without a run, the source's.

    Raises:
        UnknownEntity: There is no such project.
    """
    view = services.project(services.projects.get(project_id).id).view()
    if not view.departments:
        return [_row(one, True) | progress(view, one).to_progress() for one in in_order(services.departments.departments())]
    return [
        _row(stored.department, not stored.retired) | progress(view, stored.department, retired=stored.retired).to_progress()
        for stored in view.departments
    ]


def _row(department: Department, automated: bool) -> dict[str, Any]:
    own = {"threshold": department.threshold, "maxIterations": department.coordinationSettings.maxIterations, "automated": automated}
    return department.model_dump(mode="json") | own


def score_is_current(score: Score | None, version: str, department: Department, brief: str) -> bool:
    """True where a score is of these items, by the present scorer, and was asked for as it would be now."""
    if score is None:
        return False
    given = (score.data_version, score.quality.version, score.threshold, score.asked)
    return given == (version, SCORER_VERSION, department.threshold, asked_of(department, brief))


def progress(view: ProjectView, department: Department, *, retired: bool = False) -> Standing:
    """How far a department has come, without a look at what a change has left behind."""
    slug = department.slug
    last, version, score = view.last(slug), view.version(slug), view.scores.get(slug)
    return Standing(
        department=slug,
        stage="retired" if retired else "new" if last is None else "finished" if last.ended_by in FINISHED else "open",
        ended_by=last.ended_by if last else None,
        quality=newest_quality(last, score),
        judged=last.quality.judged if last else score is not None and score.quality.judged,
        threshold=department.threshold,
        iterations=len(view.history(slug)),
        items=view.count(slug),
        version=version,
    )


def _standing(services: Services, view: ProjectView, project: Project, department: Department) -> Standing:
    slug = department.slug
    last, version = view.last(slug), view.version(slug)
    score, draft = view.scores.get(slug), view.drafts.get(slug)
    inputs = inputs_of(services, project, department)
    differences = last.inputs.differences(inputs, view.hashes(last.inputs.context)) if last else []
    reasons, causes = [one.reason for one in differences], {str(one.cause) for one in differences}
    if last and (worse := _fall(last, score, version, department.threshold)):
        reasons, causes = [*reasons, worse], causes | {"quality"}
    is_empty = last is None and version == version_of([])
    is_scored = score_is_current(score, version, department, project.brief) and draft_is_current(draft, version)
    return replace(
        progress(view, department),
        reasons=tuple(reasons),
        causes=frozenset(causes),
        unscored=not is_empty and not is_scored,
        revisions=sum(row.revision for row in (score, draft) if row),
        inputs=digest([asdict(inputs), last.number if last else 0]),
    )


def _fall(last: Iteration, score: Score | None, version: str, threshold: float) -> str | None:
    if score is None or score.data_version != version or last.data_version == version or last.ended_by not in FINISHED:
        return None
    now = quality_after_edits(last, score.value, score.quality.version)
    if not fell(last, now, threshold):
        return None
    further = "further " if last.score < threshold else ""
    return f"its quality fell from {last.score:g} to {now:g}, {further}below its threshold {threshold:g}, when people changed its items"
