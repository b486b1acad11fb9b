from __future__ import annotations

from typing import Any

import pytest

from gather_pipeline.adapters.models.refusals import Refusal
from gather_pipeline.adapters.models.requests import Terms, remedy, write_request
from gather_pipeline.domain.executions import Message
from gather_pipeline_tests.adapters.models.openai_asking import make_request


def tried(refusal: str, times: int = 4, parameter: str = "max_tokens") -> list[dict[str, Any]]:
    """What is sent, besides messages and model, to a server that says this to everything."""
    request, terms, sent = make_request(max_tokens=1500), Terms(), []
    for _ in range(times):
        options = write_request(request, terms, provider="custom")
        sent.append({name: value for name, value in options.items() if "tokens" in name})
        changed = remedy(terms, Refusal(kind="parameter", words=refusal, parameters=(parameter,)), request)
        if changed is None:
            break
        terms = changed
    return sent


@pytest.mark.parametrize(
    ("refusal", "sent"),
    [
        ("use max_completion_tokens", [{"max_tokens": 1500}, {"max_completion_tokens": 1500}, {}]),
        ("not allowed", [{"max_tokens": 1500}, {"max_completion_tokens": 1500}, {}]),
        ("at most 1024 with gpt-99, not 1500", [{"max_tokens": 1500}, {"max_tokens": 1024}, {"max_completion_tokens": 1024}, {}]),
        ("must be in [1, 1000000]", [{"max_tokens": 1500}, {"max_completion_tokens": 1500}, {}]),
        ("maximum context length is 2048 tokens, you asked for 1848 (348 in the messages, 1500 in the completion)", [{"max_tokens": 1500}]),
        ("maximum context length is 2048 tokens and your request has 900 input tokens", [{"max_tokens": 1500}, {"max_tokens": 1148}]),
        ("maximum context length is 2048 tokens, your prompt contains at least 3000", [{"max_tokens": 1500}]),
    ],
)
def test_a_refused_limit_is_lowered_renamed_or_left_out(refusal: str, sent: list[dict[str, int]]) -> None:
    assert tried(refusal) == sent


def test_what_was_not_sent_is_not_to_blame() -> None:
    for name in ("seed", "system", "response_format"):
        assert remedy(Terms(), Refusal(kind="parameter", words="no", parameters=(name,)), make_request()) is None


def test_the_next_parameter_named_is_blamed_where_the_first_is_left_out_already() -> None:
    refusal = Refusal(kind="parameter", words="no", parameters=("temperature", "seed"))
    first = remedy(Terms(), refusal, make_request(seed=1))
    assert first is not None and first.without == {"temperature"}
    second = remedy(first, refusal, make_request(seed=1))
    assert second is not None and second.without == {"temperature", "seed"}
    assert remedy(second, refusal, make_request(seed=1)) is None


def test_a_system_turn_is_put_before_the_first_of_the_user_and_examples_keep_their_order() -> None:
    turns = [("system", "S"), ("user", "1"), ("assistant", "2"), ("user", "3")]
    request = make_request(messages=tuple(Message(role=role, content=text) for role, text in turns))  # type: ignore[arg-type]
    sent = write_request(request, Terms(without=frozenset({"system"})), provider="custom")["messages"]
    assert [(turn["role"], turn["content"]) for turn in sent] == [("user", "S\n\n1"), ("assistant", "2"), ("user", "3")]
