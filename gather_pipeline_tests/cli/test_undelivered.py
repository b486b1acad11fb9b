"""`gather events --undelivered` and `--redeliver`: what a webhook lacks, and another try."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.events import Event
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.deliver import Delivery
from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.listener import Listener, Said

Capture = pytest.CaptureFixture[str]
HERE = ("events", "--project", "salt")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener(by_event=lambda event: Said(404 if event["sequence"] == 1 else 429, {"Retry-After": "60"})) as listener:
        yield listener


@pytest.fixture
def refused(shell: Shell, listener: Listener, capsys: Capture) -> Shell:
    """A project of which a receiver refused an event and let two wait."""
    shell.create()
    services = build_services(load_settings(_env_file=None, home=shell.folder / "home"))
    delivery = Delivery(services, "salt", services.receiver(listener.url), of_run=True)
    for sequence in (1, 2, 3):
        named = {"department": "story"}
        services.project("salt").add_events(
            [Event(type="deduplicating", fields=named, project_id="salt", task_id="t", sequence=sequence, at="2026-01-01T00:00:00Z")]
        )
    delivery.publish(services.project("salt").events()[-1])
    delivery.end(5)
    services.close()
    capsys.readouterr()
    return shell


def test_what_a_webhook_lacks_is_listed_with_reason_and_attempts(refused: Shell, listener: Listener, capsys: Capture) -> None:
    listed = refused.here(capsys, *HERE, "--undelivered", "--json").document
    host = listener.url.split("/")[2]
    assert [(one["sequence"], one["event_id"], one["receiver"], one["state"], one["attempts"], one["reason"]) for one in listed] == [
        (1, "t-1", host, "dead", 1, "HTTP 404"),
        (2, "t-2", host, "waiting", 1, "HTTP 429"),
        (3, "t-3", host, "waiting", 0, None),
    ]
    assert listed[0]["event"]["type"] == "deduplicating"
    shown = refused.here(capsys, *HERE, "--undelivered").out.splitlines()
    assert [line.partition("  [")[2] for line in shown] == [
        f"dead, sent to {host} 1 time: HTTP 404]",
        f"waiting, sent to {host} 1 time: HTTP 429]",
        f"waiting, sent to {host} 0 times]",
    ]
    assert [one["sequence"] for one in refused.here(capsys, *HERE, "--undelivered", "--after", "2", "--json").document] == [3]


def test_it_is_sent_again_to_the_address_of_the_settings(refused: Shell, capsys: Capture) -> None:
    part = refused.here(capsys, *HERE, "--redeliver", "--after", "2")
    assert (part.code, "expected no --after with it" in part.err) == (2, True)
    done = refused.here(capsys, *HERE, "--redeliver")
    assert (done.code, done.err) == (2, "Error: GATHER_WEBHOOK_URL is not set, expected the address to deliver to\n")
    with Listener() as moved:
        refused.extra["GATHER_WEBHOOK_URL"] = moved.url
        done = refused.here(capsys, *HERE, "--redeliver", "--json")
        assert (done.code, done.document) == (0, {"delivered": 3, "refused": 0, "waiting": 0})
        assert (moved.taken, done.err) == ([1, 2, 3], f"{moved.url.split('/')[2]} took 3 events and refused 0; waiting: 0.\n")
    assert refused.here(capsys, *HERE, "--undelivered").err == "Every event was delivered, or none was to be.\n"


def test_a_receiver_that_still_refuses_makes_it_fail(refused: Shell, capsys: Capture) -> None:
    with Listener(by_event=lambda event: Said(401)) as closed:
        refused.extra["GATHER_WEBHOOK_URL"] = closed.url
        assert refused.here(capsys, *HERE, "--redeliver").code == 1
    assert {one["reason"] for one in refused.here(capsys, *HERE, "--undelivered", "--json").document} == {"HTTP 401"}


def test_an_address_that_is_none_is_refused_without_being_shown(shell: Shell, capsys: Capture) -> None:
    for address in ("ftp://host/s3cret", "https://me:s3cret@host/", "http://[s3cret"):
        shell.extra["GATHER_WEBHOOK_URL"] = address
        done = shell.here(capsys, *HERE)
        assert (done.code, "s3cret" in done.err) == (2, False)
        assert done.err.startswith("Error: GATHER_WEBHOOK_URL is 'not shown', expected ")
