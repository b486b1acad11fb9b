"""Delivery beyond the store: in order, at least once, taken up by whoever comes next, and nobody waits for it for long."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import pytest

from gather_pipeline.domain.events import Event, Letter
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.outbox import CURSORS
from gather_pipeline.upkeep import deliver, rounds
from gather_pipeline.upkeep.deliver import Delivery, bus, deliver_alerts, redeliver, resume
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.listener import Listener, Said
from gather_pipeline_tests.server_process import free_port


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "FIRST_WAIT_S", 0.005)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


@pytest.fixture
def studio(tmp_path: Path, listener: Listener) -> Iterator[Studio]:
    studio = Studio.open(tmp_path, (department_row("story", 1, most=1),), webhook_url=listener.url)
    yield studio
    studio.close()


def happen(studio: Studio, number: int) -> None:
    """So many events more are stored."""
    last = studio.records.last_sequence()
    for sequence in range(last + 1, last + number + 1):
        fields = {"department": "story"}
        studio.records.add_events(
            [Event(type="deduplicating", fields=fields, project_id=PROJECT, task_id="t", sequence=sequence, at="now")]
        )


def delivered(studio: Studio, url: str, number: int = 0, wait_s: float = 5.0) -> Delivery:
    """A run's delivery, in which so many events happen, once it has ended."""
    delivery = Delivery(studio.services, PROJECT, studio.services.receiver(url), of_run=True)
    for _ in range(number):
        happen(studio, 1)
        delivery.publish(studio.records.events()[-1])
    delivery.end(wait_s)
    return delivery


def undelivered(studio: Studio) -> list[Letter]:
    return studio.services.outbox.undelivered(studio.records)


def test_a_run_delivers_each_of_its_events_in_order_to_the_address_of_the_settings(studio: Studio, listener: Listener) -> None:
    studio.run()
    stored = studio.records.events()
    assert listener.events == [event.to_document() for event in stored] and stored[-1].type == "automation_complete"
    assert undelivered(studio) == []


def test_an_address_of_the_runs_own_wins_and_gets_nothing_of_runs_that_did_not_name_it(studio: Studio, listener: Listener) -> None:
    with Listener() as own:
        studio.run("first", webhook_url=own.url)
        first = studio.records.last_sequence()
        studio.run("second")
        studio.run("third", webhook_url=own.url)
    assert {event["task_id"] for event in own.events} == {"first", "third"}
    assert listener.taken == [number for number in range(1, studio.records.last_sequence() + 1) if number in listener.taken]
    assert listener.taken[0] == first + 1 and {event["task_id"] for event in listener.events} == {"second"}


def test_what_a_dead_receiver_lacks_the_next_run_brings_before_its_own(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/hook/s3cret"
    assert studio.run("first", webhook_url=url).status == "completed"
    stored = studio.records.last_sequence()
    said = f"{stored} events still to be delivered to 127.0.0.1:{port} (no connection (ConnectError)), with which the next run"
    assert [said in record.getMessage() for record in caplog.records if record.name == deliver.__name__] == [True]
    assert "s3cret" not in caplog.text
    with Listener(port=port) as back:
        studio.run("second", webhook_url=url)
        assert back.taken == list(range(1, studio.records.last_sequence() + 1))
    assert studio.records.last_sequence() > stored


def test_a_receiver_that_comes_back_during_the_run_gets_all_of_it(studio: Studio, listener: Listener) -> None:
    listener.answers = [Said(503)] * (rounds.PATIENCE - 1)
    delivery = delivered(studio, listener.url, 12)
    assert (listener.taken, delivery.left) == ([*range(1, 13)], 0)


def test_a_slow_receiver_gets_the_rest_from_the_next_process(studio: Studio, listener: Listener) -> None:
    listener.by_event = lambda event: Said(delay_s=0.15)
    began = time.monotonic()
    delivery = Delivery(studio.services, PROJECT, studio.services.receiver(listener.url), of_run=True)
    happen(studio, 8)
    delivery.publish(studio.records.events()[-1])
    said = delivery.end(0.4)
    assert time.monotonic() - began < 5
    assert f"{delivery.left} events still to be delivered" in said and delivery.left > 0
    delivery._thread.join()
    listener.by_event = None
    assert resume(studio.services, time.monotonic() + 20)
    assert list(dict.fromkeys(listener.taken)) == [*range(1, 9)] and len(listener.taken) <= 9
    assert resume(studio.services, time.monotonic() + 20) == [], "nothing is behind any more"


def test_what_is_refused_is_a_dead_letter_with_its_reason_and_is_sent_again_on_request(studio: Studio, listener: Listener) -> None:
    listener.by_event = lambda event: Said(404 if event["sequence"] in (2, 3) else 204)
    delivery = delivered(studio, listener.url, 4)
    assert (listener.taken, delivery.dead, delivery.left) == ([1, 4], 2, 0)
    assert [(one.event.sequence, one.attempts, one.reason, one.is_dead) for one in undelivered(studio)] == [
        (2, 1, "HTTP 404", True),
        (3, 1, "HTTP 404", True),
    ]
    assert resume(studio.services, time.monotonic() + 20) == [], "a dead letter is not tried by itself"
    listener.by_event = None
    again = redeliver(studio.services, PROJECT, studio.services.receiver(listener.url))
    assert (listener.taken, again.taken, undelivered(studio)) == ([1, 4, 2, 3], 2, [])


def test_what_another_address_never_got_can_be_brought_to_the_one_of_the_settings(studio: Studio, listener: Listener) -> None:
    with Listener(by_event=lambda event: Said(410 if event["sequence"] == 1 else 503)) as gone:
        delivered(studio, gone.url, 3)
    again = redeliver(studio.services, PROJECT, studio.services.receiver(listener.url))
    assert (listener.taken, again.taken, undelivered(studio)) == ([1, 2, 3], 3, [])


def test_an_event_that_the_receiver_fails_at_is_set_aside_after_a_number_of_attempts_in_any_processes(
    studio: Studio, listener: Listener
) -> None:
    listener.by_event = lambda event: Said(500 if event["sequence"] == 2 else 204)
    delivered(studio, listener.url, 3)
    while not (letters := [one for one in undelivered(studio) if one.is_dead]):
        delivered(studio, listener.url)
    assert listener.taken == [1, 3]
    assert [(one.event.sequence, one.attempts) for one in letters] == [(2, deliver.MOST_FAULTS)]
    assert [event["sequence"] for event in listener.events].count(2) == deliver.MOST_FAULTS


def test_a_receiver_that_is_away_is_tried_for_as_long_as_it_takes(studio: Studio, listener: Listener) -> None:
    listener.answers = [Said(502)] * (3 * deliver.MOST_FAULTS)
    for _ in range(3 * deliver.MOST_FAULTS // rounds.PATIENCE + 1):
        delivered(studio, listener.url, 1)
    assert listener.taken == [*range(1, studio.records.last_sequence() + 1)]


def test_a_receiver_that_asks_to_wait_is_left_alone_by_every_process(studio: Studio, listener: Listener) -> None:
    listener.answers = [Said(429, {"Retry-After": "3600"})]
    began = time.monotonic()
    assert delivered(studio, listener.url, 2).left == 2
    assert "0 events delivered; 2 events still to be delivered" in resume(studio.services, time.monotonic() + 20)[0]
    assert time.monotonic() - began < 5 and len(listener.events) == 1
    ((document),) = studio.services.store.find(studio.services.settings.mongodb_db, CURSORS)
    assert 0 < document["not_before"] - time.time() <= deliver.LONGEST_ASKED_S
    redeliver(studio.services, PROJECT, studio.services.receiver(listener.url))
    assert listener.taken == [1, 2], "whoever asks for it need not wait"


def test_a_short_wait_that_is_asked_for_is_waited_for(studio: Studio, listener: Listener) -> None:
    listener.answers = [Said(429, {"Retry-After": "0.3"})]
    began = time.monotonic()
    delivered(studio, listener.url, 2)
    assert listener.taken == [1, 2] and time.monotonic() - began >= 0.3


def held_by(studio: Studio, listener: Listener, owner: Owner) -> None:
    outbox, receiver = studio.services.outbox, studio.services.receiver(listener.url)
    outbox.begin(PROJECT, receiver, 0)
    happen(studio, 2)
    assert outbox.claim(PROJECT, receiver, owner) is not None


def test_one_process_at_a_time_delivers(studio: Studio, listener: Listener) -> None:
    held_by(studio, listener, Owner.this_process("another"))
    delivered(studio, listener.url)
    assert listener.events == []


def test_the_delivery_of_a_killed_process_is_taken_over_at_once(studio: Studio, listener: Listener) -> None:
    killed = subprocess.Popen([sys.executable, "-c", "pass"])
    killed.wait()
    held_by(studio, listener, replace(Owner.this_process("killed"), pid=killed.pid, started=time.time()))
    delivered(studio, listener.url)
    assert listener.taken == [1, 2]


def test_who_lost_its_place_to_another_process_sends_no_more(studio: Studio, listener: Listener) -> None:
    store, database, numbers = studio.services.store, studio.services.settings.mongodb_db, count(1)

    def taken_over(event: object) -> Said:
        if next(numbers) == 2:
            (document,) = store.find(database, CURSORS)
            store.update(database, CURSORS, document["_id"], {"owner": asdict(Owner.this_process("another"))})
        return Said()

    listener.by_event = taken_over
    held_by(studio, listener, Owner.this_process("first"))
    store.update(database, CURSORS, store.find(database, CURSORS)[0]["_id"], {"owner": None})
    happen(studio, 3)
    assert delivered(studio, listener.url).left == 4, "the second event was sent, and the other process will send it again"
    assert listener.taken == [1, 2]


def test_a_delivery_that_was_begun_while_another_ended_stays_open(studio: Studio, listener: Listener) -> None:
    outbox, receiver = studio.services.outbox, studio.services.receiver(listener.url)
    outbox.begin(PROJECT, receiver, 0)
    ending = outbox.claim(PROJECT, receiver, Owner.this_process("ending"))
    assert ending is not None
    outbox.begin(PROJECT, receiver, 0)
    outbox.leave(ending, done=True)
    assert [one.project_id for one in outbox.behind(receiver=receiver.key)] == [PROJECT] and not outbox.cursor(PROJECT, receiver).is_held


def test_alerts_are_kept_until_the_receiver_has_them(studio: Studio, listener: Listener) -> None:
    listener.by_event = lambda event: Said(503 if event["project_id"] else 204)
    events = [
        Event(type="automation_failed", fields={"error": "why"}, project_id=project, task_id=f"run-{project}", at="now")
        for project in (PROJECT, "")
    ]
    assert "1 event still to be delivered to 127.0.0.1" in deliver_alerts(studio.services, events)
    assert {event["task_id"] for event in listener.events} == {f"run-{PROJECT}", "run-"}
    assert [one.attempts >= rounds.PATIENCE for one in undelivered(studio)] == [True]
    listener.by_event = None
    assert resume(studio.services, time.monotonic() + 20) == [f"project {PROJECT}: 1 event delivered"]
    assert listener.headers[-1]["webhook-id"] == f"run-{PROJECT}-automation_failed"
    assert undelivered(studio) == []


def test_without_an_address_events_stay_in_the_store(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path)
    bus(studio.services, PROJECT, None).close()
    assert (deliver_alerts(studio.services, []), resume(studio.services, time.monotonic())) == ("", [])
    assert studio.services.store.find(studio.services.settings.mongodb_db, CURSORS) == []
    studio.close()
