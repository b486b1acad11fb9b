"""What one call to a language model asks, answers and costs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from gather_pipeline.errors import InvalidInput

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """One chat completion to make, checked here: local servers take no messages or a negative temperature and answer something (C57).

    Attributes:
        model: Model id as the department names it, e.g. ``anthropic/claude-sonnet-4.5``, ``embedded`` or ``scripted``.
        messages: Turns; a final assistant turn is a prefilled opening that the answer continues.
        temperature: 0 to 1 (C57).
        timeout_s: Seconds until the call counts as hung.
        seed: Sampling seed where the provider knows one.
        response_schema: JSON Schema of a structured answer; None for plain text.
        sampling: Further sampling parameters of local servers (top_p, min_p, ...).

    Raises:
        InvalidInput: Names the field, its value and what was expected.
    """

    model: str
    messages: tuple[Message, ...]
    temperature: float = 0.7
    max_tokens: int = 1000
    timeout_s: float = 120.0
    seed: int | None = None
    response_schema: Mapping[str, Any] | None = None
    sampling: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InvalidInput.field("model", self.model, "a model id such as 'anthropic/claude-sonnet-4.5' or 'embedded'")
        if all(message.role == "assistant" for message in self.messages):
            raise InvalidInput.field("messages", [message.role for message in self.messages], "at least one turn of user or system")
        if not 0 <= self.temperature <= 1:
            raise InvalidInput.field("temperature", self.temperature, "a number from 0 to 1")
        if self.max_tokens < 1:
            raise InvalidInput.field("max_tokens", self.max_tokens, "a whole number from 1")
        if not 0 < self.timeout_s < math.inf:
            raise InvalidInput.field("timeout_s", self.timeout_s, "a number of seconds above 0")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens and money of one or more calls; None where the provider did not say (unknown is not zero)."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cost: float | None = 0.0

    @property
    def tokens(self) -> int | None:
        """Prompt and answer together, None where either is unknown."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=_sum(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, other.completion_tokens),
            cost=_sum(self.cost, other.cost),
        )


def _sum(left: Number | None, right: Number | None) -> Number | None:
    return None if left is None or right is None else left + right


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What came back.

    Attributes:
        text: The answer, neither a prefilled opening nor the model's thoughts in it.
        finish_reason: ``stop``, ``length`` where the answer was cut, ``content_filter``, or ``unknown`` where the provider does not say.
        model: Model that answered, as the provider names it.
        usage: Tokens and cost in US dollars.
        latency_s: Seconds from request to answer, retries left out.
        attempts: Requests made, 1 where none was retried.
        reasoning: The model's thoughts as far as the provider sends them.
    """

    text: str
    finish_reason: str
    model: str
    usage: Usage
    latency_s: float
    attempts: int = 1
    reasoning: str = ""
