"""Shortens texts by tasks: one definition for each kind of text, so that each keeps what counts in it (S003-DIST-03 to 05)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import digest
from gather_pipeline.tasks.runner import TaskResult

Run = Callable[..., Awaitable[TaskResult]]
WORDS_A_TOKEN = 0.7  # a model gets its limit in words, which it can count
TASKS = {
    "plot": "distil_plot",
    "character": "distil_character",
    "history": "distil_history",
    "brief": "distil_brief",
    "style": "distil_instructions",
    "request": "distil_instructions",
    "instruction": "distil_instructions",
}
OTHER = "distil_notes"  # gather items, and whatever else is made of facts


class TaskDistiller:
    """The body of `Distiller` over a task runner.

    Args:
        run: Executes a task and records its execution, as `TaskRunner.run`.
        catalogue: Where the definitions are.
        model: Who shortens.
        fallback_models: Who does where that one cannot be had.
        tags: Kept with the records.
        draw: As for `TaskRunner.run`.
    """

    def __init__(
        self,
        run: Run,
        catalogue: Catalogue,
        model: str,
        *,
        fallback_models: Sequence[str] = (),
        tags: Mapping[str, Any] = MappingProxyType({}),
        draw: object = None,
    ) -> None:
        self._run, self._options = run, {"model": model, "fallback_models": fallback_models, "draw": draw}
        self._tags = tags
        tasks = sorted({*TASKS.values(), OTHER})
        self.name = f"{model}@{digest([catalogue.get(task).hash for task in tasks])[:16]}"

    async def distil(self, text: str, kind: str, tokens: int) -> str:
        """The text as the task of its kind shortens it, at the temperature of that task.

        Raises:
            GatherError: As `TaskRunner.run`.
        """
        inputs = {"text": text, "words": max(20, int(tokens * WORDS_A_TOKEN))}
        tags = {**self._tags, "kind": kind}
        result = await self._run(TASKS.get(kind, OTHER), inputs, max_tokens=2 * tokens + 100, tags=tags, **self._options)
        return str(result.output)
