"""The evaluation that a department's end triggers: its quality as a row of its own, held to the items that it was given for (S001-EVAL)."""

from __future__ import annotations

from typing import Any

from gather_pipeline.domain.items import version_of
from gather_pipeline.domain.iterations import asked_of
from gather_pipeline.domain.quality import SCORER_VERSION
from gather_pipeline.quality.scorer import measure
from gather_pipeline.records.departments import department_of
from gather_pipeline.records.project import SCORES, GatherRepository
from gather_pipeline.records.registry import Projects
from gather_pipeline.services import Services
from gather_pipeline.upkeep.embed import embedded
from gather_pipeline.upkeep.stale import score_is_current


def evaluate_department(
    services: Services, project_id: str, slug: str, *, auto_triggered: bool, user_id: str | None = None, task_id: str | None = None
) -> dict[str, Any]:
    """Scores a department as it stands and keeps the row; no model is asked (S001-EVAL-01, 02).

    The score that the last iteration gave is taken where it was given for the same items, with its judge's part. A row
    whose items and scorer are unchanged is left alone.

    Returns:
        The stored row; `unchanged` is True where nothing was written.
    """
    repository = GatherRepository(services.store, project_id)
    department = department_of(services, slug)
    project = Projects(services.store, services.main_database, services.clock).get(project_id)
    now = embedded(services, repository, repository.everything(), slug)
    version, asked = version_of(now.items), asked_of(department, project.brief)
    stored = next(iter(repository.rows(SCORES, {"_id": slug})), None)
    history = repository.iterations(slug)
    if stored and score_is_current(stored, version, department, project.brief):
        return {**stored, "unchanged": True}
    last = history[-1].quality if history else None
    if last and last["version"] == SCORER_VERSION and last.get("data_version") == version and last.get("asked") == asked:
        quality: dict[str, Any] = dict(last)
    else:
        quality = measure(department, now.items, services.embedder, brief=project.brief, vectors=now.vectors).to_document()
    row = {
        **quality,
        "_id": slug,
        "department": slug,
        "department_number": department.codeDepNumber,
        "threshold": department.threshold,
        "reached": quality["value"] >= department.threshold,
        "data_version": version,
        "asked": asked,
        "auto_triggered": auto_triggered,
        "user_id": user_id,
        "task_id": task_id,
        "evaluated_at": services.clock.now(),
    }
    return {**repository.record(SCORES, row), "unchanged": False}
