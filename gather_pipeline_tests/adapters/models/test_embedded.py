"""The real model on its real weights: never skipped. The weights are fetched once and kept in the user's cache."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.models.embedded import EmbeddedModel, default_threads
from gather_pipeline.adapters.models.openai_client import OpenAiModel
from gather_pipeline.adapters.models.weights import ensure_weights
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.errors import ModelRefused, ModelTimeout, SetupMissing


@pytest.fixture(scope="module")
def weights() -> Path:
    return ensure_weights(Path(platformdirs.user_cache_dir("gather_pipeline")) / "models")


def client(base_url: str) -> OpenAiModel:
    return OpenAiModel(base_url=base_url, api_key="", provider="embedded", clock=SystemClock(), concurrency=4)


def make_request(**fields: Any) -> ModelRequest:
    turns = (Message(role="user", content="Describe the lighthouse keeper in one sentence."),)
    given = {"model": "embedded", "messages": turns, "max_tokens": 24, "seed": 7, "timeout_s": 120.0} | fields
    return ModelRequest(**given)


Saying = Callable[[EmbeddedModel], Coroutine[Any, Any, None]]
Talk = Callable[[Saying], None]


@pytest.fixture(scope="module")
def talk(weights: Path) -> Iterator[Talk]:
    """Talks to one model, which the first test starts."""
    model = EmbeddedModel(weights, client=client)
    with asyncio.Runner() as runner:
        yield lambda say: runner.run(say(model))
        runner.run(model.aclose())


def complete_with(path: Path, request: ModelRequest) -> None:
    """One request to a model of its own."""

    async def whole() -> None:
        model = EmbeddedModel(path, client=client)
        try:
            await model.complete(request)
        finally:
            await model.aclose()

    asyncio.run(whole())


def test_it_answers_for_nothing_and_the_same_twice(talk: Talk) -> None:
    async def say(model: EmbeddedModel) -> None:
        first = await model.complete(make_request())
        assert len(first.text.split()) > 5
        assert first.model == "SmolLM2-135M-Instruct.Q4_1"
        assert first.usage.cost == 0.0
        assert first.usage.completion_tokens == 24
        assert first.finish_reason == "length"
        assert (await model.complete(make_request())).text == first.text
        assert (await model.complete(make_request(seed=8))).text != first.text

    talk(say)


def test_parallel_requests_are_served_together_and_start_one_server(talk: Talk) -> None:
    async def say(model: EmbeddedModel) -> None:
        await model.aclose()
        answers = await asyncio.gather(*(model.complete(make_request(seed=seed, max_tokens=8)) for seed in range(6)))
        assert len({answer.text for answer in answers}) > 1

    talk(say)


def test_a_prefilled_opening_is_continued_and_not_repeated(talk: Talk) -> None:
    opening = "Every evening at six, Mara the keeper climbs"
    request = make_request(messages=(Message(role="user", content="Tell a story."), Message(role="assistant", content=opening)))

    async def say(model: EmbeddedModel) -> None:
        text = (await model.complete(request)).text
        assert text.strip()
        assert opening not in text
        assert not text.lstrip().startswith("Every evening")

    talk(say)


def test_a_schema_is_kept_and_a_bad_one_does_not_spoil_the_next(talk: Talk) -> None:
    schema = {"type": "object", "properties": {"mood": {"enum": ["dark", "light"]}}, "required": ["mood"], "additionalProperties": False}

    async def say(model: EmbeddedModel) -> None:
        await model.complete(make_request(response_schema={"type": "bogus"}))
        answer = await model.complete(make_request(response_schema=schema))
        assert json.loads(answer.text)["mood"] in ("dark", "light")

    talk(say)


def test_a_prompt_longer_than_its_context_is_refused_with_both_numbers(talk: Talk) -> None:
    async def say(model: EmbeddedModel) -> None:
        with pytest.raises(ModelRefused, match=r"request \(\d+ tokens\) exceeds the available context size \(2048 tokens\)"):
            await model.complete(make_request(messages=(Message(role="user", content="word " * 3000),)))

    talk(say)


def test_an_answer_that_takes_too_long_times_out_and_the_next_one_works(talk: Talk) -> None:
    async def say(model: EmbeddedModel) -> None:
        await model.complete(make_request(max_tokens=1))
        with pytest.raises(ModelTimeout):
            await model.complete(make_request(max_tokens=1500, timeout_s=0.3))
        assert (await model.complete(make_request(max_tokens=4))).text

    talk(say)


def test_it_starts_again_after_it_was_closed(talk: Talk) -> None:
    async def say(model: EmbeddedModel) -> None:
        for _ in range(2):
            assert (await model.complete(make_request(max_tokens=4))).text
            await model.aclose()

    talk(say)


def test_missing_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    path = tmp_path / "none.gguf"
    with pytest.raises(SetupMissing) as caught:
        complete_with(path, make_request())
    assert str(caught.value) == f'the embedded model\'s weights are not at {path}: run "gather setup"'


@pytest.mark.parametrize("content", [b"", b"not a model", b"GGUF\x03\x00\x00\x00"], ids=["empty", "text", "header only"])
def test_damaged_weights_name_the_command_that_fetches_them(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(SetupMissing, match='weights at .*model.gguf are damaged or no GGUF file: run "gather setup"'):
        complete_with(path, make_request())


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (3, 2), (4, 3), (16, 15)])
def test_one_core_is_left_to_the_rest_of_the_program_where_there_are_more_than_two(cores: int, threads: int) -> None:
    assert default_threads(cores) == threads


def test_nothing_reaches_standard_output_and_leaving_without_closing_does_not_hang(weights: Path, tmp_path: Path) -> None:
    """llama.cpp writes by file descriptor, beneath Python; a bad file, a bad pattern and a request in flight are its noisy moments."""
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    code = f"""
import asyncio, pathlib, warnings
warnings.simplefilter("ignore", ResourceWarning)
from gather_pipeline.adapters.models.embedded import EmbeddedModel
from gather_pipeline.errors import SetupMissing
from gather_pipeline_tests.adapters.models.test_embedded import client, make_request

async def main():
    try:
        await EmbeddedModel(pathlib.Path({str(tmp_path / "bad.gguf")!r}), client=client).complete(make_request())
    except SetupMissing:
        pass
    model = EmbeddedModel(pathlib.Path({str(weights)!r}), client=client)
    await model.complete(make_request(max_tokens=4, response_schema={{"type": "string", "pattern": "(["}}))
    asyncio.ensure_future(model.complete(make_request(max_tokens=1500)))
    await asyncio.sleep(0.3)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=90)
    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (0, "")
    assert [line for line in said if not line.startswith("WARNING: JSON schema conversion was incomplete")] == []
    assert len(said) == 1, "the bad pattern is worth its one line on standard error"
