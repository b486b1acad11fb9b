"""Delivery of stored events to a receiver: in order, at least once, with growing waits, and never in anybody's way.

The store is the outbox (`records.outbox`): a run only wakes the thread that delivers, and what it leaves behind the next process takes up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex

from gather_pipeline.domain.events import Event, Letter, Setback
from gather_pipeline.domain.texts import counted
from gather_pipeline.errors import GatherError
from gather_pipeline.ports import EventBus, EventReceiver
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.outbox import DeliveryCursor
from gather_pipeline.services import Services
from gather_pipeline.upkeep.rounds import CLOSE_WAIT_S, Rounds

logger = logging.getLogger(__name__)

LONGEST_ASKED_S = 300.0  # what a receiver that asks to wait is given at most
HELD_WAIT_S = 1.0  # until the next look at a cursor that another process holds
REDELIVER_S = 120.0
MOST_FAULTS = 8  # attempts at an event that the receiver fails at, after which it becomes a dead letter


class Delivery(Rounds):
    """Brings what one project has for one receiver there, from a thread of its own; the body of `EventBus`.

    Args:
        services: The engines.
        project_id: The project, empty for alerts of none.
        receiver: Who gets the events.
        of_run: The caller holds the project's lease, so that no event follows once it closes this.

    Attributes:
        delivered: Events that the receiver took.
        dead: Events that it refused.
        left: Events that wait, once it was closed.
    """

    def __init__(self, services: Services, project_id: str, receiver: EventReceiver, *, of_run: bool = False) -> None:
        super().__init__("delivery of events")
        self._services, self._project_id, self._receiver, self._of_run = services, project_id, receiver, of_run
        self._outbox, self._records = services.outbox, services.project(project_id) if project_id else None
        self._owner = Owner.this_process(f"delivery-{token_hex(8)}")
        self._refusal = self._why = ""
        self.delivered = self.dead = self.left = 0
        self._outbox.begin(project_id, receiver, self._records.last_sequence() if self._records else 0)
        self.start()

    def publish(self, event: Event) -> None:
        """Wakes the thread, which reads the event from the store."""
        self.wake()

    def close(self) -> None:
        """Waits a little, then says in one line what was refused and what is still to be delivered."""
        if said := self.end(CLOSE_WAIT_S):
            logger.warning("[AutoGather] %s", said)

    def end(self, wait_s: float) -> str:
        """Waits at most so many seconds for what can be delivered soon; what is wrong, empty where nothing is."""
        self.join(wait_s)
        with suppress(GatherError):  # a store that is away is told of by others
            self.left = self._outbox.left(self._project_id, self._records, self._receiver)
        host, said = self._receiver.host, []
        if self.dead:
            said.append(f"{host} refused {counted(self.dead, 'event')} ({self._refusal}), which gather events --undelivered lists")
        if self.left:
            why = f" ({self._why})" if self._why else ""
            said.append(f"{counted(self.left, 'event')} still to be delivered to {host}{why}, with which the next run or sensor goes on")
        return "; ".join(said)

    def round(self, last: bool) -> float | None:
        """Sends what there is, in order; seconds until the next attempt, None where nothing is left or, at the end, another delivers."""
        cursor = self._outbox.claim(self._project_id, self._receiver, self._owner)
        if cursor is None:
            return None if last else HELD_WAIT_S
        wait: float | None = max(0.0, cursor.not_before - time.time()) or None
        for letter in self._outbox.pending(cursor, self._records, self._receiver) if wait is None else ():
            if time.monotonic() > self.until:
                wait = 0.0
                break
            setback = self._receiver.post(letter.event)
            moved, wait = self._note(cursor, letter, setback)
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
            self.failures, self.delivered = 0, self.delivered + 1
            if letter.is_kept:
                self._outbox.drop(letter.event, self._receiver.key)
            return self._outbox.move(cursor, **passed), None
        sent = replace(letter, attempts=letter.attempts + 1, reason=setback.reason)
        if setback.kind == "refused" or (setback.kind == "fault" and sent.attempts >= MOST_FAULTS):
            self.failures, self.dead, self._refusal = 0, self.dead + 1, setback.reason
            self._outbox.keep(replace(sent, is_dead=True), self._receiver)
            return self._outbox.move(cursor, **passed), None
        self._why = setback.reason
        asked = min(setback.wait_s or 0.0, LONGEST_ASKED_S)
        changes = {"not_before": time.time() + asked} | ({} if letter.is_kept else {"attempts": sent.attempts, "reason": sent.reason})
        if letter.is_kept:
            self._outbox.keep(sent, self._receiver)
        return self._outbox.move(cursor, **changes), max(asked, self.delay())

    def let_go(self) -> None:
        """Lets go of the receiver."""
        self._receiver.close()


class Everyone:
    """The body of `EventBus` over all who want to know; over nobody it lets events go: the store has them."""

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
    receiver = receiver_of(services, url)
    return Everyone(
        *([services.channels.bus()] if services.channels is not None else []),
        *([Delivery(services, project_id, receiver, of_run=True)] if receiver is not None else []),
    )


def receiver_of(services: Services, url: str | None = None) -> EventReceiver | None:
    """The receiver at an address, else at that of the settings; None where neither is given."""
    setting = services.settings.webhook_url
    wanted = url or (setting.get_secret_value() if setting is not None else None)
    return services.receiver(wanted) if wanted else None


def resume(services: Services, until: float) -> list[str]:
    """Delivers to the address of the settings what earlier processes left behind.

    Args:
        services: The engines.
        until: When no more is begun, on the clock of `time.monotonic`.

    Returns:
        A sentence for each project that was looked at.
    """
    receiver, said = receiver_of(services), []
    live = services.leases.live()
    lacking = services.outbox.behind(receiver=receiver.key) if receiver is not None else []
    for project_id in [cursor.project_id for cursor in lacking]:
        one = receiver_of(services)
        if project_id in live or one is None or (left_s := until - time.monotonic()) <= 0:
            continue
        delivery = Delivery(services, project_id, one)
        wrong = delivery.end(left_s)
        said.append(f"project {project_id}: {counted(delivery.delivered, 'event')} delivered" + (f"; {wrong}" if wrong else ""))
        if delivery.left and not delivery.delivered:
            break  # the same receiver will not take another project's
    return said


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
