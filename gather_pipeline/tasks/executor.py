"""The seed's door to the task engine: one task, executed in plain synchronous code (S004-EXEC).

The one module of this room that may import the composition root, and only when it is not handed services.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import BlockingPortal, start_blocking_portal

from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.definition import TaskDefinition
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.options import ExecutionOptions
from gather_pipeline.tasks.runner import TaskResult, TaskRunner

if TYPE_CHECKING:
    from gather_pipeline.services import Services


class TaskExecutor:
    """Executes one task against the models that the settings name. Use it in a `with` block, or call `close` at the end.

    Args:
        task_id: Id of a definition: packaged, a plugin's, or a file's in a folder of `GATHER_TASKS`; or a definition that is nowhere.
        version: Version of the definition; the newest where None.
        services: What it works with; the services that the environment names where None.

    Raises:
        UnknownEntity: No such task or version.
        InvalidInput: A setting or a definition is wrong.
    """

    def __init__(self, task_id: str | TaskDefinition, version: str | None = None, *, services: Services | None = None) -> None:
        stack = ExitStack()
        if services is None:
            from gather_pipeline.bootstrap import build_services

            services = build_services()
            stack.callback(services.close)
        self.services = services
        self._finalizer = weakref.finalize(self, _close, stack)
        self._stack = stack
        if isinstance(task_id, str):
            self._catalogue, self.definition = services.catalogue, services.catalogue.get(task_id, version)
        else:
            self._catalogue, self.definition = Catalogue([task_id], under=services.catalogue), task_id

    def execute(self, input: Mapping[str, Any], options: ExecutionOptions | Mapping[str, Any] | None = None) -> Any:
        """The output: accepted by the checks of the task, or what its fallback strategy gives.

        Args:
            input: Values for the input schema.
            options: See `ExecutionOptions`.

        Raises:
            GatherError: As `TaskRunner.run`.
        """
        return self.run(input, options).output

    def run(self, input: Mapping[str, Any], options: ExecutionOptions | Mapping[str, Any] | None = None) -> TaskResult:
        """The output with the record of how it came about; raises as `execute` does."""
        result: TaskResult = self._calls.call(self.run_async, input, ExecutionOptions.read(options))
        return result

    async def run_async(
        self,
        input: Mapping[str, Any],
        options: ExecutionOptions,
        execution_id: str | None = None,
        record: Callable[[Execution], None] | None = None,
    ) -> TaskResult:
        """The same in an event loop of the caller's own, who closes the model and may name and store the record."""
        services = self.services
        self.definition.check_conditions(options.conditions)
        candidates = services.task_models(self.definition, options)
        for model in candidates:
            services.check_reach(model)
        runner = TaskRunner(services.model, self._catalogue, services.clock, record or services.store_execution, services.task_support)
        return await runner.run(
            self.definition.id,
            input,
            model=candidates[0],
            fallback_models=candidates[1:],
            conditions=options.conditions,
            prompt_id=options.prompt_id,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            seed=options.seed,
            draw=options.draw,
            version=self.definition.version,
            budget=options.budget,
            tags=options.tags,
            execution_id=execution_id,
        )

    def close(self) -> None:
        """Lets go of models and connections."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _calls(self) -> BlockingPortal:
        """An event loop in a thread of its own, for the connections of all calls."""
        portal = self._stack.enter_context(start_blocking_portal())
        self._stack.callback(portal.call, self.services.model.aclose)
        return portal


def _close(stack: ExitStack) -> None:
    """Closes; in a thread of its own where the last reference was let go within the event loop that is to be stopped."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        stack.close()
    else:
        Thread(target=stack.close).start()
