"""Every engine that the rooms need, chosen once by `bootstrap`, and the records that stand on them, passed as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gather_pipeline.domain.providers import Providers
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.ports import Brain, Cache, Clock, DepartmentSource, DocumentStore, Embedder, EventReceiver, LanguageModel, Metrics
from gather_pipeline.records.executions import Executions
from gather_pipeline.records.lease import Leases
from gather_pipeline.records.marks import Marks
from gather_pipeline.records.open_runs import OpenRuns
from gather_pipeline.records.outbox import Outbox
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.records.projects import Projects
from gather_pipeline.records.runs import Runs
from gather_pipeline.records.view import ProjectView
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.execution import Execution, digest

if TYPE_CHECKING:
    from gather_pipeline.tasks.catalogue import Catalogue
    from gather_pipeline.tasks.definition import TaskDefinition
    from gather_pipeline.tasks.options import ExecutionOptions
    from gather_pipeline.tasks.runner import Support


@dataclass(frozen=True, kw_only=True)
class Services:
    """The chosen bodies.

    Attributes:
        store: System of record.
        departments: Where departments come from.
        model: Every language model behind one door, by model id.
        providers: The providers of models.
        resolve_model: Model id that answers for the one a department names (None: it names none).
        check_reach: Raises `InvalidInput` where the environment does not let that model's server be reached, and says why.
        counter_of: Counts tokens as a model does, or by the documented estimate where its tables are not at hand.
        embedder: Texts to vectors.
        brain: Memory asked by meaning.
        receiver: Makes the receiver of events at a webhook address.
        metrics: Measurements of all runs.
        load_cache: Opens what keeps values that can be had again.
        load_catalogue: Reads the task definitions.
        clock: Time.
        secrets: What no record and no message may show.
        settings: The settings that all this was chosen by.
    """

    store: DocumentStore
    departments: DepartmentSource
    model: LanguageModel
    providers: Providers
    resolve_model: Callable[[str | None], str]
    check_reach: Callable[[str], None]
    counter_of: Callable[[str], Callable[[str], int]]
    embedder: Embedder
    brain: Brain
    receiver: Callable[[str], EventReceiver]
    metrics: Metrics
    load_cache: Callable[[], Cache]
    load_catalogue: Callable[[], Catalogue]
    clock: Clock
    secrets: Secrets
    settings: Settings

    @cached_property
    def catalogue(self) -> Catalogue:
        """Task definitions, read when the first is asked for."""
        return self.load_catalogue()

    @cached_property
    def cache(self) -> Cache:
        """Answers and other values that can be had again."""
        return self.load_cache()

    @cached_property
    def projects(self) -> Projects:
        """The studio's projects."""
        return Projects(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def executions(self) -> Executions:
        """The log of executions."""
        return Executions(self.store, self.settings.mongodb_db, self.secrets, lambda task, version: self.catalogue.get(task, version))

    @cached_property
    def task_support(self) -> Support:
        """What the task engine may use beside a model."""
        from gather_pipeline.tasks.fewshot import LOOKED_AT
        from gather_pipeline.tasks.kept import KeptAnswers
        from gather_pipeline.tasks.runner import Support
        from gather_pipeline.tasks.verification import Tools

        realm = digest(self.settings.openai_base_url or "")
        return Support(
            kept=KeptAnswers(self.cache, realm),
            tools=Tools(embedder=self.embedder, clock=self.clock),
            accepted=lambda task: self.executions.find(task=task, accepted=True, limit=LOOKED_AT),
        )

    def store_execution(self, execution: Execution) -> None:
        """Stores the record of an execution that belongs to no project."""
        self.executions.add(execution)
        if self.task_support.kept is not None:
            self.task_support.kept.settle(execution)

    def task_models(self, definition: TaskDefinition, options: ExecutionOptions) -> tuple[str, ...]:
        """Models for an execution, the one to ask first at the head: the caller's, else `GATHER_MODEL`, then the fallbacks."""
        named = options.fallback_models if options.fallback_models is not None else self.settings.fallback_models
        wanted = (options.model or self.settings.model, *named)
        return tuple(dict.fromkeys(self.resolve_model(model) for model in wanted))

    @cached_property
    def runs(self) -> Runs:
        """All runs by task id."""
        return Runs(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def leases(self) -> Leases:
        """Who holds which project."""
        return Leases(self.store, self.settings.mongodb_db)

    @cached_property
    def open_runs(self) -> OpenRuns:
        """Runs that the store and Dagster may tell of differently."""
        return OpenRuns(self.store, self.settings.mongodb_db)

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
        return ProjectRecords(self.store, project_id, self.marks)

    def view(self, project_id: str) -> ProjectView:
        """A project as it stands: the last view of it as long as nothing was written into its database, for the steps of a run."""
        records = self.project(project_id)
        position = records.position()
        taken_at, view = self._views.get(project_id, ("", None))
        if view is None or taken_at != position:
            view = records.view()
            self._views[project_id] = position, view
        return view

    @cached_property
    def _views(self) -> dict[str, tuple[str, ProjectView]]:
        return {}

    def close(self) -> None:
        """Lets go of the store and the cache; models are closed by the loop that opened them."""
        self.store.close()
        if "cache" in self.__dict__:
            self.cache.close()
