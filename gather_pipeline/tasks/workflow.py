"""Runs what a task needs first, in the order in which it is declared (S004-WF)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from gather_pipeline.errors import GatherError, OutputRejected, Stopped
from gather_pipeline.tasks.definition import Dependency, TaskDefinition
from gather_pipeline.tasks.schemas import with_defaults

if TYPE_CHECKING:
    from gather_pipeline.tasks.runner import TaskResult

logger = logging.getLogger(__name__)
Run = Callable[[str, str | None, Mapping[str, Any]], Awaitable["TaskResult"]]


async def complete_input(definition: TaskDefinition, inputs: Mapping[str, Any], run: Run) -> tuple[dict[str, Any], dict[str, str]]:
    """The input with what the dependencies bring, and by task the ids of the executions that brought it.

    A dependency does not run where the caller gives all that it would bring. `run` executes a task in a version with an input.

    Raises:
        GatherError: A dependency failed, and its policy is to stop.
    """
    made, executions = dict(inputs), {}
    for dependency in definition.dependencies:
        if all(target in made for target in dependency.outputs):
            continue
        try:
            known = with_defaults(definition.input.json_schema, made)
            given = {target: known[source] for target, source in dependency.inputs.items() if source in known}
            result = await run(dependency.task, dependency.version, given)
            if result.execution.is_pending:
                raise OutputRejected(f"task {dependency.task}: its output waits for review {result.execution.waiting}")
            executions[dependency.task] = result.execution.id
            brought = _brought(dependency, result.output)
        except Stopped:
            raise
        except GatherError as error:
            if dependency.on_error == "stop":
                raise
            logger.warning("[AutoGather] Task %s goes on without %s: %s", definition.id, dependency.task, error)
            brought = dict(dependency.fallback) if dependency.on_error == "fallback" else {}
        made = brought | made
    return made, executions


def _brought(dependency: Dependency, output: Any) -> dict[str, Any]:
    brought = {}
    for target, source in dependency.outputs.items():
        part = output
        for name in source.split(".")[1:]:
            part = part.get(name) if isinstance(part, Mapping) else None
        if part is not None:
            brought[target] = part
    return brought
