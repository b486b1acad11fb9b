"""The studio's projects: one row each in the shared database, beside the projects' own databases."""

from __future__ import annotations

from collections.abc import Sequence

from gather_pipeline.domain.projects import EarlierBrief, Project, check_project_id, new_project_id
from gather_pipeline.domain.texts import typed
from gather_pipeline.errors import DuplicateKey, EditConflict, InvalidInput, UnknownEntity, VersionConflict, listed
from gather_pipeline.ports import Clock, DocumentStore
from gather_pipeline.records.documents import project_document, project_of

PROJECTS = "projects"
KEPT_BRIEFS = 50  # of 200 kB at most each: all of them fit into one document


class Projects:
    """Creates, finds and changes projects."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def create(self, name: str, brief: str, project_id: str | None = None) -> Project:
        """Stores a new project; raises `InvalidInput` where the name is empty, or the id has a wrong form or is taken."""
        id = check_project_id(project_id) if project_id is not None else new_project_id()
        created = Project(id=id, name=_checked(name), brief=brief)
        try:
            self._store.insert_many(self._database, PROJECTS, [project_document(created, self._clock.now())])
        except DuplicateKey:
            raise InvalidInput.field("project id", id, "an id that no project has") from None
        return created

    def find(self, project_id: str) -> Project | None:
        """The project with that id, None where there is none."""
        document = self._store.get(self._database, PROJECTS, project_id)
        return None if document is None else project_of(document)

    def get(self, project_id: str) -> Project:
        """The project with that id; raises `UnknownEntity` where there is none."""
        found = self.find(project_id)
        if found is None:
            raise self._unknown(project_id)
        return found

    def _unknown(self, project_id: str) -> InvalidInput:
        known = listed((project.id for project in self.all()), 5)
        return UnknownEntity.field("project id", project_id, f"one of {known}" if known else "a project: none is created yet")

    def all(self) -> list[Project]:
        """Every project, oldest first."""
        return [project_of(document) for document in self._store.find(self._database, PROJECTS, sort=[("created_at", 1)])]

    def update(self, project_id: str, *, name: str | None = None, brief: str | None = None, by: str = "") -> tuple[Project, bool]:
        """Gives a project another name or brief; what it had before is kept with it.

        Returns:
            The project, and whether anything changed.

        Raises:
            InvalidInput: The name is empty.
            UnknownEntity: There is no such project.
            EditConflict: Somebody else changed it at the same moment.
        """
        document = self._store.get(self._database, PROJECTS, project_id)
        if document is None:
            raise self._unknown(project_id)
        before = project_of(document)
        after = Project(id=before.id, name=before.name if name is None else _checked(name), brief=brief or before.brief)
        if after == before:
            return before, False
        past = {"name": before.name, "brief": before.brief, "until": self._clock.now(), "by": by}
        changes = {"name": after.name, "brief": after.brief, "before": [*document.get("before", []), past][-KEPT_BRIEFS:]}
        try:
            self._store.update(self._database, PROJECTS, project_id, changes, expected_version=document["_version"])
        except VersionConflict:
            raise EditConflict(
                f"project {project_id} was changed by somebody else at the same moment: look at it, then try again"
            ) from None
        return after, True

    def earlier(self, project_id: str) -> Sequence[EarlierBrief]:
        """Names and briefs that the project had before, oldest first."""
        document = self._store.get(self._database, PROJECTS, project_id)
        return [EarlierBrief(**past) for past in (document or {}).get("before", ())]

    def changed_since(self, cursor: str) -> tuple[list[str], str]:
        """Ids of projects that are new or changed after the cursor, and the cursor after them."""
        changes = self._store.changed_since(self._database, PROJECTS, cursor)
        return [row["_id"] for row in changes.documents], changes.cursor


def _checked(name: str) -> str:
    """The name as it is kept; raises `InvalidInput` for a blank one, which no prompt could hold."""
    kept = typed(name)
    if not kept:
        raise InvalidInput.field("name", name, "a name of at least one letter")
    return kept
