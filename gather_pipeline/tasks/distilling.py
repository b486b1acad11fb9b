"""Shortens texts by tasks: one definition for each kind of text, so that each keeps what counts in it (S003-DIST-03 to 05)."""

from __future__ import annotations

from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import digest
from gather_pipeline.tasks.runner import TaskRunner

WORDS_A_TOKEN = 0.7  # a model is told how long in words, which it can count
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
        runner: Executes the tasks and records their executions.
        catalogue: Where their definitions are.
        model: Who shortens.
    """

    def __init__(self, runner: TaskRunner, catalogue: Catalogue, model: str) -> None:
        self._runner, self._model = runner, model
        tasks = sorted({*TASKS.values(), OTHER})
        self.name = f"{model}@{digest([catalogue.get(task).hash for task in tasks])[:16]}"

    async def distil(self, text: str, kind: str, tokens: int) -> str:
        """The text as the task of its kind shortens it, at the temperature of that task.

        Raises:
            GatherError: As `TaskRunner.run`.
        """
        inputs = {"text": text, "words": max(20, int(tokens * WORDS_A_TOKEN))}
        result = await self._runner.run(TASKS.get(kind, OTHER), inputs, model=self._model, max_tokens=2 * tokens + 100, tags={"kind": kind})
        return str(result.output)
