"""Every engine that the rooms need, chosen once by `bootstrap`, and the records that stand on them, passed as one value."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gather_pipeline.domain.providers import Providers
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import InvalidInput
from gather_pipeline.ports import (
    BrainService,
    Cache,
    Clock,
    DepartmentSource,
    DocumentStore,
    Embedder,
    EventChannels,
    EventReceiver,
    LanguageModel,
    LocalBrain,
    Metrics,
    WebService,
)
from gather_pipeline.records.executions import REPLAYS, Executions
from gather_pipeline.records.health import ModelHealth
from gather_pipeline.records.indexing import Indexing
from gather_pipeline.records.lease import Leases
from gather_pipeline.records.marks import Marks
from gather_pipeline.records.open_runs import OpenRuns
from gather_pipeline.records.outbox import Outbox
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.records.projects import Projects
from gather_pipeline.records.rankings import Rankings
from gather_pipeline.records.review import Reviews
from gather_pipeline.records.runs import Runs
from gather_pipeline.records.submissions import Submissions
from gather_pipeline.records.tokens import Tokens
from gather_pipeline.records.view import ProjectView
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.execution import Execution, digest

if TYPE_CHECKING:
    from gather_pipeline.tasks.catalogue import Catalogue
    from gather_pipeline.tasks.definition import TaskDefinition
    from gather_pipeline.tasks.options import ExecutionOptions
    from gather_pipeline.tasks.runner import Support

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The chosen bodies.

    Attributes:
        store: System of record.
        departments: Where departments come from.
        model: Every language model behind one door, by model id.
        providers: The providers of models.
        resolve_model: Model id that answers for the one a department names (None: it names none).
        check_reach: Raises `InvalidInput` or `SetupMissing` where that model cannot be asked in this environment, and says why.
        counter_of: Counts tokens as a model does, or by the documented estimate where its tables are not at hand.
        embedder: Texts to vectors.
        brain: Memory asked by meaning, in this process.
        brain_service: A Brain that studios share, None where none is set; who asks goes through `upkeep.remember`.
        receiver: Makes the receiver of events at a webhook address.
        channels: Where other programs hear of events, None where there is no such place.
        metrics: Measurements of all runs.
        load_cache: Opens what keeps values that can be had again.
        load_catalogue: Reads the task definitions.
        web: Reaches services that check outputs.
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
    brain: LocalBrain
    brain_service: BrainService | None
    receiver: Callable[[str], EventReceiver]
    channels: EventChannels | None
    metrics: Metrics
    load_cache: Callable[[], Cache]
    load_catalogue: Callable[[], Catalogue]
    web: WebService
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
    def replays(self) -> Executions:
        """Executions done again, which count in no ranking."""
        return Executions(self.store, self.settings.mongodb_db, self.secrets, collection=REPLAYS)

    @cached_property
    def task_support(self) -> Support:
        """What the task engine may use beside a model."""
        from gather_pipeline.tasks.fewshot import LOOKED_AT
        from gather_pipeline.tasks.kept import KeptAnswers
        from gather_pipeline.tasks.runner import Support
        from gather_pipeline.tasks.verification import Tools
        from gather_pipeline.tasks.verification.adaptive import track_record

        realm = digest(self.settings.openai_base_url or "")
        tools = Tools(embedder=self.embedder, clock=self.clock, reviews=self.reviews, web=self.web)
        return Support(
            kept=KeptAnswers(self.cache, realm),
            tools=tools,
            accepted=lambda task: self.executions.find(task=task, accepted=True, limit=LOOKED_AT),
            history=lambda task, model: track_record(self.executions.find(task=task, limit=LOOKED_AT), model),
        )

    def store_execution(self, execution: Execution) -> None:
        """Stores the record of an execution that belongs to no project, and takes up how its models did."""
        self.executions.add(execution)
        self.health.note(execution.calls)
        if self.task_support.kept is not None:
            self.task_support.kept.settle(execution)

    def task_models(self, definition: TaskDefinition, options: ExecutionOptions) -> tuple[str, ...]:
        """Models for an execution, the one to ask first at the head: the caller's, else the task's ranking, `GATHER_MODEL`, the fallbacks.

        A task without a ranking gets that of the task most like it.
        """
        from gather_pipeline.tasks.routing import most_similar, route

        department = options.tags.get("department")
        chains, ranked = self.providers.fallbacks, None
        if options.model is None and (ranked := self.rankings.get(definition.id, department)) is None:
            ranking_by_task = {one.task_id: one for one in self.rankings.all() if one.department is None}
            others = [one for one in self.catalogue if one.id in ranking_by_task]
            if (alike := most_similar(definition, others)) is not None:
                ranked = ranking_by_task[alike[0].id]
                names = definition.id, alike[0].id, alike[1]
                logger.info("[AutoGather] Task %s has no ranking yet: models as for %s, which is alike by %.2f", *names)
        fallbacks = options.fallback_models
        if fallbacks is None:
            chain = chains.tasks.get(definition.id) or chains.departments.get(str(department))
            fallbacks = self.settings.fallback_models if chain is None else chain
        found = route(
            definition,
            asked=None if options.model is None else self.resolve_model(options.model),
            ranked=[one.model for one in ranked.models if self._is_there(one.model)] if ranked else (),
            usual=(self.resolve_model(self.settings.model),),
            fallbacks=[self.resolve_model(model) for model in fallbacks],
            left_out=self.health.left_out(),
            context_tokens=lambda model: self.providers.facts(model).context_tokens,
        )
        for reason in found.reasons:
            logger.info("[AutoGather] %s", reason)
        return found.models

    def _is_there(self, model: str) -> bool:
        """Whether a model that answered once can still be asked."""
        try:
            return self.resolve_model(model) == model
        except InvalidInput:
            return False

    @cached_property
    def rankings(self) -> Rankings:
        """Which models are best at which task."""
        return Rankings(self.store, self.settings.mongodb_db)

    @cached_property
    def health(self) -> ModelHealth:
        """Models that fail."""
        return ModelHealth(self.store, self.settings.mongodb_db, self.clock, lambda model: self.providers.entry(model).health)

    @cached_property
    def reviews(self) -> Reviews:
        """Whatever waits for a person."""
        return Reviews(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def runs(self) -> Runs:
        """All runs by task id."""
        return Runs(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def submissions(self) -> Submissions:
        """What was asked of the API."""
        return Submissions(self.store, self.settings.mongodb_db, self.clock)

    @cached_property
    def tokens(self) -> Tokens:
        """Who may ask the API."""
        return Tokens(self.store, self.settings.mongodb_db, self.clock)

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

    @cached_property
    def indexing(self) -> Indexing:
        """How far the Brain service has been told of each project."""
        return Indexing(self.store, self.settings.mongodb_db)

    def project(self, project_id: str) -> ProjectRecords:
        """The records of a project; whether it is there, `projects` knows."""
        return ProjectRecords(self.store, project_id, self.marks)

    def view(self, project_id: str) -> ProjectView:
        """A project as it stands, for the steps of a run: the last view of it, or as much of it as what was written since left alone."""
        records = self.project(project_id)
        position = records.position()
        taken_at, view = self._views.get(project_id, ("", None))
        if view is None or taken_at != position:
            view = view.later() if view is not None and records.has_same_items(taken_at) else records.view()
            self._views[project_id] = position, view
        return view

    @cached_property
    def _views(self) -> dict[str, tuple[str, ProjectView]]:
        return {}

    def close(self) -> None:
        """Lets go of the store and the cache; models are closed by the loop that opened them."""
        self.store.close()
        if self.brain_service is not None:
            self.brain_service.close()
        if "cache" in self.__dict__:
            self.cache.close()
