"""A project as one reader sees it: each part read once, when it is first looked at, and handed on with the view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.departments import StoredDepartment
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.items import Item, content_hash, version_of
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.quality import Score

if TYPE_CHECKING:
    from gather_pipeline.records.project import Embedding, ProjectRecords


class ProjectView:
    """What is stored of a project. A view does not follow changes: whoever wants to see them takes a new one.

    Args:
        records: Where it is read from.
        department: Slug of the one department that is read; None for all of them.
    """

    def __init__(self, records: ProjectRecords, department: str | None = None) -> None:
        self.records, self._department = records, department

    @cached_property
    def whole(self) -> ProjectView:
        """The whole project: this very view, or where it is of one department one that is taken when it is first asked for."""
        return self if self._department is None else self.records.view()

    @cached_property
    def iterations(self) -> Sequence[Iteration]:
        """Committed iterations, by department, oldest first."""
        return self.records.iterations(self._department)

    @cached_property
    def placed(self) -> Sequence[tuple[Item, int]]:
        """Committed items whatever their state, each with its place in its iteration."""
        return self.records.placed(self.iterations, self._department)

    @cached_property
    def everything(self) -> Sequence[Item]:
        """Committed items whatever their state, in the order of department, iteration and place."""
        return [item for item, _ in self.placed]

    @cached_property
    def items(self) -> Sequence[Item]:
        """Active items, in the same order."""
        return [item for item in self.everything if item.is_active]

    @cached_property
    def dropped(self) -> Sequence[DecidedText]:
        """Decisions that dropped a text, in order."""
        return self.records.dropped(self.iterations, self._department)

    @cached_property
    def scores(self) -> Mapping[str, Score]:
        """Each department's newest score, by slug."""
        return {score.department: score for score in self.records.scores()}

    @cached_property
    def drafts(self) -> Mapping[str, Draft]:
        """Each department's draft, by slug."""
        return {draft.department: draft for draft in self.records.drafts()}

    @cached_property
    def departments(self) -> Sequence[StoredDepartment]:
        """The departments that the project's runs have found, in order."""
        return self.records.departments()

    @cached_property
    def embeddings(self) -> Sequence[Embedding]:
        """Embeddings of the items, of every model."""
        return self.records.embeddings(department=self._department)

    @cached_property
    def hashes(self) -> Mapping[str, str]:
        """Content hash by id of every active item."""
        return {item.id: content_hash(item.content) for item in self.items}

    def items_of(self, slug: str) -> list[Item]:
        """Active items of a department, in order."""
        return [item for item in self.items if item.department == slug]

    def history(self, slug: str) -> list[Iteration]:
        """Iterations of a department, oldest first."""
        return [iteration for iteration in self.iterations if iteration.department == slug]

    def last(self, slug: str) -> Iteration | None:
        """The newest iteration of a department, None where it has none."""
        return next(reversed(self.history(slug)), None)

    def version(self, slug: str) -> str:
        """Version of a department's active items."""
        return version_of(self.items_of(slug))
