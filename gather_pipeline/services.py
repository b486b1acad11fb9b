"""Every engine that the rooms need, chosen once by `bootstrap` and passed as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gather_pipeline.ports import Brain, Clock, DepartmentSource, DocumentStore, Embedder, EventBus, LanguageModel, MetricsLog
from gather_pipeline.settings import Settings
from gather_pipeline.tasks.catalogue import Catalogue


@dataclass(frozen=True, kw_only=True)
class Services:
    """The chosen bodies.

    Attributes:
        store: System of record.
        departments: Where departments come from.
        model: Every language model behind one door, by model id.
        resolve_model: Model id that answers for the one a department names (None: it names none).
        embedder: Texts to vectors.
        brain: Memory asked by meaning.
        bus: Makes the delivery of events for a webhook address (None: nobody listens).
        metrics: Opens the measurements of one run, by task id.
        catalogue: Task definitions.
        clock: Time.
        settings: The settings that all this was chosen by.
    """

    store: DocumentStore
    departments: DepartmentSource
    model: LanguageModel
    resolve_model: Callable[[str | None], str]
    embedder: Embedder
    brain: Brain
    bus: Callable[[str | None], EventBus]
    metrics: Callable[[str], MetricsLog]
    catalogue: Catalogue
    clock: Clock
    settings: Settings

    @property
    def main_database(self) -> str:
        """Database of projects, runs and leases."""
        return self.settings.mongodb_db

    def close(self) -> None:
        """Lets go of the store; models are closed by the loop that opened them."""
        self.store.close()
