"""The cursors and letters of deliveries, on every body of the store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gather_pipeline.domain.events import Event, Letter, Setback
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.outbox import Outbox
from gather_pipeline.records.project import ProjectRecords

ME, OTHER = Owner.this_process("me"), Owner.this_process("other")


@dataclass
class Address:
    """A receiver that is only named."""

    key: str
    host: str = "hooks.example"

    def post(self, event: Event) -> Setback | None:
        raise AssertionError

    def close(self) -> None: ...


A, B = Address("a"), Address("b")


class Silent(ProjectRecords):
    """A project with events 1 to 5 that needs no database of its own."""

    def events(self, after: int = 0, limit: int | None = None) -> list[Event]:
        return [numbered(number) for number in range(after + 1, 6)][:limit]

    def last_sequence(self) -> int:
        return 5


def behind(outbox: Outbox, receiver: Address) -> list[str]:
    return [cursor.project_id for cursor in outbox.behind(receiver=receiver.key)]


def numbered(sequence: int) -> Event:
    fields: dict[str, Any] = {"department": "story", "summary": [{"score": 1.5}]}
    return Event(type="deduplicating", fields=fields, project_id="salt", task_id="t", sequence=sequence, at="2026")


def test_a_cursor_is_held_by_one_moved_by_its_holder_and_begun_again(store: DocumentStore, database: str) -> None:
    outbox = Outbox(store, database)
    outbox.begin("salt", A, 3)
    held = outbox.claim("salt", A, ME)
    assert held is not None and (held.delivered, held.behind, held.is_held) == (3, True, True)
    assert outbox.claim("salt", A, OTHER) is None
    moved = outbox.move(held, delivered=4, attempts=2, reason="HTTP 503")
    assert moved is not None and outbox.cursor("salt", A) == moved
    assert outbox.move(held, delivered=5) is not None, "of an older version, but still its holder's"
    outbox.leave(outbox.cursor("salt", A), done=True)
    assert behind(outbox, A) == []
    outbox.begin("salt", A, 9)
    assert (outbox.cursor("salt", A).delivered, behind(outbox, A), behind(outbox, B)) == (9, ["salt"], [])
    taken = outbox.claim("salt", A, OTHER)
    assert taken is not None and outbox.move(moved, delivered=5) is None


def test_letters_are_kept_in_order_until_they_are_dropped_and_revived_for_another(store: DocumentStore, database: str) -> None:
    outbox, records = Outbox(store, database), Silent(store, "salt")
    outbox.begin("salt", A, 3)
    for sequence in (2, 1):
        letter = Letter(event=numbered(sequence), host=A.host, attempts=1, reason="HTTP 404", is_dead=True)
        outbox.keep(replace(letter, attempts=7), A)
        outbox.keep(letter, A)
    assert outbox.letters("salt", dead=True) == [
        Letter(event=numbered(sequence), host=A.host, attempts=1, reason="HTTP 404", is_dead=True) for sequence in (1, 2)
    ]
    lacking = [(one.event.sequence, one.state) for one in outbox.undelivered(records)]
    assert lacking == [(1, "dead"), (2, "dead"), (4, "waiting"), (5, "waiting")]
    away = Address("c", "away.example")
    outbox.begin("salt", away, 4)
    assert [(one.event.sequence, one.host) for one in outbox.undelivered(records)][-2:] == [(5, away.host), (5, A.host)], "by number"
    outbox.leave(outbox.cursor("salt", away), done=True)
    assert [one.event.sequence for one in outbox.undelivered(records, after=2)] == [4, 5]
    alert = Letter(event=numbered(0), host=A.host, attempts=1, reason="HTTP 404", is_dead=True)
    outbox.keep(alert, A)
    assert outbox.undelivered(records)[0] == alert, "without a number"
    outbox.drop(alert.event, A.key)
    outbox.revive(records, B)
    assert [one.event for one in outbox.letters("salt", dead=False, receiver=B)] == [numbered(number) for number in (1, 2, 4, 5)]
    assert (outbox.letters("salt", dead=True), behind(outbox, A), behind(outbox, B)) == ([], [], ["salt"])
    for number in (1, 2, 4, 5):
        outbox.drop(numbered(number), B.key)
    assert outbox.undelivered(records) == []
