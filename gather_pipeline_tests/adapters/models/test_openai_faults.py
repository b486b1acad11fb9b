"""What goes wrong between us and a provider: tried again, refused, cut off, cancelled."""

from __future__ import annotations

import asyncio
import gzip
import logging
import traceback
from typing import Any

import openai  # noqa: F401  loading it takes a second, which must not count against the short timeouts below
import pytest

from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.errors import InvalidInput, ModelRefused, ModelTimeout, ModelUnavailable, RateLimited
from gather_pipeline_tests import fault_server as faults
from gather_pipeline_tests.adapters.models.openai_asking import KEY, SCHEMA, NoWait, ask, make_request
from gather_pipeline_tests.fault_server import Reply, answer, rate_limited, status
from gather_pipeline_tests.server_process import free_port

# Failures that may pass


@pytest.mark.parametrize(
    "reply",
    [
        faults.malformed(),
        faults.truncated(),
        faults.dropped(),
        faults.page(502),
        faults.page(200),
        faults.body([]),
        faults.body("text"),
        faults.body({"hello": 1}),
        answer("x", choices=[]),
        answer("x", choices=[None]),
        faults.body({"error": {"message": "upstream broke", "code": 502}}),
        faults.body({"error": "upstream broke"}),
        answer("x", choices=[{"error": {"code": 503, "message": "cut"}, "message": {"content": "half"}}]),
        status(500),
        status(503),
        status(408),
    ],
)
def test_a_failure_that_may_pass_is_tried_again_and_survived(serve: Any, clock: NoWait, reply: Reply) -> None:
    server = serve(reply, answer("recovered"))
    completion = ask(server, clock)
    assert (completion.text, completion.attempts) == ("recovered", 2)
    assert clock.waits == [0.5]


def test_three_failures_of_that_kind_are_final(serve: Any, clock: NoWait) -> None:
    server = serve(then=status(500, "the kitchen is on fire"))
    with pytest.raises(ModelUnavailable, match=r"custom cannot answer now \(HTTP 500\): the kitchen is on fire"):
        ask(server, clock)
    assert len(server.requests) == 3
    assert clock.waits == [0.5, 1.0]


def test_a_refused_connection_is_unavailable(clock: NoWait) -> None:
    with pytest.raises(ModelUnavailable, match="the connection to custom failed"):
        ask(f"http://127.0.0.1:{free_port()}/v1", clock)
    assert len(clock.waits) == 2


def test_a_rate_limit_waits_as_long_as_it_is_told_in_seconds(serve: Any, clock: NoWait) -> None:
    assert ask(serve(rate_limited("7"), answer("x")), clock).attempts == 2
    assert clock.waits == [7.0]


@pytest.mark.parametrize("header", [None, "soon", "", "nan"])
def test_a_rate_limit_that_names_no_time_waits_30_seconds_and_then_longer(serve: Any, clock: NoWait, header: str | None) -> None:
    server = serve(then=rate_limited(header))
    with pytest.raises(RateLimited, match=r"custom asks to wait \(HTTP 429\): slow down") as caught:
        ask(server, clock)
    assert caught.value.retry_after_s is None
    assert len(server.requests) == 5
    assert clock.waits == [30.0, 60.0, 120.0, 120.0]


def test_jitter_never_comes_back_before_the_time_asked_for(serve: Any, clock: NoWait) -> None:
    ask(serve(rate_limited("7"), rate_limited(None), answer("x")), clock, jitter=lambda: 1.0)
    assert 7.0 < clock.waits[0] <= 9.0
    assert 30.0 < clock.waits[1] <= 75.0


def test_each_kind_of_failure_is_counted_by_itself(serve: Any, clock: NoWait) -> None:
    server = serve(rate_limited("1"), rate_limited("1"), rate_limited("1"), status(500), status(500), answer("x"))
    assert ask(server, clock).attempts == 6


def test_a_provider_that_asks_for_an_hour_is_not_waited_for(serve: Any, clock: NoWait) -> None:
    server = serve(then=rate_limited("3600"))
    with pytest.raises(RateLimited):
        ask(server, clock)
    assert len(server.requests) == 1


def test_a_hang_ends_at_the_timeout_and_is_tried_once_more(serve: Any, clock: NoWait) -> None:
    server = serve(then=faults.hang())
    with pytest.raises(ModelTimeout, match="custom gave no answer for 'a/model' within 0.2 s"):
        ask(server, clock, make_request(timeout_s=0.2))
    assert len(server.requests) == 2
    assert server.hung_up == 2


# Refusals


@pytest.mark.parametrize(
    "reply",
    [
        status(401, "bad key"),
        status(402, "bad key"),
        status(403, "bad key"),
        status(404, "bad key"),
        status(400, "bad key"),
        status(429, "bad key", code="insufficient_quota"),
        faults.body({"error": {"message": "bad key", "code": 401}}),
    ],
)
def test_a_refusal_is_final_and_carries_the_words_of_the_provider(serve: Any, clock: NoWait, reply: Reply) -> None:
    server = serve(then=reply)
    with pytest.raises(ModelRefused, match="custom refused 'a/model' .*: bad key"):
        ask(server, clock)
    assert len(server.requests) == 1
    assert clock.waits == []


def test_a_model_that_declines_is_a_refusal(serve: Any, clock: NoWait) -> None:
    choice = {"message": {"content": None, "refusal": "I cannot help with that."}, "finish_reason": "stop"}
    with pytest.raises(ModelRefused, match="declined: I cannot help with that."):
        ask(serve(answer(None, choices=[choice])), clock)


@pytest.mark.parametrize("url", ["", "openrouter.ai", "ftp://host/v1", "http://", "http://host:99999/v1"])
def test_an_address_that_is_none_is_refused(clock: NoWait, url: str) -> None:
    with pytest.raises(InvalidInput, match="the base URL is not a web address"):
        OpenAiModel(base_url=url, api_key=KEY, provider="custom", clock=clock)


@pytest.mark.parametrize("key", ["sk-secret 1", "sk-sec\nret", "sk-sécret"])
def test_a_key_that_is_none_is_refused_without_being_shown(clock: NoWait, key: str) -> None:
    """An HTTP library would show it in its complaint about an illegal header."""
    with pytest.raises(InvalidInput, match="the API key of custom holds") as caught:
        OpenAiModel(base_url="http://127.0.0.1/v1", api_key=key, provider="custom", clock=clock)
    assert key not in str(caught.value)


# Limits, cancels, secrets


def test_no_more_requests_are_open_at_once_than_allowed(serve: Any, clock: NoWait) -> None:
    server = serve(then=answer("x", after_s=0.05))

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock, concurrency=3)
        await asyncio.gather(*(model.complete(make_request()) for _ in range(9)))
        await model.aclose()

    asyncio.run(talk())
    assert len(server.requests) == 9
    assert server.most_at_once == 3


def test_who_waits_to_ask_again_keeps_nobody_else_from_asking(serve: Any, clock: NoWait, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(rate_limited("60"), answer("second"), answer("first, at last"))

    async def talk() -> list[str]:
        second_is_answered = asyncio.Event()
        monkeypatch.setattr(clock, "sleep", lambda seconds: second_is_answered.wait())
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock, concurrency=1)
        first = asyncio.create_task(model.complete(make_request()))
        while not server.requests:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            second = await model.complete(make_request())
        second_is_answered.set()
        texts = [(await first).text, second.text]
        await model.aclose()
        return texts

    assert asyncio.run(talk()) == ["first, at last", "second"]
    assert server.most_at_once == 1


def test_a_cancel_closes_the_request_and_is_never_tried_again(serve: Any, clock: NoWait) -> None:
    server = serve(then=faults.hang())

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        task = asyncio.create_task(model.complete(make_request(timeout_s=30)))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            if server.hung_up:
                break
            await asyncio.sleep(0.01)
        await model.aclose()

    asyncio.run(talk())
    assert server.hung_up == 1
    assert len(server.requests) == 1
    assert clock.waits == []


def test_a_cancel_during_a_wait_ends_it(serve: Any, clock: NoWait, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(then=rate_limited("500"))
    monkeypatch.setattr(clock, "sleep", asyncio.sleep)

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        try:
            async with asyncio.timeout(0.5):
                await model.complete(make_request())
        finally:
            await model.aclose()

    with pytest.raises(TimeoutError):
        asyncio.run(talk())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        status(401, f"Incorrect API key provided: {KEY}. Header was Authorization: Bearer {KEY}"),
        status(400, f"bad {KEY}"),
        status(500, f"crashed with key={KEY}, url=https://hera:pa55word@inside/"),
        status(429, KEY),
        faults.body({"error": {"message": KEY, "code": 401}}),
    ],
)
def test_a_key_that_the_provider_echoes_is_never_repeated(
    serve: Any, clock: NoWait, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    server = serve(then=reply)
    url = server.base_url.replace("http://", "http://hera:pa55word@")
    model = OpenAiModel(base_url=url, api_key=KEY, provider="custom", clock=clock)

    async def talk() -> None:
        try:
            await model.complete(make_request(response_schema=SCHEMA))
        finally:
            await model.aclose()

    with caplog.at_level(logging.DEBUG), pytest.raises((ModelRefused, ModelUnavailable)) as caught:
        asyncio.run(talk())
    logging.getLogger("gather_pipeline").error("[AutoGather] failed", exc_info=caught.value)
    shown = "".join([caplog.text, repr(caught.value), repr(model), *traceback.format_exception(caught.value)])
    assert KEY not in shown
    assert "pa55word" not in shown
    assert "***" in str(caught.value)
    assert server.headers[0]["authorization"].startswith("Basic ")


@pytest.mark.parametrize("code", [200, 400])
def test_an_answer_that_unpacks_to_gigabytes_is_not_unpacked(serve: Any, clock: NoWait, code: int) -> None:
    packed = gzip.compress(b" " * 20_000_000)
    server = serve(then=lambda exchange: exchange.send(code, packed, {"Content-Encoding": "gzip"}))
    with pytest.raises(
        (ModelUnavailable, ModelRefused), match="more than 4000000 bytes, expected at most 4000000" if code == 200 else "HTTP 400"
    ):
        ask(server, clock)
