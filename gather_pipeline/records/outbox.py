"""What has to be delivered beyond the store: a cursor over a project's stored events for each receiver, and letters kept by themselves.

The event log is the outbox: an event is on its way once it is stored, whatever becomes of its process. Letters are what the cursor has
passed without success (dead letters), what is tried once more, and alerts, which no run's log holds. One process at a time delivers to a
receiver. An event may be delivered twice, where a process was killed right after it, and never out of order but by a second attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gather_pipeline.domain.events import Event, Letter
from gather_pipeline.ports import Document, DocumentStore, EventReceiver
from gather_pipeline.records.cursors import Cursor, Cursors
from gather_pipeline.records.documents import event_of
from gather_pipeline.records.project import ProjectRecords

CURSORS, LETTERS = "delivery_cursors", "letters"


@dataclass(frozen=True, kw_only=True)
class DeliveryCursor(Cursor):
    """How far a project's events have come on their way to a receiver.

    Attributes:
        delivered: Sequence number of the last event that it has, or that became a dead letter.
        attempts: How often the event after it was sent.
        reason: Why the receiver did not take it.
        not_before: Until when the receiver asked to be left alone, seconds since the epoch.
    """

    delivered: int
    attempts: int
    reason: str
    not_before: float


class Outbox(Cursors[DeliveryCursor]):
    """The cursors and letters of all projects, in the shared database."""

    def __init__(self, store: DocumentStore, database: str) -> None:
        super().__init__(store, database, CURSORS, DeliveryCursor)

    def begin(self, project_id: str, receiver: EventReceiver, last: int) -> None:
        """Notes that a receiver is to get what comes after event number `last`, and before it what it still lacks."""
        self.open(project_id, receiver, {"delivered": last, "attempts": 0, "reason": "", "not_before": 0.0})

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

    def letters(self, project_id: str, *, dead: bool, receiver: EventReceiver | None = None) -> list[Letter]:
        """Letters kept by themselves, dead or waiting, of one receiver where it is given, in the order of their events."""
        where = {"project_id": project_id, "dead": dead} | ({"receiver": receiver.key} if receiver else {})
        found = self._store.find(self._database, LETTERS, where, sort=[("sequence", 1), ("at", 1)])
        return [_letter_of(document) for document in found]

    def undelivered(self, records: ProjectRecords, after: int = 0) -> list[Letter]:
        """What a receiver lacks of a project, in the order of the events: letters, and events after the cursors.

        Of events with a number above `after`; 0 for all, also of alerts, which have no number.
        """
        kept = [*self.letters(records.project_id, dead=True), *self.letters(records.project_id, dead=False)]
        waiting = [one for cursor in self.behind(project_id=records.project_id) for one in self.after(cursor, records)]
        lacking = [one for one in (*kept, *waiting) if not after or one.event.sequence > after]
        return sorted(lacking, key=lambda one: (one.event.sequence, one.event.at, one.host))

    def lagging(self) -> dict[str, int]:
        """Projects that some receiver lacks something of: how many dead letters each has."""
        kept = self._store.find(self._database, LETTERS)
        dead = Counter(document["project_id"] for document in kept if document["dead"])
        lacking = {cursor.project_id for cursor in self.behind()} | {document["project_id"] for document in kept}
        return {id: dead[id] for id in sorted(lacking)}

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
        for cursor in self.behind(project_id=project_id):
            if cursor.receiver == receiver.key or cursor.is_held:
                continue
            for letter in self.after(cursor, records):
                self.keep(Letter(event=letter.event, host=receiver.host), receiver)
            self._store.update(self._database, CURSORS, cursor.id, {"behind": False})


def _letter_of(document: Document) -> Letter:
    own = {name: document[name] for name in ("host", "attempts", "reason")}
    return Letter(event=event_of(document["event"]), is_dead=document["dead"], **own)
