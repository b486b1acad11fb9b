"""Cursors of what receivers beyond the store have of a project, each held by one process at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

from gather_pipeline.errors import DuplicateKey, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document, DocumentStore
from gather_pipeline.records.lease import Owner

FREE = {"owner": None, "expires": 0.0}  # a cursor that nobody holds
HOLD_S = 90.0  # longer than any request and any wait of our own between two of them


class Receiver(Protocol):
    """Who gets what a project has; `key` identifies it without giving its address away, `host` is for messages."""

    key: str
    host: str


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """How far a project's things have come on their way to a receiver.

    Attributes:
        receiver: Key of the receiver.
        behind: False once there is nothing more that it was to get.
        owner: Who delivers, None for nobody.
        expires: Until when its owner holds it without a word, seconds since the epoch.
    """

    id: str
    project_id: str
    receiver: str
    host: str
    behind: bool
    owner: Owner | None
    expires: float
    version: int

    @property
    def is_held(self) -> bool:
        """Whether a live process delivers."""
        return self.owner is not None and time.time() <= self.expires and not self.owner.is_gone(self.expires)


CursorT = TypeVar("CursorT", bound=Cursor)


class Cursors(Generic[CursorT]):
    """The cursors of one kind of all projects, in a collection of the shared database."""

    def __init__(self, store: DocumentStore, database: str, collection: str, kind: Callable[..., CursorT]) -> None:
        self._store, self._database, self._collection, self._kind = store, database, collection, kind

    def open(self, project_id: str, receiver: Receiver, fresh: Mapping[str, Any], *, again: Mapping[str, Any] | None = None) -> None:
        """Notes that a receiver is to get something, from where it stopped.

        `fresh` are fields of a cursor that is not there yet, `again` those that change where it lacked nothing; as `fresh` where None.
        """
        id = f"{project_id}|{receiver.key}"
        document = self._store.get(self._database, self._collection, id)
        try:
            if document is None:
                named = {"_id": id, "project_id": project_id, "receiver": receiver.key, "host": receiver.host}
                self._store.insert_many(self._database, self._collection, [{**named, **fresh, "behind": True, **FREE}])
            else:
                # Also where it is behind, so that a process about to note that nothing is left gets a version conflict.
                changes = {} if document["behind"] else fresh if again is None else again
                self._update(id, {**changes, "behind": True}, document["_version"])
        except (DuplicateKey, VersionConflict):
            self.open(project_id, receiver, fresh, again=again)

    def cursor(self, project_id: str, receiver: Receiver) -> CursorT:
        """The cursor of a delivery that was begun."""
        id = f"{project_id}|{receiver.key}"
        document = self._store.get(self._database, self._collection, id)
        if document is None:
            raise UnknownEntity.field("delivery", id, "one that was begun")
        return self._read(document)

    def claim(self, project_id: str, receiver: Receiver, owner: Owner) -> CursorT | None:
        """The cursor, held by `owner` from now on; None where a live process holds it."""
        cursor = self.cursor(project_id, receiver)
        if cursor.is_held and cursor.owner != owner:
            return None
        changes = {"owner": asdict(owner), "expires": time.time() + HOLD_S, "behind": True}
        try:
            return self._update(cursor.id, changes, cursor.version)
        except VersionConflict:
            return None

    def move(self, cursor: CursorT, **changes: Any) -> CursorT | None:
        """Changes a held cursor, and holds it for longer; None where another process holds it by now."""
        fields = {"expires": time.time() + HOLD_S, **changes}
        version = cursor.version
        while True:
            try:
                return self._update(cursor.id, fields, version)
            except VersionConflict:  # somebody began a delivery, or took this one over
                document = self._store.get(self._database, self._collection, cursor.id)
                if document is None or self._read(document).owner != cursor.owner:
                    return None
                version = document["_version"]

    def leave(self, cursor: CursorT, *, done: bool) -> None:
        """Lets go of a held cursor; where all is done it is behind no more, unless a delivery was begun meanwhile."""
        try:
            self._update(cursor.id, FREE | ({"behind": False} if done else {}), cursor.version)
        except VersionConflict:
            self.move(cursor, **FREE)

    def behind(self, **where: str) -> list[CursorT]:
        """Cursors with something on its way, of those whose fields have these values."""
        return self._find({"behind": True, **where})

    def of(self, receiver: Receiver) -> list[CursorT]:
        """Cursors of a receiver."""
        return self._find({"receiver": receiver.key})

    def _find(self, where: Mapping[str, Any]) -> list[CursorT]:
        return [self._read(one) for one in self._store.find(self._database, self._collection, where)]

    def _update(self, id: str, changes: Mapping[str, Any], version: int) -> CursorT:
        return self._read(self._store.update(self._database, self._collection, id, changes, expected_version=version))

    def _read(self, document: Document) -> CursorT:
        own = {name: value for name, value in document.items() if not name.startswith("_")}
        owner = Owner(**document["owner"]) if document["owner"] is not None else None
        return self._kind(id=document["_id"], version=document["_version"], **own | {"owner": owner})
