from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import openai  # noqa: F401  loading it takes a second, which must not count against the short timeouts below
import pytest

from gather_pipeline.adapters.openai_model import OpenAiModel
from gather_pipeline.adapters.scripted_model import ScriptedModel
from gather_pipeline.domain.executions import Completion, Message, ModelRequest, Usage
from gather_pipeline.errors import InvalidInput, ModelRefused, ModelTimeout, ModelUnavailable, RateLimited
from gather_pipeline_tests import fault_server as faults
from gather_pipeline_tests.fault_server import FaultServer, Reply, answer, rate_limited, status

KEY = "sk-secret-0123456789abcdef"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"], "additionalProperties": False}


class NoWait:
    """A clock on which every wait is over at once and remembered."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.seconds = 0.0

    def now(self) -> str:
        return NOON.isoformat(timespec="microseconds")

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> NoWait:
    return NoWait()


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    servers: list[FaultServer] = []

    def start(*script: Reply, then: Reply | None = None) -> FaultServer:
        servers.append(FaultServer(script, then=then).__enter__())
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


def ask(server: FaultServer | str, clock: NoWait, request: ModelRequest | None = None, **options: Any) -> Completion:
    """One completion through a model that is closed afterwards."""
    return ask_all(server, clock, [request or make_request()], **options)[0]


def ask_all(server: FaultServer | str, clock: NoWait, requests: list[ModelRequest], **options: Any) -> list[Completion]:
    async def talk() -> list[Completion]:
        url = server if isinstance(server, str) else server.base_url
        given = {"base_url": url, "api_key": KEY, "provider": "custom", "clock": clock, "jitter": lambda: 0.0} | options
        model = OpenAiModel(**given)
        try:
            return [await model.complete(request) for request in requests]
        finally:
            await model.aclose()

    return asyncio.run(talk())


def make_request(**fields: Any) -> ModelRequest:
    given = {"model": "a/model", "messages": (Message(role="user", content="Write a note."),), "timeout_s": 10.0} | fields
    return ModelRequest(**given)


# What is sent and read


def test_a_plain_answer_comes_with_usage_and_without_a_guessed_cost(serve: Any, clock: NoWait) -> None:
    server = serve(answer("A note."))
    completion = ask(server, clock, make_request(temperature=0.3, max_tokens=50, seed=5))
    assert completion.text == "A note."
    assert (completion.finish_reason, completion.model, completion.attempts) == ("stop", "a-model", 1)
    assert completion.usage == Usage(prompt_tokens=11, completion_tokens=7, cost=None)
    assert server.requests == [
        {
            "model": "a/model",
            "messages": [{"role": "user", "content": "Write a note."}],
            "temperature": 0.3,
            "max_tokens": 50,
            "seed": 5,
        }
    ]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_the_cost_follows_the_price_list_where_the_provider_names_none(serve: Any, clock: NoWait) -> None:
    completion = ask(serve(), clock, prices={"a/model": (3.0, 15.0)})
    assert completion.usage.cost == pytest.approx((11 * 3 + 7 * 15) / 1e6)


def test_openrouter_is_asked_for_its_cost_which_wins_over_the_price_list(serve: Any, clock: NoWait) -> None:
    server = serve(answer("x", usage={"prompt_tokens": 11, "completion_tokens": 7, "cost": 0.00042}))
    completion = ask(server, clock, provider="openrouter", prices={"a/model": (3.0, 15.0)})
    assert completion.usage.cost == 0.00042
    assert server.requests[0]["usage"] == {"include": True}


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": True, "completion_tokens": -1}, "none"])
def test_an_unknown_usage_stays_unknown(serve: Any, clock: NoWait, usage: object) -> None:
    completion = ask(serve(answer("x", usage=usage)), clock, prices={"a/model": (3.0, 15.0)})
    assert completion.usage == Usage(prompt_tokens=None, completion_tokens=None, cost=None)


def test_openai_itself_gets_its_newer_name_of_the_token_limit(serve: Any, clock: NoWait) -> None:
    server = serve()
    ask(server, clock, make_request(max_tokens=9), provider="openai")
    assert server.requests[0]["max_completion_tokens"] == 9
    assert "max_tokens" not in server.requests[0]


def test_a_schema_is_sent_as_response_format_and_strict_only_where_it_may_be(serve: Any, clock: NoWait) -> None:
    server = serve()
    loose = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    ask_all(server, clock, [make_request(response_schema=SCHEMA), make_request(response_schema=loose)])
    first, second = (request["response_format"]["json_schema"] for request in server.requests)
    assert first == {"name": "answer", "schema": SCHEMA, "strict": True}
    assert second == {"name": "answer", "schema": loose, "strict": False}


def test_a_model_that_refuses_response_format_is_asked_without_it_from_then_on(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "unsupported request"), answer("1"), answer("2"))
    first, second = ask_all(server, clock, [make_request(response_schema=SCHEMA)] * 2)
    assert (first.text, first.attempts, second.text, second.attempts) == ("1", 2, "2", 1)
    assert ["response_format" in request for request in server.requests] == [True, False, False]
    assert '"content"' in server.requests[1]["messages"][0]["content"]
    assert "JSON Schema" in server.requests[1]["messages"][0]["content"]
    assert clock.waits == []


def test_a_parameter_that_the_refusal_names_is_the_one_left_out(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "Unsupported value: 'temperature' does not support 0.7 with this model."))
    ask(server, clock, make_request(response_schema=SCHEMA))
    assert "temperature" not in server.requests[1]
    assert "response_format" in server.requests[1]


def test_a_request_that_is_bad_for_another_reason_is_refused_and_nothing_is_remembered(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "context too long"), status(400, "context too long"), answer("1"))

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        with pytest.raises(ModelRefused, match=r"custom refused 'a/model' \(HTTP 400\): context too long"):
            await model.complete(make_request(response_schema=SCHEMA))
        await model.complete(make_request(response_schema=SCHEMA))
        await model.aclose()

    asyncio.run(talk())
    assert "response_format" in server.requests[2]


def test_a_prefilled_opening_goes_to_servers_that_continue_it(serve: Any, clock: NoWait) -> None:
    request = make_request(messages=(Message(role="user", content="Write."), Message(role="assistant", content="In the storm,")))
    server = serve(answer(" Mara runs."))
    assert ask(server, clock, request, prefill=True).text == " Mara runs."
    assert server.requests[0]["messages"][-1] == {"role": "assistant", "content": "In the storm,"}


def test_elsewhere_the_opening_becomes_an_instruction_and_is_not_repeated(serve: Any, clock: NoWait) -> None:
    request = make_request(messages=(Message(role="user", content="Write."), Message(role="assistant", content="In the storm,")))
    server = serve(answer("In the storm, Mara runs."))
    assert ask(server, clock, request).text == " Mara runs."
    assert [message["role"] for message in server.requests[0]["messages"]] == ["user"]
    assert server.requests[0]["messages"][0]["content"].startswith("Write.\n\n")
    assert "In the storm," in server.requests[0]["messages"][0]["content"]


def test_further_sampling_goes_only_to_servers_that_know_it(serve: Any, clock: NoWait) -> None:
    server = serve()
    request = make_request(sampling={"min_p": 0.05})
    ask(server, clock, request, sampling=True)
    ask(server, clock, request)
    assert [request.get("min_p") for request in server.requests] == [0.05, None]


@pytest.mark.parametrize(
    ("reply", "text", "reason"),
    [
        (faults.nothing(), "", "stop"),
        (answer(None), "", "stop"),
        (faults.prose(), "Sure! Here are some thoughts about your film, in no particular order.", "stop"),
        (faults.half_json(), '{"content": "Mara hides the key under the thi', "length"),
        (faults.foreign_schema(), '{"recipe": "pancakes", "eggs": 3}', "stop"),
        (answer("x", choices=[{"message": {"content": "x"}}]), "x", "unknown"),
    ],
    ids=["nothing", "null", "prose", "half a JSON", "another schema", "no finish reason"],
)
def test_what_the_model_says_is_handed_on_as_it_is(serve: Any, clock: NoWait, reply: Reply, text: str, reason: str) -> None:
    """Whether an answer fits its schema is for the task to judge."""
    completion = ask(serve(reply), clock, make_request(response_schema=SCHEMA))
    assert (completion.text, completion.finish_reason) == (text, reason)


def test_a_structured_note_comes_over_http_as_the_scripted_model_writes_it(serve: Any, clock: NoWait) -> None:
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in ("content", "summary", "context")}}
    request = make_request(response_schema=schema, seed=4, max_tokens=500)
    direct = asyncio.run(ScriptedModel().complete(request)).text
    assert ask(serve(then=faults.like_the_scripted_model()), clock, request).text == direct


def test_importing_every_model_loads_no_engine() -> None:
    """`gather --help` imports what chooses among them."""
    code = (
        "import sys\n"
        "from gather_pipeline.adapters import embedded_model, hashing_embedder, minilm, model_routes\n"
        "from gather_pipeline.adapters import openai_model, scripted_model, weights\n"
        "print(sorted({'openai', 'xllamacpp', 'torch', 'sentence_transformers', 'httpx2', 'filelock'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


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
        answer("x", choices=[{"message": {"content": 5}}]),
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
        ask(f"http://127.0.0.1:{faults.closed_port()}/v1", clock)
    assert len(clock.waits) == 2


def test_a_rate_limit_waits_as_long_as_it_is_told_in_seconds(serve: Any, clock: NoWait) -> None:
    assert ask(serve(rate_limited("7"), answer("x")), clock).attempts == 2
    assert clock.waits == [7.0]


def test_a_rate_limit_waits_until_the_date_it_is_told(serve: Any, clock: NoWait) -> None:
    until = format_datetime(NOON + timedelta(seconds=42), usegmt=True)
    ask(serve(rate_limited(until), answer("x")), clock)
    assert clock.waits == [42.0]


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


def test_a_wait_that_does_not_fit_into_the_time_left_is_not_begun(serve: Any, clock: NoWait) -> None:
    server = serve(then=rate_limited("20"))
    with pytest.raises(RateLimited) as caught:
        ask(server, clock, deadline=lambda: 15.0)
    assert caught.value.retry_after_s == 20.0
    assert len(server.requests) == 1
    assert clock.waits == []


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


def test_a_hang_ends_when_the_time_left_is_over(serve: Any, clock: NoWait) -> None:
    left = iter([0.2, -0.1])
    server = serve(then=faults.hang())
    with pytest.raises(ModelTimeout):
        ask(server, clock, make_request(timeout_s=30), deadline=lambda: next(left))
    assert len(server.requests) == 1


def test_nothing_is_asked_when_no_time_is_left(serve: Any, clock: NoWait) -> None:
    server = serve()
    with pytest.raises(ModelTimeout, match="no time is left"):
        ask(server, clock, deadline=lambda: 0.0)
    assert server.requests == []


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


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"messages": ()}, r"messages is \[\], expected at least one turn"),
        ({"messages": (Message(role="assistant", content="Once"),)}, "messages is .*expected at least one turn of user or system"),
        ({"messages": (Message(role="robot", content="x"),)}, r"messages\[0\].role is 'robot', expected one of system, user, assistant"),
        ({"temperature": -0.1}, "temperature is -0.1, expected a number from 0 to 1"),
        ({"temperature": 1.5}, "temperature is 1.5, expected a number from 0 to 1"),
        ({"temperature": float("nan")}, "temperature is nan, expected a number from 0 to 1"),
        ({"max_tokens": 0}, "max_tokens is 0, expected a whole number of at least 1"),
        ({"timeout_s": 0}, "timeout_s is 0, expected a number of seconds above 0"),
        ({"model": ""}, "model is '', expected a model id"),
    ],
)
def test_a_request_that_no_model_may_see_is_refused_before_it_is_sent(
    serve: Any, clock: NoWait, fields: dict[str, Any], sentence: str
) -> None:
    server = serve()
    with pytest.raises(InvalidInput, match=sentence):
        ask(server, clock, make_request(**fields))
    assert server.requests == []


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


def test_one_model_serves_several_event_loops_in_turn(serve: Any, clock: NoWait) -> None:
    server = serve()
    model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)

    async def talk() -> str:
        text = (await model.complete(make_request())).text
        await model.aclose()
        return text

    assert [asyncio.run(talk()) for _ in range(3)] == ["ok"] * 3


def test_a_proxy_of_the_environment_does_not_stand_before_this_machine(serve: Any, clock: NoWait, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{faults.closed_port()}")
    assert ask(serve(), clock).text == "ok"


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
