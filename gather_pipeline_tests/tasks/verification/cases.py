"""Outputs to check, and models that answer a check by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from gather_pipeline.adapters.embedders.hashing import HashingEmbedder
from gather_pipeline.domain.verdicts import Budget, Verdict
from gather_pipeline.tasks.definition import Link, TaskDefinition
from gather_pipeline.tasks.verification import Case, Tools
from gather_pipeline.tasks.verification.chain import verifier
from gather_pipeline_tests.tasks.builders import StepClock, define

TOOLS = Tools(embedder=HashingEmbedder(), clock=StepClock())


class Voices:
    """Models by name: each gives its outputs or its reviews in order, or raises; `asked` holds what was asked of whom."""

    def __init__(self, left: Budget | None = None, **answers: Any) -> None:
        self.left = left or Budget()
        self.answers = {name: list(given) if isinstance(given, tuple) else [given] for name, given in answers.items()}
        self.asked: list[tuple[str, str, str]] = []

    async def ask(self, model: str) -> Any:
        return self._answer("ask", model)

    async def revise(self, model: str, output: Any, complaint: str) -> Any:
        return self._answer("revise", model, complaint)

    async def review(self, model: str, prompt: str, schema: Mapping[str, Any]) -> Any:
        return self._answer("review", model, prompt)

    def _answer(self, how: str, model: str, told: str = "") -> Any:
        self.asked.append((how, model, told))
        answer = self.answers[model].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def case(output: Any, voices: Voices | None = None, *, definition: TaskDefinition | None = None, **changes: Any) -> Case:
    """An output of model a for a greeting of Mara; a and every voice are candidates."""
    voices = voices or Voices()
    values: dict[str, Any] = {
        "execution_id": "e1",
        "definition": definition or define(),
        "input": {"who": "Mara", "mood": "kind"},
        "output": output,
        "writer": "a",
        "candidates": list(dict.fromkeys(["a", *voices.answers])),
        "prompt": "Greet Mara in a kind way.",
        "models": voices,
    }
    return Case(**(values | changes))


def ruled(method: str, seen: Case, parameters: Mapping[str, Any] | None = None, tools: Tools = TOOLS) -> Verdict:
    """What a method says of an output."""
    link = Link.model_validate({"method": method, "parameters": dict(parameters or {})})
    return asyncio.run(verifier(link, tools)(seen))
