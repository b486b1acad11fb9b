"""What the loop needs from outside, one Protocol an engine. Bodies live in `adapters`, `bootstrap` chooses them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from gather_pipeline.domain.executions import Completion, ModelRequest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from gather_pipeline.domain.departments import Department
    from gather_pipeline.domain.events import Event
    from gather_pipeline.domain.items import Item

Document = dict[str, Any]
Vectors: TypeAlias = "NDArray[np.float32]"  # by name, so that a command without vectors starts without numpy


@dataclass(frozen=True, kw_only=True)
class Changes:
    """A page of a collection's change log.

    Attributes:
        documents: Documents changed after the cursor, oldest change first; a deleted one is ``{"_id": ..., "_deleted": True}``.
        cursor: Where the next page starts; equal to the one given where nothing changed.
    """

    documents: list[Document]
    cursor: str


class DocumentStore(Protocol):
    """Collections of JSON-able documents (bytes allowed) in named databases: the system of record.

    Every document has a string ``_id``. The store adds ``_version`` (1, then one more at each change) and keeps ``_seq`` to itself.
    Filters map a field (dots reach into sub-documents) to a value, to ``{"$in": [...]}``, or to a range of ``$gt``, ``$gte``, ``$lt``,
    ``$lte``; anything else is refused. A missing field is never equal to, in or within anything but None.

    Every method raises `StoreUnavailable` where the engine does not answer and `StoreError` where it refuses.
    """

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents, all or none; `DuplicateKey` where an ``_id`` or a unique key is taken."""

    def get(self, database: str, collection: str, id: str) -> Document | None:
        """The document with that ``_id``, None where there is none."""

    def find(
        self,
        database: str,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> list[Document]:
        """Matching documents; `sort` is pairs of a field and 1 or -1, None sorts first, then by ``_id``."""

    def update(
        self, database: str, collection: str, id: str, changes: Mapping[str, Any], *, expected_version: int | None = None
    ) -> Document:
        """Sets top-level fields and returns the document.

        Raises `VersionConflict` where it has another version, `UnknownEntity` where it is gone.
        """

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        """Inserts the document, or replaces the one with its ``_id``; returns what is stored."""

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        """Deletes matching documents and returns how many."""

    def count(self, database: str, collection: str, where: Mapping[str, Any] | None = None) -> int:
        """How many documents match."""

    def ensure_unique(self, database: str, collection: str, fields: Sequence[str]) -> None:
        """Makes the fields together a unique key; a second call does nothing."""

    def changed_since(self, database: str, collection: str, cursor: str = "", *, limit: int = 1000) -> Changes:
        """Changes after the cursor, each document once in its newest state; no committed change is ever left out.

        Raises `StaleCursor` where the cursor is of another database, or of one that was put back from a copy since: read from the start.
        """

    def position(self, database: str) -> str:
        """The cursor with which `changed_since` tells only of what is committed from now on; the empty one where nothing is there yet."""

    def databases(self) -> list[str]:
        """Names of the databases that hold anything, in order."""

    def close(self) -> None:
        """Lets go of files and connections."""


class DepartmentSource(Protocol):
    """Where departments come from: a file now, the CMS later."""

    def departments(self) -> list[Department]:
        """Every department, checked as a whole, unfiltered, in the source's order."""


class LanguageModel(Protocol):
    """A chat model, or many behind one door, told apart by the request's model id."""

    async def complete(self, request: ModelRequest) -> Completion:
        """One answer; raises `ModelRefused`, `ModelUnavailable`, `ModelTimeout` or `RateLimited`."""

    async def aclose(self) -> None:
        """Lets go of connections and servers."""


class Embedder(Protocol):
    """Texts to unit vectors."""

    @property
    def name(self) -> str:
        """Model id, kept with each vector, so that vectors of two models are never compared."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Rows of length 1 and type float32, one a text, in order; shape (0, d) for no text."""


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """An item that a brain found.

    Attributes:
        similarity: Cosine similarity to the question, -1 to 1.
    """

    id: str
    department: str
    content: str
    summary: str
    similarity: float


class Brain(Protocol):
    """The project's memory, asked by meaning (S001-BRAIN)."""

    def context(self, project_id: str, query: str, *, limit: int = 10) -> list[Remembered]:
        """Nearest items, nearest first."""

    def index(self, project_id: str, items: Sequence[Item], vectors: Vectors) -> None:
        """Makes items findable, over those of the same ids; `vectors` are their embeddings, row by row."""

    def replace(self, project_id: str, items: Sequence[Item], vectors: Vectors) -> None:
        """Makes these items, and no others, what is known of a project."""


class EventBus(Protocol):
    """Delivery of events beyond the store: never fails the caller."""

    def publish(self, event: Event) -> None:
        """Delivers one event, or logs in one line why it could not."""

    def close(self) -> None:
        """Waits a little for events still on their way."""


class MetricsLog(Protocol):
    """Append-only measurements of one process, ingested later by one writer (D2)."""

    def append(self, kind: str, row: Mapping[str, Any]) -> None:
        """Adds one row of a kind, e.g. ``iteration``, ``call``, ``timing``, ``run`` or ``event``."""

    def close(self) -> None:
        """Makes the rows ready for ingestion."""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What one ingestion took over.

    Attributes:
        rows: New rows in the database, malformed lines included.
        files: Files that gave new rows.
        malformed: Whole lines that are not measurements; kept as text in table ``generic``.
    """

    rows: int
    files: int
    malformed: int = 0


class Metrics(Protocol):
    """Measurements of all runs (D2)."""

    def log(self, task_id: str) -> MetricsLog:
        """Opens the measurements of one run."""

    def ingest(self) -> IngestReport:
        """Takes every waiting measurement into the database, exactly once."""

    def query(self, sql: str) -> pd.DataFrame:
        """Asks the database, read-only."""


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> str:
        """The present in UTC, ISO 8601 with microseconds."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""
