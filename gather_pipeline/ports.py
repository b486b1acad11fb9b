"""What the loop needs from outside, one Protocol an engine. Bodies live in `adapters`, `bootstrap` chooses them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from gather_pipeline.domain.executions import Completion, ModelRequest

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from pydantic import JsonValue

    from gather_pipeline.domain.departments import Department
    from gather_pipeline.domain.events import Event, Setback
    from gather_pipeline.domain.nodes import Coverage, Node
    from gather_pipeline.domain.reviews import Choice, Proposal, Review

Document = dict[str, Any]
Vectors: TypeAlias = "NDArray[np.float32]"  # by name, so that a command without vectors starts without numpy


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a follower of a collection has to look at.

    Attributes:
        documents: Documents in their newest state, the oldest change first.
        cursor: Where the next look starts; the one given where nothing is new.
    """

    documents: list[Document]
    cursor: str


class DocumentStore(Protocol):
    """Collections of JSON-able documents (bytes allowed) in named databases: the system of record.

    Every document has a string ``_id``. The store adds ``_version``: 1, then one more at each change. Text holds neither NUL nor lone
    surrogates, no key begins with ``$``, top-level ones neither with ``_`` nor hold a dot; the store refuses what does.
    Filters map ``_id`` or a top-level field to a text, a whole number, true or false, to ``{"$in": [...]}`` of these, or to a range of
    ``$gt``, ``$gte``, ``$lt``, ``$lte``; all must hold, and a missing field holds none. A field that filters or orders name has values of
    one such kind in all documents of its collection, or none.

    Every method raises `InvalidInput` where an argument is wrong, `StoreUnavailable` where the engine does not answer and `StoreError`
    where it refuses.
    """

    def insert_many(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores new documents, all or none; `DuplicateKey` where an ``_id`` is taken."""

    def get(self, database: str, collection: str, id: str) -> Document | None:
        """The document with that ``_id``, None where there is none, also where none could have it."""

    def find(
        self,
        database: str,
        collection: str,
        where: Mapping[str, Any] | None = None,
        *,
        sort: Sequence[tuple[str, int]] = (),
        limit: int | None = None,
    ) -> list[Document]:
        """Matching documents; `sort` is pairs of a field and 1 or -1, None sorts first, text by code point, then by ``_id``."""

    def update(
        self,
        database: str,
        collection: str,
        id: str,
        changes: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Document:
        """Sets top-level fields and returns the document.

        Raises `VersionConflict` where it has another version or is none that `where` matches, `UnknownEntity` where it is gone.
        """

    def upsert(self, database: str, collection: str, document: Document) -> Document:
        """Inserts the document, or replaces the one with its ``_id``; returns what is stored."""

    def delete(self, database: str, collection: str, where: Mapping[str, Any]) -> int:
        """Deletes matching documents and returns how many."""

    def changed_since(self, database: str, collection: str, cursor: str = "") -> Changes:
        """Documents inserted or changed after the cursor, each once; deleted ones are not told of.

        No committed change is left out. One may be told again, so whoever follows does the same thing twice without harm.

        Raises `StaleCursor` where the database does not know the cursor: it is another one, or was put back from a copy that was made
        before it gave the cursor, or has cleared it, for nobody has read from it for a month. Then read from the start.
        """

    def position(self, database: str) -> str:
        """A cursor of the present for every collection of a database; the empty one where nothing may be there yet."""

    def waiting(self, left: Callable[[], float]) -> AbstractContextManager[None]:
        """Within the block an engine that does not answer is waited for as long as `left` gives seconds, which may change meanwhile."""

    def close(self) -> None:
        """Lets go of files and connections."""


@dataclass(frozen=True, kw_only=True)
class StoreState:
    """How a store answers.

    Attributes:
        engine: Its name and version.
        kind: What it is made of, such as a replica set.
        latency_s: Of one small question.
    """

    engine: str
    kind: str
    latency_s: float


class MaintainedStore(DocumentStore, Protocol):
    """What operations ask of a store beside what the loop does."""

    @property
    def place(self) -> str:
        """Its hosts or folder, without a login."""

    def check(self, database: str) -> StoreState:
        """Asks the engine, and proves that the database may be written; leaves nothing behind."""

    def collections(self, database: str) -> list[str]:
        """Names of a database's collections, sorted; none where there is no such database."""

    def restore(self, database: str, collection: str, documents: Sequence[Document]) -> None:
        """Stores documents with the ``_version`` that they come with, over those of their ids; followers are told of them.

        Some may be stored where it fails; whoever calls it again does the same thing twice without harm.
        """


class DepartmentSource(Protocol):
    """Where departments come from: a file or the CMS."""

    @property
    def place(self) -> str:
        """The file's path, or the CMS's address."""

    def departments(self) -> list[Department]:
        """Every department, checked as a whole, in the source's order; the CMS leaves out those that are not to be automated.

        Raises `InvalidInput` where one is wrong or the source refuses, `CmsUnavailable` where it does not answer.
        """


class LanguageModel(Protocol):
    """A chat model, or many behind one door, told apart by the request's model id."""

    async def complete(self, request: ModelRequest) -> Completion:
        """One answer; raises `ModelRefused` or a kind of `ModelUnavailable`."""

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
    """The project's memory, asked by meaning: the four calls of S001-BRAIN.

    Every method raises `BrainUnavailable` where no usable answer comes, and `BrainRefused` where what was sent is refused.
    """

    def index(self, project_id: str, nodes: Sequence[Node]) -> None:
        """Makes nodes findable, over older versions of the same ids; those that are not active are forgotten."""

    def duplicates(self, project_id: str, content: str, *, threshold: float = 0.90) -> list[Remembered]:
        """Items that say the same as a text, the likeliest first; their `similarity` is 0 to 1 and at least `threshold`."""

    def context(
        self, project_id: str, query: str, *, department: str = "", previous: Sequence[str] = (), limit: int = 10
    ) -> list[Remembered]:
        """Items nearest to a question, nearest first: of these previous departments, of all where none is named.

        `department` is the one that asks; the service may weigh that.
        """

    def coverage(self, project_id: str, department: Department, nodes: Sequence[Node]) -> Coverage:
        """How far these nodes of a department cover its aspects."""


class LocalBrain(Brain, Protocol):
    """A brain in this process; whoever has loaded a project's items may hand them to it."""

    def replace(self, project_id: str, nodes: Sequence[Node], vectors: Vectors) -> None:
        """Makes these nodes, and no others, what is known of a project; `vectors` are their embeddings, row by row."""


@dataclass(frozen=True, kw_only=True)
class BrainState:
    """How a Brain service answers.

    Attributes:
        version: As the service reports it, empty where it does not.
        latency_s: Of one small question.
    """

    version: str
    latency_s: float


class BrainService(Brain, Protocol):
    """A Brain beyond this process.

    Attributes:
        key: Tells the service from every other without giving its address away.
        host: Its host, for messages.
    """

    key: str
    host: str

    def check(self) -> BrainState:
        """Asks a small question that needs the key and changes nothing."""

    def close(self) -> None:
        """Lets go of connections."""


CacheLayer = Literal["context", "prompt", "result", "embedding"]


@dataclass(frozen=True, kw_only=True)
class CacheStats:
    """What a cache holds.

    Attributes:
        entries: Values of each layer that has any, expired ones included until they are cleared.
        size: Bytes on disk or in memory, all layers together.
    """

    entries: Mapping[CacheLayer, int]
    size: int


class Cache(Protocol):
    """Values that can be made again at a cost; any may be gone at any time.

    Every method raises `StoreUnavailable` where the engine does not answer.
    """

    def get(self, layer: CacheLayer, key: str) -> bytes | None:
        """The value, None where there is none or it has expired."""

    def put(self, layer: CacheLayer, key: str, value: bytes, *, ttl_s: float | None = None, entities: Collection[str] = ()) -> None:
        """Keeps a value for so many seconds, for good where None; `entities` are what it was made from, such as ``project:salt``."""

    def invalidate(self, *, layer: CacheLayer | None = None, key: str | None = None, entity: str | None = None) -> int:
        """Deletes the values that match every argument given, all of them where none is given; returns how many."""

    def stats(self) -> CacheStats:
        """What it holds."""

    def claim(self, key: str) -> AbstractContextManager[None] | None:
        """Holds a key until the context ends or the process dies; None where another one, in any process, holds it."""

    def close(self) -> None:
        """Lets go of files and connections."""


class Distiller(Protocol):
    """Shortens texts and keeps what matters."""

    @property
    def name(self) -> str:
        """Who shortens, by which definitions: texts of two distillers are never taken for each other."""

    async def distil(self, text: str, kind: str, tokens: int) -> str:
        """The text in about so many tokens; `kind` says what it is: ``plot``, ``character``, ``history`` ..."""


class EventBus(Protocol):
    """Delivery of a project's stored events beyond the store: never fails or slows the caller."""

    def publish(self, event: Event) -> None:
        """Announces an event that is stored."""

    def close(self) -> None:
        """Waits a little for events still on their way."""


class EventChannels(Protocol):
    """Tells other programs of stored events as they happen. It is only a hint: a listener that was away reads the store."""

    def bus(self) -> EventBus:
        """Makes a bus that publishes events."""

    def heard(self) -> AsyncIterator[str]:
        """Ids of projects whose events are published; an empty one each time that listening begins.

        Raises `StoreUnavailable` or `StoreError` where listening fails.
        """


class ReviewQueue(Protocol):
    """Whatever waits for a person, in one place."""

    def propose(self, proposal: Proposal) -> Review:
        """Asks a person, once: what was proposed before is returned as it stands, with one more who waits; one that lapsed opens anew."""

    def get(self, id: str) -> Review:
        """The review of that id; raises `UnknownEntity` where there is none."""

    def decide(self, id: str, choice: Choice, *, by: str, note: str = "", changed: JsonValue | None = None) -> Review:
        """Ends a review; the same person may say the same again.

        Raises:
            UnknownEntity: There is none of that id.
            EditConflict: Somebody else has decided it, or it has lapsed; says who, what and when.
        """


class WebService(Protocol):
    """A service that takes JSON and answers JSON."""

    async def post(self, url: str, body: JsonValue, *, timeout_s: float, retries: int) -> JsonValue:
        """Its answer; tries again after failures that may pass, so many times.

        Raises:
            InvalidInput: The URL is no web address, or a variable of the environment does not let it be reached.
            ServiceUnavailable: It gives no answer, none in JSON, or a redirect, which is not followed.
        """


class EventReceiver(Protocol):
    """An address beyond the store that takes events, one at a time.

    Attributes:
        key: Tells the address from every other without giving it away.
        host: Its host, for messages.
    """

    key: str
    host: str

    def post(self, event: Event) -> Setback | None:
        """Sends one event; None where the receiver has it."""

    def close(self) -> None:
        """Lets go of connections."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """What a web server says to one request.

    Attributes:
        body: Its beginning.
        latency_s: Until the whole answer was there.
        headers: Their names in any case.
        wait_s: Seconds that it asks to wait before the next request, None where it does not say.
    """

    status: int
    body: bytes
    latency_s: float
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_s: float | None = None


class AskHttp(Protocol):
    """One request to a web server, as everything else here reaches it: through the proxy, by the certificates that are set."""

    def __call__(self, method: str, address: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> HttpAnswer:
        """Its answer; raises `ServiceUnavailable` where none comes, `InvalidInput` where the address or a variable cannot be used."""


ReadChanges: TypeAlias = Callable[[Mapping[tuple[str, str], str]], Iterable[tuple[str, str, Changes]]]
"""Reads what measurements are made of, from a cursor each on: database, collection and what has changed in it.

Raises `StaleCursor` where the store does not know a cursor.
"""


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What one ingestion took over: `rows` are those that are new or changed."""

    rows: int


class Metrics(Protocol):
    """Measurements of all runs, made from the document store (D2)."""

    def ingest(self) -> IngestReport:
        """Takes in what has changed in the store."""

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
