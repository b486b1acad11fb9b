"""Delivery of stored events to a receiver: in order, at least once, with growing waits, and never in anybody's way.

The store is the outbox (`records.outbox`): a run only wakes the thread that delivers, and what it leaves behind the next process takes up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from gather_pipeline.domain.events import Event, Letter, Setback
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import GatherError
from gather_pipeline.ports import EventBus, EventReceiver
from gather_pipeline.records.outbox import DeliveryCursor
from gather_pipeline.services import Services
from gather_pipeline.upkeep.rounds import CLOSE_WAIT_S, Rounds, go_on

logger = logging.getLogger(__name__)

LONGEST_ASKED_S = 300.0  # what a receiver that asks to wait is given at most
REDELIVER_S = 120.0
MOST_FAULTS = 8  # attempts at an event that the receiver fails at, after which it becomes a dead letter


class Delivery(Rounds[DeliveryCursor]):
    """Brings what one project has for one receiver there, from a thread of its own; the body of `EventBus`.

    Args:
        services: The engines.
        project_id: The project, empty for alerts of none.
        receiver: Who gets the events; is closed at the end.
        of_run: The caller holds the project's lease, so that no event follows once it closes this.

    Attributes:
        dead: Events that the receiver refused.
    """

    noun, done, where = "event", "delivered", "to"

    def __init__(self, services: Services, project_id: str, receiver: EventReceiver, *, of_run: bool = False) -> None:
        super().__init__("delivery of events", project_id, services.outbox, receiver)
        self._services, self._to, self._of_run, self._outbox = services, receiver, of_run, services.outbox
        self._records = services.project(project_id) if project_id else None
        self._refusal, self.dead = "", 0
        self._outbox.begin(project_id, receiver, self._records.last_sequence() if self._records else 0)
        self.start()

    def publish(self, event: Event) -> None:
        """Wakes the thread, which reads the event from the store."""
        self.wake()

    def close(self) -> None:
        """Waits a little, then says in one line what was refused and what is still to be delivered."""
        if said := self.end(CLOSE_WAIT_S):
            logger.warning("[AutoGather] %s", said)

    def refused(self) -> str:
        """What the receiver refused; counts what is left, too."""
        with suppress(GatherError):  # others report that the store is away
            self.left = self._outbox.left(self._project_id, self._records, self._to)
        if not self.dead:
            return ""
        return f"{self._to.host} refused {counted(self.dead, 'event')} ({self._refusal}), which gather events --undelivered lists"

    def round(self, cursor: DeliveryCursor, last: bool) -> float | None:
        """Sends what there is, in order."""
        wait: float | None = max(0.0, cursor.not_before - time.time()) or None
        for letter in self._outbox.pending(cursor, self._records, self._to) if wait is None else ():
            if time.monotonic() > self.until:
                wait = 0.0
                break
            moved, wait = self._note(cursor, letter, self._to.post(letter.event))
            if moved is None:
                return 0.0  # another process delivers by now
            cursor = moved
            if wait is not None:
                break
        if last:
            done = wait is None and (self._of_run or self._project_id not in self._services.leases.live())
            self._outbox.leave(cursor, done=done)
        return wait

    def _note(self, cursor: DeliveryCursor, letter: Letter, setback: Setback | None) -> tuple[DeliveryCursor | None, float | None]:
        """Stores what became of a letter; the cursor, None where it is lost, and the wait where the letter is to be sent again."""
        passed = {} if letter.is_kept else {"delivered": letter.event.sequence, "attempts": 0, "reason": ""}
        if setback is None:
            self.failures, self.taken = 0, self.taken + 1
            if letter.is_kept:
                self._outbox.drop(letter.event, self._to.key)
            return self._outbox.move(cursor, **passed), None
        sent = replace(letter, attempts=letter.attempts + 1, reason=setback.reason)
        if setback.kind == "refused" or (setback.kind == "fault" and sent.attempts >= MOST_FAULTS):
            self.failures, self.dead, self._refusal = 0, self.dead + 1, setback.reason
            self._outbox.keep(replace(sent, is_dead=True), self._to)
            return self._outbox.move(cursor, **passed), None
        self.why = setback.reason
        asked = min(setback.wait_s or 0.0, LONGEST_ASKED_S)
        changes = {"not_before": time.time() + asked} | ({} if letter.is_kept else {"attempts": sent.attempts, "reason": sent.reason})
        if letter.is_kept:
            self._outbox.keep(sent, self._to)
        return self._outbox.move(cursor, **changes), max(asked, self.delay())

    def let_go(self) -> None:
        """Lets go of the receiver."""
        self._to.close()


class Everyone:
    """The body of `EventBus` over any number of others; without any it does nothing, for the store has the events."""

    def __init__(self, *buses: EventBus) -> None:
        self._buses = buses

    def publish(self, event: Event) -> None:
        """Tells each."""
        for one in self._buses:
            one.publish(event)

    def close(self) -> None:
        """Closes each."""
        for one in self._buses:
            one.close()


def bus(services: Services, project_id: str, url: str | None) -> EventBus:
    """Delivery of a run's events to its own address, else to that of the settings, and to channels; call under the project's lease."""
    buses: list[EventBus] = [] if services.channels is None else [services.channels.bus()]
    if (receiver := receiver_of(services, url)) is not None:
        buses.append(Delivery(services, project_id, receiver, of_run=True))
    return Everyone(*buses)


def receiver_of(services: Services, url: str | None = None) -> EventReceiver | None:
    """The receiver at an address, else at that of the settings; None where neither is given."""
    wanted = url or _address(services)
    return services.receiver(wanted) if wanted else None


def _address(services: Services) -> str | None:
    setting = services.settings.webhook_url
    return setting.get_secret_value() if setting is not None else None


def resume(services: Services, until: float) -> list[str]:
    """Delivers to the address of the settings what earlier processes left behind; see `rounds.go_on`."""
    url = _address(services)
    if not url:
        return []
    lacking = services.outbox.behind(receiver=services.receiver(url).key)
    return go_on(lacking, services.leases, until, lambda project_id: Delivery(services, project_id, services.receiver(url)))


def deliver_alerts(services: Services, events: Sequence[Event]) -> str:
    """Delivers events that no run's log holds to the address of the settings; what is wrong, empty where nothing is.

    They are kept until the receiver has them.
    """
    said = []
    for project_id in dict.fromkeys(event.project_id for event in events):
        receiver = receiver_of(services)
        if receiver is None:
            return ""
        for event in (one for one in events if one.project_id == project_id):
            services.outbox.keep(Letter(event=event, host=receiver.host), receiver)
        said.append(Delivery(services, project_id, receiver).end(CLOSE_WAIT_S))
    return "; ".join(filter(None, said))


def redeliver(services: Services, project_id: str, receiver: EventReceiver) -> Delivery:
    """Sends everything that a project's receivers lack, dead letters too, to one of them; waits for the end."""
    services.outbox.revive(services.project(project_id), receiver)
    delivery = Delivery(services, project_id, receiver)
    delivery.end(REDELIVER_S)
    return delivery
