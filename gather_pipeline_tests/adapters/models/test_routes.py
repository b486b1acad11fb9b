from __future__ import annotations

import asyncio
import logging

import pytest

from gather_pipeline.adapters.models.routes import ModelRouter
from gather_pipeline.domain.executions import Completion, Message, ModelRequest, Usage
from gather_pipeline.errors import InvalidInput, ModelUnavailable

CLAUDE = "anthropic/claude-sonnet-4.5"


class Body:
    """Answers with its name and the model id that it was asked for."""

    def __init__(self, name: str, *, closes: bool = True) -> None:
        self.name = name
        self.closes = closes
        self.closed = False

    async def complete(self, request: ModelRequest) -> Completion:
        text = f"{self.name}:{request.model}"
        return Completion(text=text, finish_reason="stop", model=request.model, usage=Usage(), latency_s=0.0)

    async def aclose(self) -> None:
        self.closed = True
        if not self.closes:
            raise ModelUnavailable(f"{self.name} does not close")


def ask(router: ModelRouter, model: str) -> str:
    request = ModelRequest(model=model, messages=(Message(role="user", content="x"),))
    return asyncio.run(router.complete(request)).text


@pytest.mark.parametrize(
    ("model", "provider", "answer"),
    [
        ("embedded", "openrouter", "embedded:embedded"),
        ("scripted", "openrouter", "scripted:scripted"),
        (CLAUDE, "openrouter", f"remote:{CLAUDE}"),
        ("openai/gpt-5", "openai", "remote:gpt-5"),
        ("qwen3", "custom", "remote:qwen3"),
        (CLAUDE, None, "embedded:embedded"),
        ("scripted", None, "scripted:scripted"),
    ],
)
def test_the_model_id_names_the_body(model: str, provider: str | None, answer: str) -> None:
    remote = Body("remote") if provider else None
    router = ModelRouter(embedded=Body("embedded"), scripted=Body("scripted"), remote=remote, provider=provider)
    assert ask(router, model) == answer


def test_a_substitution_is_said_in_one_line_and_once(caplog: pytest.LogCaptureFixture) -> None:
    router = ModelRouter(embedded=Body("embedded"), scripted=Body("scripted"))
    with caplog.at_level(logging.WARNING):
        for model in (CLAUDE, CLAUDE, "embedded"):
            ask(router, model)
    assert caplog.messages == [f"[AutoGather] No key and no base URL: a small local model answers for {CLAUDE}"]


def test_another_vendors_model_at_openai_is_refused() -> None:
    router = ModelRouter(embedded=Body("embedded"), scripted=Body("scripted"), remote=Body("remote"), provider="openai")
    with pytest.raises(InvalidInput, match="OpenAI does not serve"):
        ask(router, CLAUDE)


def test_every_body_is_closed_even_where_one_fails_to() -> None:
    bodies = [Body("embedded", closes=False), Body("scripted"), Body("remote")]
    router = ModelRouter(embedded=bodies[0], scripted=bodies[1], remote=bodies[2], provider="custom")
    with pytest.raises(ModelUnavailable, match="embedded does not close"):
        asyncio.run(router.aclose())
    assert all(body.closed for body in bodies)


def test_a_providers_name_before_the_colon_is_taken_off_and_a_plugin_is_made_once() -> None:
    made: list[str] = []

    def plugin(name: str) -> Body | None:
        made.append(name)
        return Body(name) if name == "acme" else None

    bodies = {"embedded": Body("embedded"), "scripted": Body("scripted"), "remote": Body("remote")}
    router = ModelRouter(**bodies, provider="custom", named={"ollama": Body("ollama")}, plugin=plugin)
    asked = ["ollama:qwen3:8b", "acme:one", "acme:two", "qwen3:8b", "scripted:b"]
    assert [ask(router, model) for model in asked] == [
        "ollama:qwen3:8b", "acme:one", "acme:two", "remote:qwen3:8b", "scripted:scripted:b"
    ]  # fmt: skip
    assert made == ["acme", "qwen3"]
