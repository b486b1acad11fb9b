"""A project as one reader sees it: each part read once, when it is first looked at, and handed on with the view."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from gather_pipeline.domain.decisions import DecidedText
from gather_pipeline.domain.departments import StoredDepartment
from gather_pipeline.domain.drafts import Draft
from gather_pipeline.domain.items import Item, version_of
from gather_pipeline.domain.iterations import Iteration
from gather_pipeline.domain.quality import Score

if TYPE_CHECKING:
    from gather_pipeline.records.project import Embedding, ProjectRecords

SETTLED = timedelta(minutes=1)  # far longer than a change takes from its mark to its end, or than clocks differ


class ProjectView:
    """What is stored of a project, or of one of its departments. A view does not follow changes: take a new one to see them."""

    def __init__(self, records: ProjectRecords, department: str | None = None) -> None:
        self.records, self._department = records, department
        self._parts: dict[str, ProjectView] = {}
        self._looked_at: dict[str, tuple[str, int]] = {}

    def part(self, slug: str) -> ProjectView:
        """What one department has of it: of this view where it was read already, else read apart."""
        if slug not in self._parts:
            part = self._parts[slug] = ProjectView(self.records, slug)
            part.whole = self
            read = vars(self)
            for name in read.keys() & {"scores", "drafts", "departments", "embeddings"}:
                setattr(part, name, read[name])
            if "iterations" in read:
                part.iterations = [one for one in self.iterations if one.department == slug]
            if "placed" in read:
                part.placed = [(item, place) for item, place in self.placed if item.department == slug]
        return self._parts[slug]

    def later(self) -> ProjectView:
        """A view of now, for which no item or iteration has changed since this one was taken: what it has read of them goes on."""
        view = self.records.view(self._department)
        vars(view).update({name: part for name, part in vars(self).items() if name in ("iterations", "placed", "everything", "items")})
        return view

    @cached_property
    def whole(self) -> ProjectView:
        """The whole project: this very view, or the one that it is a part of."""
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
        return self.records.embeddings(self._department)

    def hashes(self, ids: Collection[str]) -> Mapping[str, str]:
        """Content hash by id of those of these items that are active; no other item is read for it."""
        found = self.everything if "placed" in vars(self) else self.records.items(ids) if ids else ()
        return {item.id: item.hash for item in found if item.is_active and item.id in ids}

    def items_of(self, slug: str) -> Sequence[Item]:
        """Active items of a department, in order."""
        return self._by_department.get(slug, ())

    @cached_property
    def _by_department(self) -> Mapping[str, Sequence[Item]]:
        return {slug: list(items) for slug, items in groupby(self.items, key=attrgetter("department"))}  # in order of department

    def history(self, slug: str) -> list[Iteration]:
        """Iterations of a department, oldest first."""
        return [iteration for iteration in self.iterations if iteration.department == slug]

    @cached_property
    def newest(self) -> Mapping[str, Iteration]:
        """The newest iteration of each department that has one, by slug."""
        return {iteration.department: iteration for iteration in self.iterations}

    def last(self, slug: str) -> Iteration | None:
        """The newest iteration of a department, None where it has none."""
        return self.newest.get(slug)

    def version(self, slug: str) -> str:
        """Version of a department's active items."""
        return self._of_items(slug)[0]

    def count(self, slug: str) -> int:
        """How many active items a department has."""
        return self._of_items(slug)[1]

    def _of_items(self, slug: str) -> tuple[str, int]:
        """Version and number of a department's active items: as its score has them where nothing can have changed since, else looked at."""
        if slug not in self._looked_at:
            score = None if "placed" in vars(self) else self.scores.get(slug)
            if score is not None and self._is_of_now(score):
                self._looked_at[slug] = score.data_version, score.items
            else:
                items = self.items_of(slug)
                self._looked_at[slug] = version_of(items), len(items)
        return self._looked_at[slug]

    def _is_of_now(self, score: Score) -> bool:
        """Whether neither people nor a run can have changed a department's items since they were read for its score.

        A mark is set before the change that it is for, and clocks differ: it says that nothing follows only where it was a minute old.
        """
        if score.read_at is None or self.records.marks is None:
            return False
        read_at = datetime.fromisoformat(score.read_at) - SETTLED
        marked, last = self._marked.get(score.department), self.last(score.department)
        if marked is not None and datetime.fromisoformat(marked) > read_at:
            return False
        return last is None or last.data_version == score.data_version or datetime.fromisoformat(last.ended_at) < read_at

    @cached_property
    def _marked(self) -> Mapping[str, str]:
        return self.records.marks.at(self.records.project_id, self.scores) if self.records.marks else {}
