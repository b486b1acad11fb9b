"""What has to be delivered beyond the store: a cursor over a project's stored events for each receiver, and letters kept by themselves.

The event log is the outbox: an event is on its way once it is stored, whatever becomes of its process. Letters are what the cursor has
passed without success (dead letters), what is tried once more, and alerts, which no run's log holds. One process at a time delivers to a
receiver. An event may be delivered twice, where a process was killed right after it, and never out of order but by a second attempt.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gather_pipeline.domain.events import Event, Letter
from gather_pipeline.errors import DuplicateKey, UnknownEntity, VersionConflict
from gather_pipeline.ports import Document, DocumentStore, EventReceiver
from gather_pipeline.records.documents import event_of
from gather_pipeline.records.lease import Holder, Owner
from gather_pipeline.records.project import ProjectRecords

CURSORS, LETTERS = "delivery_cursors", "letters"
FREE = {"owner": None, "expires": 0.0}  # a cursor that nobody holds
HOLD_S = 90.0  # longer than any request and any wait of our own between two of them


@dataclass(frozen=True, kw_only=True)
class DeliveryCursor:
    """How far a project's events have come on their way to a receiver.

    Attributes:
        receiver: Key of the receiver.
        host: Its host.
        delivered: Sequence number of the last event that it has, or that became a dead letter.
        behind: False once there is nothing more that it was to get.
        attempts: How often the event after it was sent.
        reason: Why the receiver did not take it.
        not_before: Until when the receiver asked to be left alone, seconds since the epoch.
        owner: Who delivers, None for nobody.
        expires: Until when its owner holds it without a word, seconds since the epoch.
        version: Version of its document.
    """

    id: str
    project_id: str
    receiver: str
    host: str
    delivered: int
    behind: bool
    attempts: int
    reason: str
    not_before: float
    owner: Owner | None
    expires: float
    version: int

    @property
    def is_held(self) -> bool:
        """Whether a live process delivers."""
        if self.owner is None or time.time() > self.expires:
            return False
        return not Holder(project_id=self.project_id, owner=self.owner, expires=self.expires, version=self.version).is_dead


class Outbox:
    """The cursors and letters of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        self._store, self._database = store, database

    def begin(self, project_id: str, receiver: EventReceiver, last: int) -> None:
        """Notes that a receiver is to get what comes after event number `last`, and before it what it still lacks."""
        id = f"{project_id}|{receiver.key}"
        document = self._store.get(self._database, CURSORS, id)
        fresh = {"delivered": last, "behind": True, "attempts": 0, "reason": "", "not_before": 0.0}
        try:
            if document is None:
                named = {"_id": id, "project_id": project_id, "receiver": receiver.key, "host": receiver.host}
                self._store.insert_many(self._database, CURSORS, [{**named, **fresh, **FREE}])
            else:
                # Also where it is behind: whoever is about to note that nothing is left must not do so any more.
                changes = {"behind": True} if document["behind"] else fresh
                self._store.update(self._database, CURSORS, id, changes, expected_version=document["_version"])
        except (DuplicateKey, VersionConflict):
            self.begin(project_id, receiver, last)

    def cursor(self, project_id: str, receiver: EventReceiver) -> DeliveryCursor:
        """The cursor of a delivery that was begun."""
        id = f"{project_id}|{receiver.key}"
        document = self._store.get(self._database, CURSORS, id)
        if document is None:
            raise UnknownEntity.field("delivery", id, "one that was begun")
        return _cursor_of(document)

    def claim(self, project_id: str, receiver: EventReceiver, owner: Owner) -> DeliveryCursor | None:
        """The cursor, held by `owner` from now on; None where a live process holds it."""
        cursor = self.cursor(project_id, receiver)
        if cursor.is_held and cursor.owner != owner:
            return None
        changes = {"owner": asdict(owner), "expires": time.time() + HOLD_S, "behind": True}
        try:
            return _cursor_of(self._store.update(self._database, CURSORS, cursor.id, changes, expected_version=cursor.version))
        except VersionConflict:
            return None

    def move(self, cursor: DeliveryCursor, **changes: Any) -> DeliveryCursor | None:
        """Changes a held cursor, and holds it for longer; None where another process holds it by now."""
        fields = {"expires": time.time() + HOLD_S, **changes}
        version = cursor.version
        while True:
            try:
                return _cursor_of(self._store.update(self._database, CURSORS, cursor.id, fields, expected_version=version))
            except VersionConflict:  # somebody began a delivery, or took this one over
                document = self._store.get(self._database, CURSORS, cursor.id)
                if document is None or _cursor_of(document).owner != cursor.owner:
                    return None
                version = document["_version"]

    def leave(self, cursor: DeliveryCursor, *, done: bool) -> None:
        """Lets go of a held cursor; where all is done it is behind no more, unless a delivery was begun meanwhile."""
        try:
            changes = FREE | ({"behind": False} if done else {})
            self._store.update(self._database, CURSORS, cursor.id, changes, expected_version=cursor.version)
        except VersionConflict:
            self.move(cursor, **FREE)

    def pending(self, cursor: DeliveryCursor, records: ProjectRecords | None, receiver: EventReceiver) -> Iterator[Letter]:
        """What a receiver is to get, in order: letters that wait, then the events after its cursor."""
        yield from self.letters(cursor.project_id, dead=False, receiver=receiver)
        yield from self.after(cursor, records) if records is not None else ()

    def left(self, project_id: str, records: ProjectRecords | None, receiver: EventReceiver) -> int:
        """How much a receiver is still to get."""
        return sum(1 for _ in self.pending(self.cursor(project_id, receiver), records, receiver))

    def after(self, cursor: DeliveryCursor, records: ProjectRecords) -> Iterator[Letter]:
        """Events after a cursor that is behind."""
        attempts, reason = cursor.attempts, cursor.reason
        for event in records.events(cursor.delivered) if cursor.behind else ():
            yield Letter(event=event, host=cursor.host, attempts=attempts, reason=reason, is_kept=False)
            attempts, reason = 0, ""

    def behind(self, receiver: EventReceiver) -> list[str]:
        """Projects that have something for the receiver."""
        return [one["project_id"] for one in self._store.find(self._database, CURSORS, {"receiver": receiver.key, "behind": True})]

    def letters(self, project_id: str, *, dead: bool, receiver: EventReceiver | None = None) -> list[Letter]:
        """Letters kept by themselves, dead or waiting, of one receiver where it is given, in the order of their events."""
        where = {"project_id": project_id, "dead": dead} | ({"receiver": receiver.key} if receiver else {})
        found = self._store.find(self._database, LETTERS, where, sort=[("sequence", 1), ("at", 1)])
        return [_letter_of(document) for document in found]

    def undelivered(self, records: ProjectRecords) -> list[Letter]:
        """Everything of a project that a receiver lacks: letters, and events after the cursors."""
        kept = [*self.letters(records.project_id, dead=True), *self.letters(records.project_id, dead=False)]
        waiting = [one for cursor in self._cursors(records.project_id) for one in self.after(cursor, records)]
        return sorted([*kept, *waiting], key=lambda one: (one.host, one.event.sequence, one.event.at))

    def lagging(self) -> dict[str, int]:
        """Projects that some receiver lacks something of: how many dead letters each has."""
        behind = self._store.find(self._database, CURSORS, {"behind": True})
        kept = self._store.find(self._database, LETTERS)
        dead = Counter(document["project_id"] for document in kept if document["dead"])
        return {id: dead[id] for id in sorted({document["project_id"] for document in (*behind, *kept)})}

    def keep(self, letter: Letter, receiver: EventReceiver) -> None:
        """Keeps a letter by itself, over an earlier state of it."""
        event = letter.event
        document = {"_id": f"{receiver.key}|{event.id}", "project_id": event.project_id, "receiver": receiver.key, "host": letter.host}
        order = {"sequence": event.sequence, "at": event.at, "event": event.to_document()}
        standing = {"dead": letter.is_dead, "attempts": letter.attempts, "reason": letter.reason}
        self._store.upsert(self._database, LETTERS, {**document, **order, **standing})

    def drop(self, event: Event, receiver_key: str) -> None:
        """Forgets a letter: it was delivered."""
        self._store.delete(self._database, LETTERS, {"_id": f"{receiver_key}|{event.id}"})

    def revive(self, records: ProjectRecords, receiver: EventReceiver) -> None:
        """Turns everything that a project's receivers lack into letters to one, which are sent again; a live delivery is left alone."""
        project_id = records.project_id
        self.begin(project_id, receiver, records.last_sequence())
        # A person's wish counts for more than the receiver's to be left alone.
        self._store.update(self._database, CURSORS, f"{project_id}|{receiver.key}", {"not_before": 0.0})
        for document in self._store.find(self._database, LETTERS, {"project_id": project_id}):
            letter = _letter_of(document)
            self.keep(Letter(event=letter.event, host=receiver.host), receiver)
            if document["receiver"] != receiver.key:
                self.drop(letter.event, document["receiver"])
        for cursor in self._cursors(project_id):
            if cursor.receiver == receiver.key or cursor.is_held:
                continue
            for letter in self.after(cursor, records):
                self.keep(Letter(event=letter.event, host=receiver.host), receiver)
            self._store.update(self._database, CURSORS, cursor.id, {"behind": False})

    def _cursors(self, project_id: str) -> list[DeliveryCursor]:
        return [_cursor_of(one) for one in self._store.find(self._database, CURSORS, {"project_id": project_id, "behind": True})]


def _cursor_of(document: Document) -> DeliveryCursor:
    own = {name: value for name, value in document.items() if not name.startswith("_")}
    owner = Owner(**document["owner"]) if document["owner"] is not None else None
    return DeliveryCursor(id=document["_id"], version=document["_version"], **own | {"owner": owner})


def _letter_of(document: Document) -> Letter:
    return Letter(
        event=event_of(document["event"]),
        host=document["host"],
        attempts=document["attempts"],
        reason=document["reason"],
        is_dead=document["dead"],
    )
