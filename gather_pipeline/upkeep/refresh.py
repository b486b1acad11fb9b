"""Brings departments up to date with what people changed: embeds what is new, judges its neighbours, scores and drafts anew.

No model is asked. Safe beside a running automation and beside itself: each write is one document's, and what is up to date already is
left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gather_pipeline.domain.departments import department_of, in_order
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.outcome import Outcome
from gather_pipeline.domain.quality import Score
from gather_pipeline.records.view import ProjectView
from gather_pipeline.services import Services
from gather_pipeline.upkeep.draft import propose_draft
from gather_pipeline.upkeep.embed import Embedded, embedded
from gather_pipeline.upkeep.evaluate import evaluate


@dataclass(frozen=True, kw_only=True)
class Refreshed:
    """What was done for a department.

    Attributes:
        embedded: Items embedded anew.
        score: Its score, and whether it was written.
        draft: Its draft, and whether it was written.
    """

    department: str
    embedded: int
    score: Outcome[Score]
    draft: Outcome[Draft | None]


class Upkeep:
    """The departments of one project, each read once, when it is first looked at, and brought up to date one by one.

    Args:
        services: The engines.
        project_id: Id of the project.

    Raises:
        UnknownEntity: There is no such project.
    """

    def __init__(self, services: Services, project_id: str) -> None:
        self._read_at = services.clock.now()
        self._services = services
        self._project = services.projects.get(project_id)
        self._departments = services.departments.departments()
        self._whole = services.view(project_id)
        self._embedded: dict[str, Embedded] = {}

    def view(self, slug: str) -> ProjectView:
        """What is stored of a department, read once."""
        return self._whole.part(slug)

    def embed(self, slug: str) -> Embedded:
        """A department's active items with their embeddings; raises `UnknownEntity` where the source has no such department."""
        department_of(self._departments, slug)
        if slug not in self._embedded:
            done = self._embedded[slug] = embedded(self._services, self.view(slug))
            if done.set_aside:
                self._whole = self._services.view(self._project.id)
            for changed in {item.department for item in done.set_aside} - {slug}:
                self._embedded.pop(changed, None)
        return self._embedded[slug]

    def evaluate(self, slug: str, *, auto_triggered: bool, task_id: str | None = None) -> Outcome[Score]:
        """A department's score, made anew where it is not of its present items."""
        now = self.embed(slug)
        return evaluate(
            self._services,
            self._project,
            department_of(self._departments, slug),
            items=now.items,
            vectors=now.vectors,
            last=self.view(slug).last(slug),
            stored=self.view(slug).scores.get(slug),
            read_at=self._read_at,
            auto_triggered=auto_triggered,
            task_id=task_id,
        )

    def draft(self, slug: str) -> Outcome[Draft | None]:
        """A department's draft, made anew where it is not of its present items."""
        return propose_draft(
            self._services,
            self._project.id,
            department_of(self._departments, slug),
            items=self.view(slug).items,
            last=self.view(slug).last(slug),
            stored=self.view(slug).drafts.get(slug),
        )

    def refresh(self, slugs: Sequence[str], *, task_id: str | None = None) -> list[Refreshed]:
        """Brings departments up to date, in the order given, and after them those that lost an item to what a person wrote in these.

        All are embedded before the first is scored, for a person's new text may set aside a neighbour in another department. A retired
        department may lose one too; nobody scores it before it comes back.

        Raises:
            UnknownEntity: A department that the source does not have.
        """
        made = {slug: self.embed(slug) for slug in slugs}
        losers = {item.department for done in made.values() for item in done.set_aside}
        more = sorted(losers & {department.slug for department in in_order(self._departments)} - set(slugs))
        return [
            Refreshed(
                department=slug,
                embedded=made[slug].added if slug in made else 0,
                score=self.evaluate(slug, auto_triggered=True, task_id=task_id),
                draft=self.draft(slug),
            )
            for slug in [*slugs, *more]
        ]
