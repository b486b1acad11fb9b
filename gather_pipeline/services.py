"""Every engine that the rooms need, chosen once by `bootstrap`, and the records that stand on them, passed as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gather_pipeline.ports import Brain, Clock, DepartmentSource, DocumentStore, Embedder, EventReceiver, LanguageModel, Metrics
from gather_pipeline.records.lease import Leases
from gather_pipeline.records.marks import Marks
from gather_pipeline.records.outbox import Outbox
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.records.projects import Projects
from gather_pipeline.records.runs import Runs
from gather_pipeline.settings import Settings

if TYPE_CHECKING:
    from gather_pipeline.tasks.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Services:
    """The chosen bodies.

    Attributes:
        store: System of record.
        departments: Where departments come from.
        model: Every language model behind one door, by model id.
        resolve_model: Model id that answers for the one a department names (None: it names none).
        check_reach: Raises `InvalidInput` where the environment does not let that model's server be reached, and says why.
        embedder: Texts to vectors.
        brain: Memory asked by meaning.
        receiver: Makes the receiver of events at a webhook address.
        metrics: Measurements of all runs.
        load_catalogue: Reads the task definitions.
        clock: Time.
        settings: The settings that all this was chosen by.
    """

    store: DocumentStore
    departments: DepartmentSource
    model: LanguageModel
    resolve_model: Callable[[str | None], str]
    check_reach: Callable[[str], None]
    embedder: Embedder
    brain: Brain
    receiver: Callable[[str], EventReceiver]
    metrics: Metrics
    load_catalogue: Callable[[], Catalogue]
    clock: Clock
    settings: Settings

    @cached_property
    def catalogue(self) -> Catalogue:
        """Task definitions, read when the first is asked for."""
        return self.load_catalogue()

    @cached_property
    def projects(self) -> Projects:
        """The studio's projects."""
        return Projects(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def runs(self) -> Runs:
        """All runs by task id."""
        return Runs(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def leases(self) -> Leases:
        """Who holds which project."""
        return Leases(self.store, self.settings.mongodb_db)

    @cached_property
    def marks(self) -> Marks:
        """Departments that people have changed."""
        return Marks(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        """What has to be delivered beyond the store."""
        return Outbox(self.store, self.settings.mongodb_db)

    def project(self, project_id: str) -> ProjectRecords:
        """The records of a project; whether it is there, `projects` knows."""
        return ProjectRecords(self.store, project_id)

    def close(self) -> None:
        """Lets go of the store; models are closed by the loop that opened them."""
        self.store.close()
