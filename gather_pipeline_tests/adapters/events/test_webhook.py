"""Events by webhook: in order, never fatal, never slow, and no secret of the address in a log line (S001-EVT, C49)."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from typing import Any

import pytest

from gather_pipeline.adapters.events.webhook import GIVE_UP_AFTER, Silence, Webhook
from gather_pipeline.domain.events import Event
from gather_pipeline_tests.fault_server import closed_port


def numbered(sequence: int, **fields: str) -> Event:
    return Event(
        type="deduplicating",
        fields={"department": "story", **fields},
        project_id="p",
        task_id="t",
        sequence=sequence,
        at="2026-01-01T00:00:00Z",
    )


class Listener:
    """A real HTTP server that keeps what it is sent, and answers late or badly where it is told to."""

    def __init__(self, *statuses: int, delay_s: float = 0.0) -> None:
        self.events: list[dict[str, Any]] = []
        answers = chain(statuses, repeat(statuses[-1] if statuses else 204))
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener.events.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                time.sleep(delay_s)
                self.send_response(next(answers))
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/hook/s3cret?token=s3cret"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_events_arrive_whole_and_in_order(listener: Listener) -> None:
    webhook = Webhook(listener.url)
    for number in range(20):
        webhook.publish(numbered(number, reason="é 日本"))
    webhook.close()
    assert [event["sequence"] for event in listener.events] == list(range(20))
    assert listener.events[0]["reason"] == "é 日本"


def test_a_slow_listener_does_not_hold_up_the_loop() -> None:
    slow = Listener(delay_s=0.6)
    webhook = Webhook(slow.url, timeout_s=0.2)
    began = time.monotonic()
    for number in range(3):
        webhook.publish(numbered(number))
    assert time.monotonic() - began < 0.1
    webhook.close()
    assert len(slow.events) == 3
    slow.close()


def test_a_failing_listener_is_told_of_by_host_and_reason_alone_and_left_alone_after_five(caplog: pytest.LogCaptureFixture) -> None:
    failing = Listener(500)
    webhook = Webhook(failing.url)
    with caplog.at_level(logging.DEBUG):
        for number in range(GIVE_UP_AFTER + 4):
            webhook.publish(numbered(number))
        webhook.close()
    assert len(failing.events) == GIVE_UP_AFTER
    assert "127.0.0.1" in caplog.text
    assert "HTTP 500" in caplog.text
    assert "no more are sent" in caplog.text
    assert "s3cret" not in caplog.text + repr(webhook)
    failing.close()


def test_a_listener_that_is_busy_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    busy = Listener(503, 429, 204)
    webhook = Webhook(busy.url)
    webhook.publish(numbered(1))
    webhook.close()
    assert [event["sequence"] for event in busy.events] == [1, 1, 1]
    assert caplog.text == ""
    busy.close()


def test_nobody_listening_is_never_fatal(caplog: pytest.LogCaptureFixture) -> None:
    webhook = Webhook(f"http://127.0.0.1:{closed_port()}/s3cret")
    webhook.publish(numbered(1))
    webhook.close()
    assert "ConnectError" in caplog.text
    assert "s3cret" not in caplog.text


def test_closing_does_not_wait_for_a_listener_that_hangs() -> None:
    hanging = Listener(delay_s=30)
    webhook = Webhook(hanging.url, timeout_s=0.3)
    webhook.publish(numbered(1))
    began = time.monotonic()
    webhook.close()
    assert time.monotonic() - began < 3
    hanging.close()


def test_without_an_address_events_stay_in_the_store() -> None:
    silence = Silence()
    silence.publish({"sequence": 1})
    silence.close()
