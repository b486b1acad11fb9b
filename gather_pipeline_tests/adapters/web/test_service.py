"""A service over HTTP, against a server that fails as told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gather_pipeline.adapters.web.service import HttpService
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import InvalidInput, ServiceUnavailable
from gather_pipeline.ports import WebService
from gather_pipeline_tests.fault_server import Exchange, FaultServer, Reply


class Waits:
    """Does not wait, and keeps how long it should have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def now(self) -> str:
        raise AssertionError

    def monotonic(self) -> float:
        raise AssertionError

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def says(status: int, value: Any = None, **headers: str) -> Reply:
    return lambda exchange: exchange.send_json(status, value, {name.replace("_", "-"): text for name, text in headers.items()})


def hangs(exchange: Exchange) -> None:
    exchange.server.closing.wait(5)


def asked(*replies: Reply, retries: int = 2, timeout_s: float = 5.0, keys: dict[str, str] | None = None) -> tuple[Any, FaultServer, Waits]:
    """What came, an error included, with the server and the waits."""
    waits = Waits()
    service: WebService = HttpService(waits, keys, Secrets((keys or {}).values()))
    with FaultServer(replies) as server:
        try:
            got: Any = asyncio.run(service.post(server.base_url, {"output": 1}, timeout_s=timeout_s, retries=retries))
        except ServiceUnavailable as error:
            got = error
    return got, server, waits


def test_an_answer_is_what_the_json_says():
    got, server, _ = asked(says(200, {"passed": True}))
    assert got == {"passed": True} and server.requests == [{"output": 1}]
    assert "authorization" not in server.headers[0]


def test_a_key_goes_to_its_host_alone():
    got, server, _ = asked(says(200, {"message": "no such key: s3cret-key"}), keys={"127.0.0.1": "s3cret-key"})
    assert server.headers[0]["authorization"] == "Bearer s3cret-key" and got == {"message": "no such key: ***"}
    keys = HttpService(Waits(), {"Facts.Example.ORG": "s3cret"})._keys
    assert keys == {"facts.example.org": "s3cret"}, "as the host of an address is read"
    _, server, _ = asked(says(200, {}), keys={"facts.example.org": "s3cret"})
    assert "authorization" not in server.headers[0]
    assert "s3cret" not in repr(HttpService(Waits(), {"facts.example.org": "s3cret"}))


@pytest.mark.parametrize("key", ["two words", "sch\u00fcssel", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str):
    with pytest.raises(InvalidInput, match="GATHER_SERVICE_KEYS for facts.example.org holds a blank") as refused:
        HttpService(Waits(), {"facts.example.org": key})
    assert key not in str(refused.value)


def test_a_number_that_holds_the_digits_of_a_key_stays_a_number():
    got, _, _ = asked(says(200, {"passed": True, "score": 0.123456, "key": "123456"}), keys={"127.0.0.1": "123456"})
    assert got == {"passed": True, "score": 0.123456, "key": "***"}


def test_failures_that_may_pass_are_tried_again():
    got, server, waits = asked(says(503), lambda exchange: exchange.hang_up(), says(200, {"passed": True}))
    assert got == {"passed": True} and len(server.requests) == 3
    assert 0.25 <= waits.seconds[0] <= 0.75 <= 2 * waits.seconds[1] <= 3


def test_a_wait_that_the_service_asks_for_is_kept_and_a_long_one_is_not_waited_for():
    got, _, waits = asked(says(429, Retry_After="7"), says(200, True))
    assert got is True and waits.seconds == [7.0]
    got, server, waits = asked(says(429, Retry_After="3600"), says(200, True))
    assert str(got) == "127.0.0.1 answers HTTP 429" and len(server.requests) == 1 and waits.seconds == []


@pytest.mark.parametrize(
    ("reply", "told", "tries"),
    [
        (says(500), "127.0.0.1 answers HTTP 500, tried 2 times", 2),
        (says(404), "127.0.0.1 answers HTTP 404", 1),
        (says(401, {"error": "bad key"}), "127.0.0.1 answers HTTP 401", 1),
        (says(307, Location="https://elsewhere.example.org/"), "127.0.0.1 answers HTTP 307, a redirect, which is not followed", 1),
        (lambda exchange: exchange.send(200, b"<html>"), "127.0.0.1 gives an answer that is no JSON", 1),
        (lambda exchange: exchange.send(200, b"[" * 200_000), "127.0.0.1 gives an answer that is no JSON", 1),
        (lambda exchange: exchange.send(200, b" " * 1_000_001), "127.0.0.1 answers with more than 1000000 bytes", 1),
        (
            lambda exchange: exchange.send(200, b'{"passed"', cut=True),
            "127.0.0.1 cannot be reached (RemoteProtocolError), tried 2 times",
            2,
        ),
    ],
)
def test_what_is_no_answer_is_one_sentence_without_the_address(reply: Reply, told: str, tries: int):
    got, server, _ = asked(reply, reply, retries=1)
    assert (str(got), len(server.requests)) == (told, tries)


def test_a_service_that_hangs_is_left_after_its_time():
    got, _, _ = asked(hangs, retries=0, timeout_s=0.1)
    assert str(got) == "127.0.0.1 gives no answer within 0.1 s"


def test_nobody_there_is_told():
    with FaultServer() as server:
        url = server.base_url
    with pytest.raises(ServiceUnavailable, match=r"127.0.0.1 cannot be reached \(ConnectError\)"):
        asyncio.run(HttpService(Waits()).post(url, {}, timeout_s=1, retries=0))


@pytest.mark.parametrize("url", ["ftp://facts.example.org", "https://", "http://[x", "facts", "http://facts:99999", "http://fa cts/"])
def test_what_is_no_web_address_is_refused(url: str):
    with pytest.raises(InvalidInput, match="the address of the service is not a web address"):
        asyncio.run(HttpService(Waits()).post(url, {}, timeout_s=1, retries=0))
