from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import openai  # noqa: F401  loading it takes a second, which must not count against the short timeouts below
import pytest

from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.executions import Message, Usage
from gather_pipeline.errors import ModelRefused
from gather_pipeline_tests import fault_server as faults
from gather_pipeline_tests.adapters.models.openai_asking import KEY, SCHEMA, NoWait, ask, ask_all, make_request
from gather_pipeline_tests.fault_server import Reply, answer, status
from gather_pipeline_tests.server_process import free_port

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


def test_a_refusal_that_names_nothing_is_asked_again_and_then_without_response_format_from_then_on(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "unsupported request"), status(400, "unsupported request"), answer("1"), answer("2"))
    first, second = ask_all(server, clock, [make_request(response_schema=SCHEMA)] * 2)
    assert (first.text, first.attempts, second.text, second.attempts) == ("1", 3, "2", 1)
    assert ["response_format" in request for request in server.requests] == [True, True, False, False]
    assert "JSON Schema" in server.requests[2]["messages"][0]["content"]
    assert clock.waits == []


def test_a_refusal_that_names_nothing_and_does_not_come_again_changes_nothing(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "bad luck"))
    ask_all(server, clock, [make_request(response_schema=SCHEMA)] * 2)
    assert ["response_format" in request for request in server.requests] == [True, True, True]


def test_a_refused_schema_is_asked_for_as_any_json_and_then_in_words_alone(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "no json_schema here"), status(400, "no response_format here"), answer("1"), answer("2"))
    ask_all(server, clock, [make_request(response_schema=SCHEMA)] * 2)
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", None, None]
    assert '"content"' in server.requests[1]["messages"][0]["content"]


def test_what_one_model_refuses_is_remembered_for_it_and_not_for_others(serve: Any, clock: NoWait) -> None:
    server = serve(status(500, "Unsupported parameter: 'seed'", param="seed"))
    ask_all(server, clock, [make_request(seed=1), make_request(seed=1, response_schema=SCHEMA), make_request(seed=1, model="b/model")])
    assert ["seed" in request for request in server.requests] == [True, False, False, True]


def test_a_system_turn_that_is_refused_goes_into_the_users_turn(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "System role not supported"))
    messages = (Message(role="system", content="Be brief."), Message(role="user", content="Write."))
    ask(server, clock, make_request(messages=messages))
    assert server.requests[1]["messages"] == [{"role": "user", "content": "Be brief.\n\nWrite."}]


@pytest.mark.parametrize("refusal", [status(401), status(400, code="invalid_api_key"), faults.body({"error": {"code": "invalid_api_key"}})])
def test_a_wrong_key_is_asked_with_once_for_all_models_until_the_client_is_closed(serve: Any, clock: NoWait, refusal: Reply) -> None:
    server = serve(then=refusal)

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        for name in ("a/model", "a/model", "b/model"):
            with pytest.raises(ModelRefused, match="custom refused 'a/model'"):
                await model.complete(make_request(model=name))
        await model.aclose()
        with pytest.raises(ModelRefused):
            await model.complete(make_request())
        await model.aclose()

    asyncio.run(talk())
    assert len(server.requests) == 2


def test_an_empty_account_is_asked_with_once_a_model_for_a_free_one_may_still_answer(serve: Any, clock: NoWait) -> None:
    server = serve(status(402, "Insufficient credits"))

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        for _ in range(2):
            with pytest.raises(ModelRefused, match="Insufficient credits"):
                await model.complete(make_request())
        await model.complete(make_request(model="free/model"))
        await model.aclose()

    asyncio.run(talk())
    assert len(server.requests) == 2


def test_a_query_of_the_base_url_is_kept_on_every_request(serve: Any, clock: NoWait) -> None:
    server = serve()
    ask(f"{server.base_url}/chat/completions?api-version=2024-10-21&x=a%20b", clock)
    assert server.paths == ["/v1/chat/completions?api-version=2024-10-21&x=a+b"]


def test_an_answer_that_the_provider_broke_off_is_asked_for_again(serve: Any, clock: NoWait) -> None:
    half = answer(None, choices=[{"message": {"content": "half an"}, "finish_reason": "error"}])
    assert ask(serve(half, answer("whole")), clock).text == "whole"


def test_a_parameter_that_the_refusal_names_is_the_one_left_out(serve: Any, clock: NoWait) -> None:
    server = serve(status(400, "Unsupported value: 'temperature' does not support 0.7 with this model."))
    ask(server, clock, make_request(response_schema=SCHEMA))
    assert "temperature" not in server.requests[1]
    assert "response_format" in server.requests[1]


def test_a_request_that_is_bad_for_another_reason_is_refused_and_nothing_is_remembered(serve: Any, clock: NoWait) -> None:
    server = serve(*[status(400, "prompt too long")] * 3, answer("1"))

    async def talk() -> None:
        model = OpenAiModel(base_url=server.base_url, api_key=KEY, provider="custom", clock=clock)
        with pytest.raises(ModelRefused, match=r"custom refused 'a/model' \(HTTP 400\): prompt too long"):
            await model.complete(make_request(response_schema=SCHEMA))
        await model.complete(make_request(response_schema=SCHEMA))
        await model.aclose()

    asyncio.run(talk())
    assert "response_format" in server.requests[3]


def test_a_prefilled_opening_goes_to_servers_that_continue_it(serve: Any, clock: NoWait) -> None:
    request = make_request(messages=(Message(role="user", content="Write."), Message(role="assistant", content="In the storm,")))
    server = serve(answer(" Mara runs."))
    assert ask(server, clock, request, provider="embedded").text == " Mara runs."
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
    ask(server, clock, request, provider="embedded")
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
        "from gather_pipeline.adapters.embedders import hashing, minilm\n"
        "from gather_pipeline.adapters.models import embedded, openai_client, routes, scripted, weights\n"
        "print(sorted({'openai', 'xllamacpp', 'torch', 'sentence_transformers', 'httpx2', 'filelock'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


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
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert ask(serve(), clock).text == "ok"
