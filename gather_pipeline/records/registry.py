"""Projects, runs and requests to cancel them: the shared collections beside the projects' own databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gather_pipeline.domain.projects import Project, check_project_id, new_project_id
from gather_pipeline.domain.texts import LONE_SURROGATE
from gather_pipeline.errors import DuplicateKey, EditConflict, InvalidInput, UnknownEntity, VersionConflict
from gather_pipeline.ports import Clock, Document, DocumentStore

PROJECTS, RUNS = "projects", "runs"
KEPT_BRIEFS = 50  # of 200 kB at most each: all of them fit into one document
ABANDONED = "its process ended without a word; the next run went on from what it had stored"


class Projects:
    """The studio's projects."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def create(self, name: str, brief: str, project_id: str | None = None) -> Project:
        """Stores a new project.

        Raises:
            InvalidInput: The name is empty or the id has a wrong form or is taken.
        """
        _check_name(name)
        id = check_project_id(project_id) if project_id is not None else new_project_id()
        document = {"_id": id, "name": name.strip(), "brief": brief, "created_at": self._clock.now()}
        try:
            self._store.insert_many(self._database, PROJECTS, [document])
        except DuplicateKey:
            raise InvalidInput.field("project id", id, "an id that no project has") from None
        return _project(document)

    def get(self, project_id: str) -> Project:
        """The project with that id.

        Raises:
            UnknownEntity: There is none.
        """
        document = self._store.get(self._database, PROJECTS, project_id)
        if document is None:
            known = ", ".join(project.id for project in self.all()[:5])
            raise UnknownEntity.field("project id", project_id, f"one of {known}" if known else "a project: none is created yet")
        return _project(document)

    def update(self, project_id: str, *, name: str | None = None, brief: str | None = None, by: str = "") -> tuple[Project, bool]:
        """Gives a project another name or brief; what it had before is kept with it.

        Returns:
            The project, and whether anything changed.

        Raises:
            InvalidInput: The name is empty or no text.
            UnknownEntity: There is no such project.
            EditConflict: Somebody else changed it at the same moment.
        """
        if name is not None:
            _check_name(name)
        before = self.get(project_id)
        document = self._store.get(self._database, PROJECTS, project_id) or {}
        after = Project(id=before.id, name=(name or before.name).strip(), brief=brief or before.brief)
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

    def earlier(self, project_id: str) -> list[Document]:
        """Names and briefs that the project had before, oldest first, each with `until` and `by`."""
        document = self._store.get(self._database, PROJECTS, project_id)
        return list(document.get("before", [])) if document else []

    def all(self) -> list[Project]:
        """Every project, oldest first."""
        return [_project(document) for document in self._store.find(self._database, PROJECTS, sort=[("created_at", 1)])]


def _check_name(name: str) -> None:
    """Raises `InvalidInput` for a name that no prompt could hold: blank, or of bytes that are no text."""
    if not name.strip() or LONE_SURROGATE.search(name):
        raise InvalidInput.field("name", name, "a name of at least one letter")


def _project(document: Mapping[str, Any]) -> Project:
    return Project(id=document["_id"], name=document["name"], brief=document["brief"])


class Runs:
    """Automation runs by task id, which is the id of their Dagster run."""

    def __init__(self, store: DocumentStore, database: str, clock: Clock) -> None:
        self._store, self._database, self._clock = store, database, clock

    def start(self, task_id: str, project_id: str, request: Mapping[str, Any]) -> None:
        """Notes that a run began."""
        document = {
            "_id": task_id,
            "project_id": project_id,
            "request": dict(request),
            "status": "running",
            "started_at": self._clock.now(),
            "cancel_requested": False,
        }
        self._store.upsert(self._database, RUNS, document)

    def finish(self, task_id: str, result: Mapping[str, Any]) -> None:
        """Notes how a run ended."""
        self._store.update(self._database, RUNS, task_id, {**result, "ended_at": self._clock.now()})

    def abandon(self, project_id: str) -> list[str]:
        """Notes as failed what still counts as running, and returns its ids; call only with the project's lease in hand."""
        dead = [run["_id"] for run in self.of_project(project_id) if run["status"] == "running"]
        for task_id in dead:
            self.finish(task_id, {"status": "failed", "reason": ABANDONED})
        return dead

    def get(self, task_id: str) -> Document:
        """The run with that task id.

        Raises:
            UnknownEntity: There is none.
        """
        document = self._store.get(self._database, RUNS, task_id)
        if document is None:
            raise UnknownEntity.field("task id", task_id, "the task_id that gather run printed")
        return document

    def of_project(self, project_id: str) -> list[Document]:
        """The project's runs, oldest first."""
        return self._store.find(self._database, RUNS, {"project_id": project_id}, sort=[("started_at", 1)])

    def request_cancel(self, task_id: str) -> Document:
        """Asks a run to end; it saves its work first. A run that has ended is returned as it is."""
        run = self.get(task_id)
        if run["status"] != "running":
            return run
        return self._store.update(self._database, RUNS, task_id, {"cancel_requested": True})

    def cancel_requested(self, task_id: str) -> bool:
        """True where somebody asked the run to end (C24)."""
        run = self._store.get(self._database, RUNS, task_id)
        return bool(run and run.get("cancel_requested"))
