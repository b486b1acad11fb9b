"""Whatever a server sends for an answer, read into one `Answer`; a refusal that comes with status 200 into a `Refusal`.

Nothing is believed: servers answer with lists of parts, tool calls, streams that nobody asked for, another API's form, or a web page.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from gather_pipeline.adapters.models.refusals import WORDS, Refusal, page_text, read_refusal
from gather_pipeline.adapters.models.thoughts import split_thoughts
from gather_pipeline.domain.executions import Usage
from gather_pipeline.domain.json_texts import BOM, load_json
from gather_pipeline.errors import shorten

Finish = Literal["stop", "length", "content_filter", "error", "unknown"]

CONTENT = ("content", "text", "output_text", "output", "response", "generated_text", "parsed")
REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_text", "thoughts", "reasoning_details", "thinking_blocks")
PART = ("text", "thinking", "reasoning", "content", "parts", "value", "json", "input", "refusal", "summary")
AROUND = ("result", "data", "response")
ENDS = ("finish_reason", "finishReason", "stop_reason", "done_reason", "status")
FINISHES: Mapping[Finish, re.Pattern[str]] = {  # every other word is a stop
    "length": re.compile(r"(?i)length|max.*tokens|token.?limit|truncat|incomplete|context.?window"),
    "content_filter": re.compile(r"(?i)filter|safety|recitation|prohibited|block|spii|sensitive|refusal|guardrail|moderat|toxic"),
    "error": re.compile(r"(?i)error|fail|abort|cancel|interrupt|insufficient|malformed|time.?out|\Aother\Z|unexpected"),
}
# Tokens of a model's own that say "the end", which servers with a wrong template leave in the text.
END_TOKENS = re.compile(
    r"(?:\s*(?:<\|(?:im_end|eot_id|eom_id|end|endoftext|return|end_of_text)\|>|</s>|<end_of_turn>|<[|｜]end▁of▁sentence[|｜]>))+\s*\Z"
)
BODY_LIMIT = 4_000_000  # bytes; 200,000 tokens in one piece, and 15,000 where each comes in an event of its own
PAGE_LIMIT = 20_000  # characters of a web page that are looked at
MOST_TOKENS, MOST_COST = 10**9, 10**6  # of one call; more is no count


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model says.

    Attributes:
        text: Its answer without its thoughts, empty where it says nothing.
        reasoning: Its thoughts, as far as they are sent.
        declined: The words in which it declines, else empty.
        finish: How it ended; ``unknown`` where the server does not say.
        model: The model's name, None where the server does not say.
    """

    text: str
    reasoning: str
    declined: str
    finish: Finish
    model: str | None
    usage: Usage


def read_answer(body: bytes, *, structured: bool, now: datetime) -> Answer | Refusal:
    """The answer, or the refusal, in the unpacked body of an answer with status 200; `structured` where JSON was asked for."""
    if len(body) > BODY_LIMIT:
        return Refusal(kind="busy", words=f"an answer of more than {BODY_LIMIT} bytes, expected at most {BODY_LIMIT}")
    text = decoded(body)
    values = _values(text)
    if not values:
        return Refusal(kind="busy", words=_described(text))
    choices = [(place, choice) for value in values for place, choice in _choices(value)]
    for problem in [*values, *(choice for _, choice in choices)]:
        if refusal := _refusal(problem, now):
            return refusal
    if not choices:
        told = any(name in values[0] for name in WORDS)
        return (
            read_refusal(200, values[0], now=now) if told else Refusal(kind="busy", words=f"an answer without a choice: {_described(text)}")
        )
    joined = [_joined([piece for place, piece in choices if place == wanted]) for wanted in dict.fromkeys(place for place, _ in choices)]
    choice = next((one for one in joined if one.said.strip() or one.called), joined[0])
    said, thought, finish = choice.said, choice.thought, choice.finish
    if choice.called and (not said.strip() or (structured and "{" not in said)):
        said = choice.called
    said = END_TOKENS.sub("", said)
    if not (structured and _is_json(said)):  # a text in JSON may well speak of a tag
        said, before = split_thoughts(said)
        thought = thought or before
    if not said and (answer := split_thoughts(thought))[1]:
        said, thought = answer
    streamed = len(values) > 1 or any("delta" in piece for _, piece in choices)
    if finish == "unknown" and streamed and "[DONE]" not in text:
        finish = "error"  # a stream that broke off
    usage = next((found for value in reversed(values) if isinstance(found := value.get("usage"), Mapping)), {})
    model = next((found for value in values if isinstance(found := value.get("model"), str)), None)
    return Answer(text=said, reasoning=thought, declined=choice.declined, finish=finish, model=model, usage=_usage(usage))


def decoded(body: bytes) -> str:
    """The text by its own marks, whatever a header says; JSON is UTF-8, and servers that write Latin-1 are read nevertheless."""
    text = body.decode(json.detect_encoding(body), "replace")
    if "\ufffd" in text and text.replace("\ufffd", "").isascii():
        text = body.decode("cp1252", "replace")
    return text.removeprefix(BOM)


def _values(text: str) -> list[dict[str, Any]]:
    """The JSON objects of a body: the only one, those of a list, or one a line, as streams have them."""
    try:
        whole = load_json(text, strict=False)
    except ValueError:
        whole = []
        for line in text.split("\n"):
            try:
                whole.append(load_json(line.strip().removeprefix("data:"), strict=False))
            except ValueError:
                continue  # a comment, the name of an event, or a line of something else
    if isinstance(whole, str):
        return _values(whole)
    return [value for value in (whole if isinstance(whole, list) else [whole]) if isinstance(value, dict)]


def _described(text: str) -> str:
    text = text[:PAGE_LIMIT]
    shown = page_text(text)
    if not text.strip():
        return "an empty answer"
    return f"a web page that says: {shown}" if shown != text else f"no completion but {shorten(text.strip())}"


def _refusal(value: Mapping[str, Any], now: datetime) -> Refusal | None:
    """What an object reports besides, or instead of, an answer."""
    is_error = "error" in (value.get("object"), value.get("type"))
    problems = [value] if is_error else [value.get("error"), value.get("errors"), value.get("base_resp")]
    for problem in problems:
        if isinstance(problem, Mapping) and problem.get("status_code") == 0:
            continue
        if problem and (refusal := read_refusal(200, {"error": problem}, now=now)) and (refusal.words or refusal.status >= 400):
            return refusal
    return None


def _choices(value: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The choices of a completion with their places; other APIs have the one answer in the object itself, or an object around it."""
    found = value.get("choices") or value.get("candidates")
    if not found:
        inner = next((part for name in AROUND if isinstance(part := value.get(name), Mapping)), None)
        if inner is not None:
            yield from _choices(inner)
            return
        found = [value] if isinstance(value.get("message"), Mapping) or any(value.get(name) for name in CONTENT) else []
    for place, choice in enumerate(found if isinstance(found, list) else [found]):
        if isinstance(choice, Mapping):
            yield index if isinstance(index := choice.get("index"), int) else place, choice


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """One choice, put together from the pieces that a stream sends."""

    said: str
    called: str
    thought: str
    declined: str
    finish: Finish


def _joined(pieces: Sequence[Mapping[str, Any]]) -> _Choice:
    messages = [_message(piece) for piece in pieces]
    contents = [next((found for name in CONTENT if (found := message.get(name))), None) for message in messages]
    thoughts = [next((found for name in REASONING if (found := _text(message.get(name)))), "") for message in messages]
    finishes = [finish for piece in pieces if (finish := _finish(piece)) != "unknown"]
    return _Choice(
        said="".join(_spoken(content, thoughts=False) for content in contents),
        called="".join(_called(message) for message in messages),
        thought="".join(thoughts) or "".join(_spoken(content, thoughts=True) for content in contents),
        declined="".join(_text(message.get("refusal")) for message in messages),
        finish=max(finishes, key=lambda finish: finish != "stop", default="unknown"),
    )


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    message = next((found for name in ("message", "delta") if (found := choice.get(name))), choice)
    return message if isinstance(message, Mapping) else {"content": message}


def _spoken(content: object, *, thoughts: bool) -> str:
    """What a message's content says, or else what is thought in it; a value that is no part of a message is the answer itself."""
    content = content["parts"] if isinstance(content, Mapping) and "parts" in content else content
    parts = content if isinstance(content, list) else [] if content is None else [content]
    if all(isinstance(part, str) or (isinstance(part, Mapping) and {"type", "text"} & set(part)) for part in parts):
        return "".join(_text(part) for part in parts if _is_thought(part) is thoughts)
    return "" if thoughts else json.dumps(content, ensure_ascii=False)


def _is_thought(part: object) -> bool:
    return isinstance(part, Mapping) and (
        part.get("thought") is True or re.search("think|thought|reason", str(part.get("type"))) is not None
    )


def _text(value: object) -> str:
    """The text in a part of a message, or in a list of them."""
    if isinstance(value, list):
        return "".join(_text(part) for part in value)
    if not isinstance(value, Mapping):
        return value if isinstance(value, str) else ""
    name = next((name for name in PART if value.get(name)), None)
    return json.dumps(value[name], ensure_ascii=False) if name in ("json", "input") else _text(value[name]) if name else ""


def _called(message: Mapping[str, Any]) -> str:
    """The arguments of a message's first call of a tool."""
    calls = message.get("tool_calls") or [{"function": message.get("function_call")}]
    call = calls[0] if isinstance(calls, list) and isinstance(calls[0], Mapping) and not calls[0].get("index") else {}
    function = call.get("function") or call
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    return json.dumps(arguments, ensure_ascii=False) if isinstance(arguments, Mapping) else arguments if isinstance(arguments, str) else ""


def _finish(choice: Mapping[str, Any]) -> Finish:
    told = next((found for name in ENDS if (found := choice.get(name))), None), choice.get("native_finish_reason")
    reasons = [reason for reason in told if isinstance(reason, str) and reason]
    named = (finish for finish, pattern in FINISHES.items() if any(pattern.search(reason) for reason in reasons))
    return next(named, "stop" if reasons else "unknown")


def _is_json(text: str) -> bool:
    try:
        return isinstance(load_json(text), dict | list)
    except ValueError:
        return False


def _usage(said: Mapping[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=_count(said.get("prompt_tokens", said.get("input_tokens"))),
        completion_tokens=_count(said.get("completion_tokens", said.get("output_tokens"))),
        cost=_number(said.get("cost"), MOST_COST),
    )


def _count(value: object) -> int | None:
    number = _number(value, MOST_TOKENS)
    return int(number) if number is not None and number.is_integer() else None


def _number(value: object, most: int) -> float | None:
    """The number, also where it comes as a text; None where it is none that can be believed."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None
