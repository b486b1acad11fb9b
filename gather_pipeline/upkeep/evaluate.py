"""The evaluation that a department's end triggers: its quality as a row of its own, held to the items that it was given for (S001-EVAL)."""

from __future__ import annotations

from collections.abc import Sequence

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.items import Item, version_of
from gather_pipeline.domain.iterations import Iteration, asked_of
from gather_pipeline.domain.outcome import Outcome
from gather_pipeline.domain.projects import Project
from gather_pipeline.domain.quality import SCORER_VERSION, Score
from gather_pipeline.ports import Vectors
from gather_pipeline.quality.scorer import measure
from gather_pipeline.records.lease import Lease
from gather_pipeline.services import Services
from gather_pipeline.upkeep.analyses import Analyses
from gather_pipeline.upkeep.standing import score_is_current


def evaluate(
    services: Services,
    project: Project,
    department: Department,
    *,
    items: Sequence[Item],
    vectors: Vectors,
    last: Iteration | None,
    stored: Score | None,
    read_at: str,
    auto_triggered: bool,
    user_id: str | None = None,
    task_id: str | None = None,
    lease: Lease | None = None,
) -> Outcome[Score]:
    """Scores a department as it stands and keeps the score; no model is asked (S001-EVAL-01, 02).

    The score that the last iteration gave is taken where it was given for the same items, with its judge's part. A score
    whose items and scorer are unchanged is left alone.

    Args:
        services: The engines.
        project: As it is now.
        department: As its source has it now.
        items: Its active items, in order.
        vectors: Their embeddings, row by row.
        last: Its newest iteration.
        stored: Its stored score.
        read_at: When its items were read.
        auto_triggered: Whether the end of the department asks for it, or a person.
        user_id: Who asks.
        task_id: Run that it is made in.
        lease: Of that run.
    """
    version, asked = version_of(items), asked_of(department, project.brief)
    if stored is not None and score_is_current(stored, version, department, project.brief):
        return Outcome(value=stored, changed=False)
    if last and (last.quality.version, last.data_version, last.asked) == (SCORER_VERSION, version, asked):
        quality = last.quality
    else:
        analyses = Analyses(services.project(project.id), project.brief).of(department.slug, items)
        quality = measure(department, items, services.embedder, brief=project.brief, vectors=vectors, analyses=analyses)
    score = Score(
        department=department.slug,
        department_number=department.codeDepNumber,
        value=quality.value,
        quality=quality,
        threshold=department.threshold,
        data_version=version,
        asked=asked,
        auto_triggered=auto_triggered,
        user_id=user_id,
        task_id=task_id,
        evaluated_at=services.clock.now(),
        read_at=read_at,
        items=len(items),
    )
    return Outcome(value=services.project(project.id).save_score(score, stored, lease), changed=True)
