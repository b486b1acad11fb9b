"""The wire form of a request, and what is changed in it where a model refuses a part.

Models differ in what they take: no `seed`, one temperature, another name of the token limit, no turn of the system, no JSON Schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gather_pipeline.adapters.models.refusals import Refusal
from gather_pipeline.domain.executions import Message, ModelRequest
from gather_pipeline.domain.routing import EMBEDDED

LIMIT_NAMES = ("max_tokens", "max_completion_tokens")

CONTEXT = re.compile(r"(?i)context (?:length|window|size)\D{0,30}(\d{3,9})")
PROMPT = re.compile(r"(?i)\b(\d{1,9})\s+(?:(?:input|prompt) tokens|in the messages|of text input)|prompt (?:contains|has)\D{0,20}(\d{1,9})")

Form = Literal["json_schema", "json_object", "prompt"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a model takes, as far as it is known.

    Attributes:
        limit_name: The parameter that limits an answer's tokens.
        most_tokens: Most that it may be set to, None where no limit is known.
        form: How a structured answer is asked for; with ``prompt`` in words alone.
        without: Parameters to leave out; ``system`` puts the system's turn into the user's.
    """

    limit_name: str = "max_tokens"
    most_tokens: int | None = None
    form: Form = "json_schema"
    without: frozenset[str] = frozenset()


def write_request(request: ModelRequest, terms: Terms, *, provider: str) -> dict[str, Any]:
    """Keyword arguments of the client for a request, on these terms.

    Of the providers, ``openrouter`` is asked for its cost; ``embedded`` continues a final assistant turn and knows further sampling
    parameters. Elsewhere that turn becomes an instruction, and these are left out.
    """
    messages = list(request.messages)
    if opening(request) and provider != EMBEDDED:
        messages = _instruct(messages[:-1], f'Begin your answer with exactly these words: "{opening(request)}"')
    options: dict[str, Any] = {"model": request.model, "temperature": request.temperature, "seed": request.seed}
    options[terms.limit_name] = min(request.max_tokens, terms.most_tokens or request.max_tokens)
    if request.response_schema is not None:
        schema = dict(request.response_schema)
        if terms.form != "json_schema":
            rule = "Answer with one JSON value that fits this JSON Schema, and with nothing else:"
            messages = _instruct(messages, f"{rule}\n{json.dumps(schema, ensure_ascii=False)}")
        described = {"name": "answer", "schema": schema, "strict": _is_strict(schema)}
        forms = {"json_schema": {"type": "json_schema", "json_schema": described}, "json_object": {"type": "json_object"}}
        options["response_format"] = forms.get(terms.form)
    extra: dict[str, Any] = dict(request.sampling or {}) if provider == EMBEDDED else {}
    if provider == "openrouter" and "usage" not in terms.without:
        extra["usage"] = {"include": True}
    if "system" in terms.without:
        messages = _without_system(messages)
    kept = {name: value for name, value in options.items() if value is not None and name not in terms.without}
    sent = [{"role": message.role, "content": message.content} for message in messages]
    return kept | {"messages": sent} | ({"extra_body": extra} if extra else {})


def opening(request: ModelRequest) -> str:
    """The beginning of the answer that is given to the model as its own; empty where there is none."""
    return request.messages[-1].content if request.messages[-1].role == "assistant" else ""


def remedy(terms: Terms, refusal: Refusal, request: ModelRequest) -> Terms | None:
    """Other terms, under which the model may take the request; None where nothing that was sent can be blamed."""
    for name in refusal.parameters:
        changed = _without(terms, name, refusal.words, request)
        if changed is not None:
            return changed
    return None


def plainer(terms: Terms, request: ModelRequest) -> Terms | None:
    """The next simpler form to ask for a structured answer in, None where there is none."""
    following: dict[Form, Form] = {"json_schema": "json_object", "json_object": "prompt"}
    if request.response_schema is None or terms.form not in following:
        return None
    return replace(terms, form=following[terms.form])


def _without(terms: Terms, name: str, words: str, request: ModelRequest) -> Terms | None:
    if name == "response_format":
        return plainer(terms, request)
    if name == "max_tokens":
        return _other_limit(terms, words, request.max_tokens)
    sent = {"system": any(message.role == "system" for message in request.messages), "seed": request.seed is not None}
    return replace(terms, without=terms.without | {name}) if name not in terms.without and sent.get(name, True) else None


def _other_limit(terms: Terms, words: str, wanted: int) -> Terms | None:
    """The limit by its other name, set to a number that the refusal names, or left out."""
    if terms.limit_name in terms.without:
        return None
    without = terms.without | {terms.limit_name}
    other = LIMIT_NAMES[terms.limit_name == LIMIT_NAMES[0]]
    renamed = replace(terms, without=without, limit_name=other) if other not in without else None
    if renamed and other in words:
        return renamed
    sent = min(wanted, terms.most_tokens or wanted)
    context, prompt = CONTEXT.search(words), PROMPT.search(words)
    if context and prompt:  # what the prompt leaves of the model's context
        left = int(context[1]) - int(prompt[1] or prompt[2])
        return replace(terms, most_tokens=left) if 0 < left < sent else None
    allowed = [int(number) for number in re.findall(r"(?<![\w.-])\d{2,9}\b", words) if int(number) < sent]
    if allowed:
        return replace(terms, most_tokens=max(allowed))
    return renamed or replace(terms, without=without)


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The turns with the system's text at the beginning of the first of the user's."""
    system = "\n\n".join(message.content for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    if not system:
        return others
    if others[:1] and others[0].role == "user":
        return [Message(role="user", content=f"{system}\n\n{others[0].content}"), *others[1:]]
    return [Message(role="user", content=system), *others]


def _instruct(messages: list[Message], text: str) -> list[Message]:
    """The turns with a sentence added to the last one that is not the model's own."""
    place = max(index for index, message in enumerate(messages) if message.role != "assistant")
    told = Message(role=messages[place].role, content=f"{messages[place].content}\n\n{text}")
    return [*messages[:place], told, *messages[place + 1 :]]


def _is_strict(schema: object) -> bool:
    """Whether OpenAI's strict mode takes a schema: each object closed, with all of its properties required."""
    if isinstance(schema, list):
        return all(_is_strict(value) for value in schema)
    if not isinstance(schema, Mapping):
        return True
    closed = schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(schema.get("properties", {}))
    return (schema.get("type") != "object" or closed) and all(_is_strict(value) for value in schema.values())
