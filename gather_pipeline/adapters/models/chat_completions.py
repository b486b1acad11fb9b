"""The wire form of a chat completion: what is sent, how an answer or a refusal is read, and what it cost.

Providers differ in what they refuse and in how they fail: half a JSON with status 200, an error inside a 200, a model that does
not take `response_format`, `seed` or `temperature`. So answers are read field by field, and nothing is believed.
No message carries a secret: providers echo keys in their refusals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from gather_pipeline.domain.executions import Completion, Message, ModelRequest, Usage
from gather_pipeline.domain.routing import EMBEDDED
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import GatherError, ModelRefused, ModelUnavailable, RateLimited

# Parameters that some models refuse with a 400; the answer is still worth having without them.
DISPENSABLE = ("response_format", "seed", "temperature")
TRANSIENT = (408, 409, 425)
SECRETS = re.compile(r"(?i)\b(?:sk|pk|or|key)-[\w*.-]{6,}|\bbearer\s+\S+|(?<=://)[^/@\s]+(?=@)")

Prices = Mapping[str, tuple[float, float]]


class BadRequest(ModelRefused):
    """A 400 or 422 that may go away with fewer parameters.

    Attributes:
        message: The provider's own words.
    """

    def __init__(self, sentence: str, message: str) -> None:
        super().__init__(sentence)
        self.message = message

    def culprit(self, sent: Collection[str]) -> str | None:
        """The parameter to leave out, None where none of those sent can be blamed."""
        named = [name for name in DISPENSABLE if name in sent and name in self.message]
        # Many a server says only that the request is bad; a structured answer is what they most often cannot give.
        return named[0] if named else "response_format" if "response_format" in sent else None


def request_options(request: ModelRequest, *, provider: str, refused: Collection[str] = ()) -> dict[str, Any]:
    """Keyword arguments of the client for a request.

    Args:
        request: What to ask.
        provider: ``openrouter`` is asked for its cost, ``openai`` gets its newer name of `max_tokens`. ``embedded`` continues a final
            assistant turn and knows further sampling parameters; elsewhere that turn becomes an instruction and these are left out.
        refused: Parameters that the model is known not to take; without `response_format` the schema becomes an instruction.
    """
    messages = list(request.messages)
    opening = _opening(request)
    if opening and provider != EMBEDDED:
        messages = _instruct(messages[:-1], f'Begin your answer with exactly these words: "{opening}"')
    options: dict[str, Any] = {"model": request.model, "temperature": request.temperature}
    options["max_completion_tokens" if provider == "openai" else "max_tokens"] = request.max_tokens
    if request.seed is not None:
        options["seed"] = request.seed
    if request.response_schema is not None:
        schema = dict(request.response_schema)
        if "response_format" in refused:
            rule = "Answer with one JSON value that fits this JSON Schema, and with nothing else:"
            messages = _instruct(messages, f"{rule}\n{json.dumps(schema, ensure_ascii=False)}")
        described = {"name": "answer", "schema": schema, "strict": _is_strict(schema)}
        options["response_format"] = {"type": "json_schema", "json_schema": described}
    extra: dict[str, Any] = dict(request.sampling or {}) if provider == EMBEDDED else {}
    if provider == "openrouter":
        extra["usage"] = {"include": True}
    if extra:
        options["extra_body"] = extra
    options["messages"] = [{"role": message.role, "content": message.content} for message in messages]
    return {name: value for name, value in options.items() if name not in refused}


def read_completion(
    body: str, request: ModelRequest, *, provider: str, prices: Prices, latency_s: float, attempts: int, secrets: Collection[str]
) -> Completion:
    """The completion in the body of an answer with status 200.

    Raises:
        ModelUnavailable: The body is no completion, or reports a failure that may pass.
        ModelRefused: The body reports a refusal.
    """
    try:
        answer = json.loads(body)
    except json.JSONDecodeError as error:
        raise ModelUnavailable(f"{provider} gave a malformed answer of {len(body)} characters: {error}") from None
    if not isinstance(answer, dict):
        raise ModelUnavailable(f"{provider} answered with a JSON {type(answer).__name__}, expected a completion")
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    if problem := answer.get("error") or choice.get("error"):
        code = problem.get("code") if isinstance(problem, dict) else None
        status = code if isinstance(code, int) and code >= 400 else 502
        raise status_failure(status, problem, model=request.model, provider=provider, secrets=secrets)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise ModelUnavailable(f"{provider} answered without a choice")
    text = message.get("content")
    if text is None and message.get("refusal"):
        raise ModelRefused(f"{request.model!r} declined: {scrub(str(message['refusal']), secrets)}")
    if text is not None and not isinstance(text, str):
        raise ModelUnavailable(f"{provider} answered with content of type {type(text).__name__}, expected a string")
    return Completion(
        text=clean(text or "").removeprefix(_opening(request)),
        finish_reason=str(choice.get("finish_reason") or "unknown"),
        model=str(answer.get("model") or request.model),
        usage=_usage(answer.get("usage"), prices.get(request.model)),
        latency_s=latency_s,
        attempts=attempts,
    )


def status_failure(
    status: int, body: object, *, model: str, provider: str, secrets: Collection[str], retry_after_s: float | None = None
) -> GatherError:
    """The error that an HTTP status stands for; a spent quota is a refusal, although its status is 429.

    Args:
        status: HTTP status, 400 or more.
        body: The error object, or the body as text.
        model: Model asked for.
        provider: Who answered.
        secrets: Texts that must not be repeated.
        retry_after_s: Seconds that the provider asks to wait, None where it does not say.
    """
    said = body.get("message", body) if isinstance(body, dict) else body
    code = body.get("code") if isinstance(body, dict) else None
    message = scrub(str(said), secrets) or "no reason given"
    if status == 429 and code != "insufficient_quota":
        return RateLimited(f"{provider} asks to wait (HTTP 429): {message}", retry_after_s)
    if status >= 500 or status in TRANSIENT:
        return ModelUnavailable(f"{provider} cannot answer now (HTTP {status}): {message}")
    sentence = f"{provider} refused {model!r} (HTTP {status}): {message}"
    return BadRequest(sentence, message) if status in (400, 422) else ModelRefused(sentence)


def scrub(text: str, secrets: Collection[str]) -> str:
    """The text as one line of at most 300 characters, without the secrets and anything that looks like one."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return SECRETS.sub("***", " ".join(text.split()))[:300]


def _opening(request: ModelRequest) -> str:
    return request.messages[-1].content if request.messages[-1].role == "assistant" else ""


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


def _usage(said: object, price: tuple[float, float] | None) -> Usage:
    counts = said if isinstance(said, dict) else {}
    prompt, completion = (_number(counts.get(name), int) for name in ("prompt_tokens", "completion_tokens"))
    cost = _number(counts.get("cost"), int, float)
    if cost is None and price is not None and prompt is not None and completion is not None:
        cost = (prompt * price[0] + completion * price[1]) / 1_000_000
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cost=cost)


def _number(value: Any, *kinds: type) -> Any:
    """The value where it is a number of the kinds asked for and not below zero, else None."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        return None
    number: Any = value
    return number if number >= 0 else None
