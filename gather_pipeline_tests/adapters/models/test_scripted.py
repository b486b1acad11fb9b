from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import jsonschema
import numpy as np
import pytest

from gather_pipeline.adapters.embedders.minilm import MiniLM
from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.executions import Completion, Message, ModelRequest, Usage
from gather_pipeline.errors import ModelTimeout

BRIEF = (
    "On Skerra the last keeper, Elias Varga, is sixty-one. In September the engineer Mara Lindqvist arrives at Norhavn. "
    "The island does not want it: Petra Holm runs the harbour office on Skerra, and only Ines tells the truth to Elias Varga."
)
TEXT = {"type": "string", "minLength": 1}
ITEM = {
    "type": "object",
    "properties": {"content": TEXT, "summary": TEXT, "context": TEXT},
    "required": ["content", "summary", "context"],
    "additionalProperties": False,
}
ROW = {**ITEM, "properties": {"aspect": TEXT, **ITEM["properties"]}, "required": ["aspect", *ITEM["required"]]}
BATCH = {"type": "object", "properties": {"items": {"type": "array", "items": ROW}}, "required": ["items"]}
ASPECTS = (
    "the lamp room",
    "storm at night",
    "boats",
    "silence",
    "Ines and her drawings",
    "winter light",
    "the second log book",
    "costumes",
)


def make_prompt(aspect: str, notes: tuple[str, ...] = ()) -> str:
    own = "<notes>\n" + "\n".join(f"- {note}" for note in notes) + "\n</notes>\n\n" if notes else ""
    parts = f"<project>\nThe Salt Ledger\n</project>\n\n<brief>\n{BRIEF}\n</brief>\n\n<department>\nSound\n</department>\n\n{own}"
    return f"{parts}Write one note about this aspect:\n<aspect>\n{aspect}\n</aspect>\n\nAnswer with one JSON object."


def make_request(prompt: str = "Write a production note about the storm.", **fields: Any) -> ModelRequest:
    return ModelRequest(**({"model": "scripted", "messages": (Message(role="user", content=prompt),), "max_tokens": 2000} | fields))


def ask(model: ScriptedModel, *requests: ModelRequest) -> list[Completion]:
    async def talk() -> list[Completion]:
        return list(await asyncio.gather(*(model.complete(request) for request in requests)))

    return asyncio.run(talk())


def notes(model: ScriptedModel, rounds: int) -> list[dict[str, str]]:
    requests = [make_request(make_prompt(aspect), response_schema=ITEM, seed=turn) for turn in range(rounds) for aspect in ASPECTS]
    return [json.loads(completion.text) for completion in ask(model, *requests)]


def test_a_latency_longer_than_the_request_allows_is_a_timeout() -> None:
    assert ask(ScriptedModel(latency_s=0.01), make_request())[0].latency_s == 0.01
    with pytest.raises(ModelTimeout, match=r"takes 5 s, the request allows 0.01 s"):
        ask(ScriptedModel(latency_s=5), make_request(timeout_s=0.01))


def test_the_same_request_gets_the_same_answer_in_any_order_and_any_process() -> None:
    """Runs on two stores, and a rerun after a kill, must come out alike."""
    requests = [make_request(make_prompt(aspect), response_schema=ITEM, seed=3) for aspect in ASPECTS]
    there = [completion.text for completion in ask(ScriptedModel(), *requests)]
    back = [completion.text for completion in ask(ScriptedModel(), *reversed(requests))]
    assert back[::-1] == there
    code = (
        "from gather_pipeline_tests.adapters.models.test_scripted import *\n"
        "print(ask(ScriptedModel(), make_request(make_prompt(ASPECTS[0]), response_schema=ITEM, seed=3))[0].text)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == there[0]


def test_another_seed_of_the_request_writes_another_note() -> None:
    one, two = ask(ScriptedModel(), make_request(seed=1), make_request(seed=2))
    assert one.text != two.text


def test_plain_text_is_a_note_of_40_to_60_words_about_the_aspect() -> None:
    for seed in range(40):
        completion = ask(ScriptedModel(duplicate_rate=0), make_request(make_prompt("winter light"), seed=seed))[0]
        assert 36 <= len(completion.text.split()) <= 64
        assert "winter light" in completion.text
        assert any(name in completion.text for name in ("Elias Varga", "Mara Lindqvist", "Petra Holm", "Ines"))
        assert completion.finish_reason == "stop"


def test_usage_counts_words_and_costs_nothing() -> None:
    completion = ask(ScriptedModel(), make_request("one two three"))[0]
    assert completion.usage == Usage(prompt_tokens=3, completion_tokens=len(completion.text.split()), cost=0.0)


def test_an_answer_longer_than_its_limit_is_cut_and_says_so() -> None:
    completion = ask(ScriptedModel(), make_request(make_prompt("boats"), response_schema=ITEM, max_tokens=10))[0]
    assert completion.finish_reason == "length"
    assert completion.usage.completion_tokens == 10
    with pytest.raises(json.JSONDecodeError):
        json.loads(completion.text)


def test_an_opening_is_continued_and_not_repeated() -> None:
    messages = (Message(role="user", content="Write about the storm."), Message(role="assistant", content="In the storm, Mara"))
    text = ask(ScriptedModel(), make_request(messages=messages))[0].text
    assert text.startswith(" ")
    assert "In the storm, Mara" not in text


def test_a_second_try_still_knows_the_aspect() -> None:
    messages = (
        Message(role="user", content=make_prompt("winter light")),
        Message(role="assistant", content="nonsense"),
        Message(role="user", content="That was no JSON. Answer again."),
    )
    text = ask(ScriptedModel(duplicate_rate=0), make_request(messages=messages, response_schema=ITEM))[0].text
    assert "winter light" in json.loads(text)["content"]


def test_many_notes_are_distinct_for_an_embedder(minilm: MiniLM) -> None:
    found = notes(ScriptedModel(duplicate_rate=0), rounds=6)
    vectors = minilm.embed([note["content"] for note in found])
    alike = vectors @ vectors.T - 2 * np.eye(len(found), dtype=np.float32)
    assert len(found) == 48
    assert alike.max() < 0.9
    assert (alike.max(axis=1) > 0.8).mean() < 0.02
    assert len({note["summary"] for note in found}) > 40


def test_a_share_of_the_notes_repeats_another_one_nearly_word_for_word(minilm: MiniLM) -> None:
    found = notes(ScriptedModel(duplicate_rate=0.2), rounds=6)
    vectors = minilm.embed([note["content"] for note in found])
    earlier = np.tril(vectors @ vectors.T, -1).max(axis=1)
    assert 0.05 < (earlier > 0.9).mean() < 0.4


def test_a_repetition_takes_up_a_note_of_the_prompt_and_keeps_its_names_and_numbers(minilm: MiniLM) -> None:
    known = "Mara Lindqvist counts 112 steps because nobody trusts the small bell, and she never stops beside the red door."
    request = make_request(make_prompt("silence", (known,)), response_schema=ITEM)
    content = json.loads(ask(ScriptedModel(duplicate_rate=1), request)[0].text)["content"]
    assert content != known
    assert all(word in content for word in ("Mara Lindqvist", "112", "never", "red door"))
    first, second = minilm.embed([known, content])
    assert first @ second > 0.9


def test_a_schema_of_several_notes_gets_one_for_each_aspect() -> None:
    aspects = "<aspects>\n" + "\n".join(f"- {aspect}" for aspect in ASPECTS) + "\n</aspects>"
    text = ask(ScriptedModel(), make_request(f"Write 5 notes, at least one about each of these:\n{aspects}", response_schema=BATCH))[0].text
    rows = json.loads(text)["items"]
    jsonschema.validate(json.loads(text), BATCH)
    assert [row["aspect"] for row in rows] == list(ASPECTS)
    assert len({row["content"] for row in rows}) >= 7


def test_a_brief_without_names_in_our_letters_still_gets_notes() -> None:
    text = ask(ScriptedModel(), make_request("<brief>\n灯台守は嵐の前にランプを整える。\n</brief>\n\n<aspect>\n嵐\n</aspect>"))[0].text
    assert len(text.split()) > 30


def test_a_verdict_lies_in_the_middle_of_its_range_and_fits_its_schema() -> None:
    part = {
        "type": "object",
        "properties": {"reason": TEXT, "score": {"type": "number", "minimum": 0, "maximum": 100}},
        "required": ["reason", "score"],
        "additionalProperties": False,
    }
    schema = {"type": "object", "properties": {"coverage": part, "depth": part}, "required": ["coverage", "depth"]}
    for seed in range(20):
        verdict = json.loads(ask(ScriptedModel(), make_request(response_schema=schema, seed=seed))[0].text)
        jsonschema.validate(verdict, schema)
        assert 40 <= verdict["depth"]["score"] <= 70
        assert verdict["coverage"]["reason"] != verdict["depth"]["reason"]


@pytest.mark.parametrize(
    ("second", "same"),
    [("Elias locks the red door at six.", True), ("A barrel of tar rolls through the market hall on Sunday morning.", False)],
)
def test_a_verdict_over_two_texts_follows_their_words(second: str, same: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"reason": TEXT, "same": {"type": "boolean"}, "probability": {"type": "number", "minimum": 0, "maximum": 1}},
        "required": ["reason", "same", "probability"],
    }
    prompt = f"<first>\nElias locks the red door at six.\n</first>\n\n<second>\n{second}\n</second>\n\nAre they the same?"
    verdict = json.loads(ask(ScriptedModel(), make_request(prompt, response_schema=schema))[0].text)
    assert verdict["same"] is same
    assert (verdict["probability"] >= 0.5) is same
