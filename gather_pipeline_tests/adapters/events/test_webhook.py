"""One POST an event: what the receiver's answer means, and no secret of the address in it (S001-EVT, C49)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import time
from collections.abc import Iterator

import pytest

from gather_pipeline.adapters.events.webhook import Webhook
from gather_pipeline.domain.events import Event, Setback
from gather_pipeline_tests.listener import Listener, Said
from gather_pipeline_tests.server_process import free_port


def numbered(sequence: int, **fields: str) -> Event:
    named = {"department": "story", **fields}
    return Event(type="deduplicating", fields=named, project_id="p", task_id="t", sequence=sequence, at="2026-01-01T00:00:00Z")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as listener:
        yield listener


def posted(listener: Listener, said: Said, *, timeout_s: float = 10.0) -> Setback | None:
    listener.answers = [said]
    webhook = Webhook(listener.url, timeout_s=timeout_s)
    try:
        return webhook.post(numbered(1))
    finally:
        webhook.close()


def test_an_event_arrives_whole_with_an_id_that_tells_a_second_delivery(listener: Listener) -> None:
    webhook = Webhook(listener.url)
    assert [webhook.post(numbered(number, reason="é 日本")) for number in (7, 8, 8)] == [None, None, None]
    webhook.close()
    assert [(event["sequence"], event["reason"]) for event in listener.events] == [(7, "é 日本"), (8, "é 日本"), (8, "é 日本")]
    assert [headers["webhook-id"] for headers in listener.headers] == ["t-7", "t-8", "t-8"]


@pytest.mark.parametrize(("secret", "key"), [("whsec_c2FsdC1sZWRnZXI=", b"salt-ledger"), ("salt ledger é", "salt ledger é".encode())])
def test_a_secret_signs_id_time_and_body_of_each_attempt_as_standard_webhooks_has_it(listener: Listener, secret: str, key: bytes) -> None:
    began = int(time.time())
    webhook = Webhook(listener.url, secret)
    assert [webhook.post(numbered(number, reason="é 日本")) for number in (7, 8)] == [None, None]
    webhook.close()
    for headers, body in zip(listener.headers, listener.bodies, strict=True):
        at = headers["webhook-timestamp"]
        assert began <= int(at) <= time.time()
        signed = hmac.new(key, f"{headers['webhook-id']}.{at}.".encode() + body, hashlib.sha256).digest()
        assert headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert secret not in f"{webhook!r} {listener.headers}"


def test_without_a_secret_nothing_is_signed(listener: Listener) -> None:
    assert posted(listener, Said()) is None
    assert [name for name in listener.headers[0] if name.startswith("webhook-")] == ["webhook-id"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_that_names_its_end_and_is_not_followed(listener: Listener, status: int) -> None:
    setback = posted(listener, Said(status, {"Location": "/other/place?token=s3cret"}))
    host = listener.url.split("/")[2]
    assert setback == Setback(kind="refused", reason=f"HTTP {status}, a redirect to http://{host}/other/place, which is not followed")
    assert listener.methods == ["POST"]


def test_a_redirect_that_repeats_the_address_gives_no_secret_of_it_away(listener: Listener) -> None:
    setback = posted(listener, Said(308, {"Location": listener.url.replace("?", "/?")}))
    assert setback is not None
    assert "/hook/***/" in setback.reason
    assert "s3cret" not in setback.reason


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 300, 304])
def test_what_will_never_work_is_refused_by_its_first_answer(listener: Listener, status: int) -> None:
    assert posted(listener, Said(status)) == Setback(kind="refused", reason=f"HTTP {status}")


@pytest.mark.parametrize("status", [500, 501, 505])
def test_a_failure_of_the_receiver_may_be_this_events(listener: Listener, status: int) -> None:
    assert posted(listener, Said(status)) == Setback(kind="fault", reason=f"HTTP {status}")


@pytest.mark.parametrize(("status", "after", "wait_s"), [(429, "7", 7.0), (503, "1m", 60.0), (502, "soon", None), (504, None, None)])
def test_who_is_away_or_busy_is_waited_for(listener: Listener, status: int, after: str | None, wait_s: float | None) -> None:
    setback = posted(listener, Said(status, {"Retry-After": after} if after else {}))
    assert setback == Setback(kind="away", reason=f"HTTP {status}", wait_s=wait_s)


def test_who_answers_too_late_or_nobody_is_away(listener: Listener) -> None:
    assert posted(listener, Said(204, delay_s=1.0), timeout_s=0.1) == Setback(kind="away", reason="no answer within 0.1 s")
    gone = Webhook(f"http://127.0.0.1:{free_port()}/s3cret")
    assert gone.post(numbered(1)) == Setback(kind="away", reason="no connection (ConnectError)")
    gone.close()


def test_the_proxies_of_the_environment_count_as_they_do_for_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks4://proxy")
    setback = Webhook("http://hooks.example/s3cret").post(numbered(1))
    assert setback is not None
    assert (setback.kind, setback.reason.split(",")[0]) == ("away", "ALL_PROXY is no address of a proxy")


def test_only_the_host_of_the_address_is_ever_shown(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    webhook = Webhook(listener.url)
    with caplog.at_level(logging.DEBUG):
        webhook.post(numbered(1))
    webhook.close()
    assert "s3cret" not in caplog.text + repr(webhook) + webhook.key + webhook.host
