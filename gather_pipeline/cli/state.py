"""What commands that only read or register need: settings, the document store and the shared collections, without any model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gather_pipeline import bootstrap
from gather_pipeline.cli import logs
from gather_pipeline.domain.projects import Project
from gather_pipeline.ports import Document, DocumentStore
from gather_pipeline.records.project import GatherRepository
from gather_pipeline.records.registry import Projects, Runs
from gather_pipeline.settings import Settings, load_settings


@dataclass(frozen=True, kw_only=True)
class State:
    """The store, opened.

    Attributes:
        projects: The studio's projects.
        runs: All runs by task id.
    """

    settings: Settings
    store: DocumentStore
    projects: Projects
    runs: Runs

    def project(self, project_id: str) -> tuple[Project, GatherRepository]:
        """A project and what is kept for it.

        Raises:
            UnknownEntity: There is no such project.
        """
        return self.projects.get(project_id), GatherRepository(self.store, project_id)

    def lease(self, project_id: str) -> Document | None:
        """Who holds the project now."""
        from gather_pipeline.records.lease import LEASES

        return self.store.get(self.settings.mongodb_db, LEASES, project_id)


def settings_of_command() -> Settings:
    """The settings; from here on log lines are kept under the state folder.

    Raises:
        InvalidInput: A variable is wrong.
    """
    settings = load_settings()
    logs.write(settings.home)
    return settings


@contextmanager
def opened() -> Iterator[State]:
    """The state that the environment names, closed at the end."""
    settings = settings_of_command()
    store, clock = bootstrap.open_store(settings), bootstrap.system_clock()
    try:
        yield State(
            settings=settings,
            store=store,
            projects=Projects(store, settings.mongodb_db, clock),
            runs=Runs(store, settings.mongodb_db, clock),
        )
    finally:
        store.close()
