"""A small definition to vary, a model that answers from a list, and a clock that moves when it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.executions import Completion, ModelRequest, Usage
from gather_pipeline.tasks.catalogue import Catalogue, parse_definition
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.runner import Support, TaskResult, TaskRunner
from gather_pipeline.tasks.verification import Tools

GREETING: Mapping[str, Any] = {
    "id": "greeting",
    "name": "Greeting",
    "description": "Greets somebody.",
    "version": "1.0.0",
    "input": {
        "schema": {
            "type": "object",
            "properties": {"who": {"type": "string", "minLength": 1}, "mood": {"type": "string", "default": "kind"}},
            "required": ["who"],
            "additionalProperties": False,
        },
        "examples": [{"who": "Mara"}],
        "validations": ["non_empty_text"],
    },
    "output": {
        "schema": {
            "type": "object",
            "properties": {"greeting": {"type": "string"}, "warmth": {"type": "number", "minimum": 0, "maximum": 10}},
            "required": ["greeting"],
            "additionalProperties": False,
        },
        "examples": [{"greeting": "Good evening, Mara.", "warmth": 7}],
        "validations": ["non_empty_text"],
    },
    "prompts": [
        {
            "id": "standard",
            "text": "Greet {{ who }} in a {{ mood }} way.",
            "template_variables": ["who", "mood"],
            "usage_conditions": {"default": True},
        },
        {
            "id": "loud",
            "text": "SHOUT AT {{ who }}",
            "template_variables": ["who"],
            "usage_conditions": {"when": "deaf"},
        },
    ],
    "generation": {"temperature": 0.5, "max_tokens": 50, "max_reasks": 2},
}

PLAIN_TEXT: Mapping[str, Any] = {
    "id": "line",
    "name": "Line",
    "description": "Writes one line.",
    "version": "1.0.0",
    "input": {
        "schema": {"type": "object", "properties": {"opening": {"type": "string"}}, "required": ["opening"]},
    },
    "output": {"schema": {"type": "string", "minLength": 1}, "format": "text", "when_cut": "trim", "validations": ["min_words_4"]},
    "prompts": [
        {
            "id": "standard",
            "system": "You write lines.",
            "shots": [{"user": "A line.", "assistant": "The sea takes {{ a metre }} each winter."}],
            "text": "A line.",
            "prefill": "{{ opening }}",
            "template_variables": ["opening"],
            "usage_conditions": {"default": True},
        }
    ],
    "generation": {"max_reasks": 1, "reask": "again"},
}


def document(base: Mapping[str, Any] = GREETING, **changes: Any) -> dict[str, Any]:
    """A definition's document with changes; a key such as ``output__format`` reaches into a part, None takes a key out."""
    made = deepcopy(dict(base))
    for key, value in changes.items():
        place = made
        *parts, last = key.split("__")
        for part in parts:
            place = place[int(part) if part.isdigit() else part]
        if value is None:
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = value
    return made


def define(base: Mapping[str, Any] = GREETING, **changes: Any) -> TaskDefinition:
    return parse_definition(document(base, **changes), "test.json")


def completion(text: str, **changes: Any) -> Completion:
    values: dict[str, Any] = {
        "text": text,
        "finish_reason": "stop",
        "model": "provider/small-2",
        "usage": Usage(prompt_tokens=10, completion_tokens=5, cost=0.25),
        "latency_s": 0.5,
    }
    return Completion(**(values | changes))


class ListModel:
    """Answers from a list: text, a whole completion, or an error to raise. Keeps the requests."""

    def __init__(self, *answers: str | Completion | BaseException) -> None:
        self._answers = list(answers)
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> Completion:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return completion(answer) if isinstance(answer, str) else answer

    async def aclose(self) -> None:
        """Nothing is open."""


class HangingModel:
    """Never answers; tells when it was asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def complete(self, request: ModelRequest) -> Completion:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError("an event that nobody sets was set")

    async def aclose(self) -> None:
        """Nothing is open."""


class StepClock:
    """Each look at it takes two seconds."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def now(self) -> str:
        return "2026-11-21T08:00:00.000000+00:00"

    def monotonic(self) -> float:
        self._seconds += 2.0
        return self._seconds

    async def sleep(self, seconds: float) -> None:
        self._seconds += seconds


class Bench:
    """A runner over a list of answers, and the records that it made."""

    def __init__(
        self,
        *answers: str | Completion | BaseException,
        definition: TaskDefinition | None = None,
        others: Sequence[TaskDefinition] = (),
        support: Support | None = None,
    ) -> None:
        self.model = ListModel(*answers)
        self.records: list[Execution] = []
        self.definition = definition or define()
        support = support or Support(tools=Tools(embedder=HashingEmbedder(), clock=StepClock()))
        self.runner = TaskRunner(self.model, Catalogue([self.definition, *others]), StepClock(), self.records.append, support)

    def run(self, inputs: Mapping[str, Any] | None = None, model: str = "small", **options: Any) -> Any:
        """The output, or the error that the runner raises."""
        return self.result(inputs, model, **options).output

    def result(self, inputs: Mapping[str, Any] | None = None, model: str = "small", **options: Any) -> TaskResult:
        """The output with its record."""
        given = {"who": "Mara"} if inputs is None else inputs
        return asyncio.run(self.runner.run(self.definition.id, given, model=model, **options))

    @property
    def record(self) -> Execution:
        """The one record; fails where there are none or two."""
        [record] = self.records
        return record
