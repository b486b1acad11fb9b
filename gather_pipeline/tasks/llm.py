"""A model to be asked in one's own words, as seed S002 asks one (C07): `get_llm_model("summary").invoke("Sum this up: ...")`.

Every prompt is an execution of the task `prompt`, so that it is kept, logged, routed and retried like any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from gather_pipeline.tasks.catalogue import parse_definition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.options import ExecutionOptions

if TYPE_CHECKING:
    from gather_pipeline.services import Services

TASK = "prompt"
TEMPERATURES = {"correction": 0.3, "summary": 0.7}  # of the seed's own tasks (S002-CFG-06, 10), as long as no definition has their names


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a model said.

    Attributes:
        content: The text, or the value where a schema was asked for.
        execution: The record of how it came about.
    """

    content: Any
    execution: Execution


class LlmModel:
    """A model with its parameters, as `get_llm_model` gives it."""

    def __init__(self, executor: TaskExecutor, options: ExecutionOptions, owner: LlmModel | None = None) -> None:
        self._executor, self._options = executor, options
        self._owner = owner  # of the services that both work with, which are closed with it

    def invoke(self, prompt: str, *, draw: int = 0) -> Reply:
        """The model's reply; the same prompt with the same draw is paid once.

        Raises:
            GatherError: As `TaskRunner.run`.
        """
        result = self._executor.run({"prompt": prompt}, self._options.model_copy(update={"draw": draw}))
        return Reply(content=result.output, execution=result.execution)

    async def ainvoke(self, prompt: str, *, draw: int = 0) -> Reply:
        """As `invoke`, without blocking the event loop."""
        return await asyncio.to_thread(self.invoke, prompt, draw=draw)

    def with_structured_output(self, schema: Mapping[str, Any] | type[BaseModel]) -> LlmModel:
        """The same model, whose replies' content fits a JSON Schema: sent with the request, checked, and asked for again where it does not.

        Raises:
            InvalidInput: It is no schema.
        """
        wanted = dict(schema) if isinstance(schema, Mapping) else schema.model_json_schema()
        document = self._executor.definition.to_document() | {"output": {"schema": wanted}}
        definition = parse_definition(document, "get_llm_model")
        return LlmModel(TaskExecutor(definition, services=self._executor.services), self._options, owner=self)

    def close(self) -> None:
        """Lets go of models and connections."""
        self._executor.close()


def get_llm_model(
    task_name: str | None = None, temperature: float | None = None, model: str | None = None, *, services: Services | None = None
) -> LlmModel:
    """The model that the settings name, to be asked in one's own words.

    Args:
        task_name: A task whose ranking of models, temperature and length of answers hold; or the seed's ``correction`` or ``summary``.
        temperature: 0 to 1; the task's where None.
        model: Model id; the task's first one where None.
        services: What it works with; the services that the environment names where None.

    Raises:
        UnknownEntity: No such task.
        InvalidInput: A setting or an argument is wrong.
    """
    executor = TaskExecutor(TASK, services=services)
    wanted: dict[str, Any] = {"model": model, "temperature": temperature, "tags": {"task_name": task_name} if task_name else {}}
    if task_name in TEMPERATURES and all(one.id != task_name for one in executor.services.catalogue):
        wanted["temperature"] = TEMPERATURES[task_name] if temperature is None else temperature
    elif task_name is not None:
        task = executor.services.catalogue.get(task_name)
        first, *others = executor.services.task_models(task, ExecutionOptions.read({"model": model}))
        generation = task.generation
        wanted |= {"model": first, "fallback_models": others, "max_tokens": generation.max_tokens}
        wanted["temperature"] = generation.temperature if temperature is None else temperature
    return LlmModel(executor, ExecutionOptions.read(wanted))
