"""Takes up what people changed in a department: embeds what is new, judges its neighbours, scores and drafts it anew. No model is asked.

Safe beside a running automation and beside itself: each write is one document's, and what is up to date already is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import in_order
from gather_pipeline.services import Services
from gather_pipeline.upkeep.draft import draft_department
from gather_pipeline.upkeep.embed import embed_department
from gather_pipeline.upkeep.evaluate import evaluate_department


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What was done for a department.

    Attributes:
        embedded: Items embedded anew.
        scored: False where its score was up to date.
        drafted: False where its draft was.
        quality: Its score, 0 to 100.
    """

    department: str
    embedded: int
    scored: bool
    drafted: bool
    quality: float


def refresh_departments_of(services: Services, project_id: str, slugs: Sequence[str], *, task_id: str) -> list[Refreshed]:
    """Brings departments up to date, in the order given, and after them those that lost an item to what a person wrote in these.

    A retired department may lose one too; nobody scores it before it comes back.

    All are embedded before the first is scored, for a person's new text may set aside a neighbour in another department.

    Raises:
        UnknownEntity: No such project, or a department that the source does not have.
    """
    made = {slug: embed_department(services, project_id, slug) for slug in slugs}
    robbed = {slug for outcome in made.values() for slug in outcome["set_aside"]}
    done = []
    retired = robbed - {department.slug for department in in_order(services.departments.departments())}
    for slug in [*slugs, *sorted(robbed - retired - set(slugs))]:
        score = evaluate_department(services, project_id, slug, auto_triggered=True, task_id=task_id)
        draft = draft_department(services, project_id, slug)
        done.append(
            Refreshed(
                department=slug,
                embedded=made[slug]["added"] if slug in made else 0,
                scored=not score["unchanged"],
                drafted=not draft["unchanged"],
                quality=score["value"],
            )
        )
    return done
