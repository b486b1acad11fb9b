from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_pipeline.adapters.models.answers import Answer, read_answer
from gather_pipeline.adapters.models.refusals import Refusal
from gather_pipeline.domain.executions import Usage

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOTE = '{"content": "Où est Mara?", "summary": "s"}'
UNKNOWN = Usage(prompt_tokens=None, completion_tokens=None, cost=None)
DRAFT = '{"content": "a draft", "summary": "d"}'


def read(value: Any, *, structured: bool = True) -> Answer:
    answer = read_answer(value if isinstance(value, bytes) else json.dumps(value).encode(), structured=structured, now=NOW)
    assert isinstance(answer, Answer), answer
    return answer


def refused(value: Any) -> Refusal:
    refusal = read_answer(value if isinstance(value, bytes) else json.dumps(value).encode(), structured=True, now=NOW)
    assert isinstance(refusal, Refusal), refusal
    return refusal


def said(message: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": "stop"} | choice]}


def piece(delta: Any, finish: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).encode() + b"\n\n"


@pytest.mark.parametrize(
    "content",
    [
        NOTE,
        [{"type": "text", "text": NOTE[:9]}, {"type": "text", "text": NOTE[9:]}],
        [NOTE[:9], NOTE[9:]],
        [{"type": "output_text", "text": {"value": NOTE, "annotations": []}}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": DRAFT}]}, {"type": "text", "text": NOTE}],
        [{"type": "reasoning", "text": DRAFT}, {"type": "text", "text": NOTE}],
        [{"text": DRAFT, "thought": True}, {"text": NOTE}],
        {"type": "text", "text": NOTE},
        json.loads(NOTE),
        f"<think>{DRAFT}</think>{NOTE}",
    ],
)
def test_content_in_any_form_is_read_and_thoughts_in_it_are_not(content: Any) -> None:
    assert json.loads(read(said({"content": content})).text) == json.loads(NOTE)


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "tool_calls": [{"function": {"name": "answer", "arguments": NOTE}}]},
        {"content": "I call the tool.", "tool_calls": [{"function": {"name": "answer", "arguments": json.loads(NOTE)}}]},
        {"content": "", "function_call": {"arguments": NOTE}},
        {"parsed": json.loads(NOTE)},
        {"content": "", "reasoning_content": f"<think>{DRAFT}</think>{NOTE}"},
    ],
)
def test_an_answer_outside_of_the_content_is_read(message: Any) -> None:
    assert json.loads(read(said(message)).text) == json.loads(NOTE)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking", "reasoning_details"])
def test_a_field_of_thoughts_is_kept_apart(field: str) -> None:
    thoughts = [{"type": "reasoning.text", "text": DRAFT}] if field == "reasoning_details" else DRAFT
    for content in (NOTE, None):
        answer = read(said({"content": content, field: thoughts}))
        assert (answer.text, answer.reasoning) == (content or "", DRAFT)


def test_a_tag_within_a_structured_answer_belongs_to_it() -> None:
    note = '{"content": "He paints </think> on the wall."}'
    assert read(said({"content": note})).text == note


@pytest.mark.parametrize(
    "choices",
    [
        [{"index": 0, "finish_reason": "stop"}, {"index": 1, "message": {"content": NOTE}}],
        [None, {"message": {"content": NOTE}}],
        [{"message": {"content": ""}}, {"message": {"content": NOTE}}],
        [{"text": NOTE}],
        [{"message": NOTE}],
        {"message": {"content": NOTE}},
    ],
)
def test_the_first_choice_that_says_something_counts(choices: Any) -> None:
    assert read({"choices": choices}).text == NOTE


@pytest.mark.parametrize(
    "body",
    [
        {"message": {"content": NOTE}, "done": True, "done_reason": "stop"},
        {"content": [{"type": "thinking", "thinking": DRAFT}, {"type": "text", "text": NOTE}], "stop_reason": "end_turn"},
        {"output": [{"type": "reasoning", "summary": []}, {"type": "message", "content": [{"type": "output_text", "text": NOTE}]}]},
        {"candidates": [{"content": {"parts": [{"text": DRAFT, "thought": True}, {"text": NOTE}]}, "finishReason": "STOP"}]},
        {"result": {"response": NOTE}, "success": True},
    ],
)
def test_the_answers_of_other_apis_are_read(body: Any) -> None:
    assert read(body).text == NOTE


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", "<|eot_id|>\n", "<end_of_turn> <|endoftext|>", "<｜end▁of▁sentence｜>"])
def test_the_tokens_with_which_a_model_ends_are_no_part_of_what_it_says(end: str) -> None:
    assert read(said({"content": f"The lamp goes out.{end}"}), structured=False).text == "The lamp goes out."


STREAM = piece({"role": "assistant", "content": ""}) + piece({"content": NOTE[:9]}) + piece({"content": NOTE[9:]}) + piece({}, "stop")


@pytest.mark.parametrize(
    "body",
    [
        STREAM,
        b": OPENROUTER PROCESSING\n\n" + STREAM + b"data: [DONE]\n\n",
        STREAM.replace(b"data: ", b"event: x\r\ndata:").replace(b"\n\n", b"\r\n\r\n"),
        piece({"reasoning": DRAFT}) + STREAM,
        b": waiting\n\n" + json.dumps(said({"content": NOTE})).encode(),
        json.dumps(said({"content": NOTE})).encode() + b"\n\ndata: [DONE]\n\n",
        b'{"message": {"content": "'
        + b'"}}\n{"message": {"content": '.join([b"", json.dumps(NOTE).encode() + b'}, "done_reason": "stop"}']),
        b"\n" * 99 + b"\xef\xbb\xbf".join([b"", json.dumps(said({"content": NOTE})).encode()]),
        json.dumps(said({"content": NOTE})).encode("utf-16"),
        json.dumps(said({"content": NOTE}), ensure_ascii=False).encode("latin-1"),
    ],
)
def test_streams_marks_and_charsets_that_nobody_asked_for_are_read(body: bytes) -> None:
    answer = read(body.lstrip(b"\n"))
    assert (answer.text, answer.finish) == (NOTE, "stop")


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    assert read(piece({"content": NOTE[:9]})).finish == "error"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        *((word, "stop") for word in ("stop", "STOP", "eos", "end_turn", "tool_calls", "COMPLETE")),
        *((word, "length") for word in ("length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded")),
        *((word, "content_filter") for word in ("content_filter", "SAFETY", "RECITATION", "sensitive", "refusal")),
        *((word, "error") for word in ("error", "network_error", "abort", "MALFORMED_FUNCTION_CALL", "insufficient_system_resource")),
        *((word, "unknown") for word in (None, "", 5)),
    ],
)
def test_the_end_has_one_name_whatever_the_provider_calls_it(reason: Any, finish: str) -> None:
    assert read(said({"content": NOTE}, finish_reason=reason)).finish == finish


def test_the_end_that_a_provider_behind_the_provider_names_counts_too() -> None:
    assert read(said({"content": NOTE}, finish_reason="stop", native_finish_reason="MAX_TOKENS")).finish == "length"


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4.0, "cost": "0.5"}, Usage(prompt_tokens=3, completion_tokens=4, cost=0.5)),
        ({"input_tokens": "3", "output_tokens": 4}, Usage(prompt_tokens=3, completion_tokens=4, cost=None)),
        ({"prompt_tokens": 10**30, "completion_tokens": float("nan"), "cost": float("inf")}, UNKNOWN),
        ({"prompt_tokens": -1, "completion_tokens": [], "cost": "free"}, UNKNOWN),
        ([1], UNKNOWN),
    ],
)
def test_a_usage_is_believed_where_it_can_be(usage: Any, expected: Usage) -> None:
    assert read(said({"content": NOTE}) | {"usage": usage}).usage == expected


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"error": {"message": "The machines are busy", "code": 529}}, "busy", "The machines are busy"),
        ({"object": "error", "message": "no such model", "code": 404}, "model", "no such model"),
        ({"base_resp": {"status_code": 1004, "status_msg": "login fail"}, "choices": None}, "key", "login fail"),
        ({"errors": [{"message": "Invalid API key", "code": 10000}], "success": False}, "key", "Invalid API key"),
        ({"detail": "come later"}, "busy", "come later"),
        ({"code": "InvalidApiKey", "message": "Wrong there"}, "key", "Wrong there"),
        ({"choices": [{"error": {"code": 502, "message": "junk"}, "message": {"content": "half"}}]}, "busy", "junk"),
        ({"choices": []}, "busy", "an answer without a choice"),
        (b"", "busy", "an empty answer"),
        (b"<!doctype html><title>Sign in &amp; more</title><p>x", "busy", "a web page that says: Sign in & more"),
        (b"[" * 100_000, "busy", "no completion but"),
    ],
)
def test_a_refusal_with_status_200_is_one_in_the_providers_words(body: Any, kind: str, words: str) -> None:
    refusal = refused(body)
    assert refusal.kind == kind and words in refusal.words


def test_empty_fields_of_an_error_beside_an_answer_are_none() -> None:
    beside = {"error": {"message": "", "code": 0}, "errors": [], "base_resp": {"status_code": 0, "status_msg": "success"}, "message": "ok"}
    assert read(said({"content": NOTE}) | beside).text == NOTE


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from("choices message delta content error type text index usage parts tool_calls function code detail".split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_any_json_gives_an_answer_or_a_refusal(value: Any, structured: bool) -> None:
    assert isinstance(read_answer(json.dumps(value).encode(), structured=structured, now=NOW), Answer | Refusal)


@given(st.binary(max_size=200))
def test_any_bytes_give_an_answer_or_a_refusal(body: bytes) -> None:
    assert isinstance(read_answer(body, structured=False, now=NOW), Answer | Refusal)


@pytest.mark.parametrize("deep", ["[" * 900 + "]" * 900, '[{"type":"text","text":' * 300 + '"x"' + "}]" * 300])
def test_an_answer_nested_beyond_use_is_no_answer(deep: str):
    body = f'{{"choices":[{{"message":{{"content":{deep}}}}}]}}'.encode()
    assert isinstance(read_answer(body, structured=True, now=NOW), Refusal)


def test_an_answer_of_more_bytes_than_any_has_is_refused_with_the_limit():
    body = json.dumps({"choices": [{"message": {"content": "word " * 900_000}}]}).encode()
    refusal = read_answer(body, structured=True, now=NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.words == "an answer of more than 4000000 bytes, expected at most 4000000"
