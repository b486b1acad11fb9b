"""Executions of definitions in the server's process: so many at once, in an event loop of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from gather_pipeline.errors import DuplicateKey, GatherError, StoreError, StoreUnavailable
from gather_pipeline.services import Services
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.options import ExecutionOptions

logger = logging.getLogger(__name__)
Answer = TypeVar("Answer")
AWAY_S = 2.0  # between two tries at a store that does not answer
LOOK_S = 0.5  # between two looks whether an execution is to be cancelled


class Executing:
    """Executes definitions; each is cancelled once its submission in the store says so."""

    def __init__(self, services: Services) -> None:
        self._services, self._stack = services, ExitStack()
        self._begun: set[Future[None]] = set()

    def begin(self, task_id: str, executor: TaskExecutor, given: Mapping[str, Any], options: ExecutionOptions) -> None:
        """Begins an execution, as soon as fewer than `GATHER_CONCURRENCY` are under way; `task_id` becomes the id of its record."""
        future = self._portal.start_task_soon(self._run, task_id, executor, given, options)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)

    def close(self) -> None:
        """Cancels what is under way; each execution notes that it was cancelled."""
        for future in list(self._begun):
            future.cancel()
        self._stack.close()  # waits for them

    @cached_property
    def _portal(self) -> BlockingPortal:
        portal = self._stack.enter_context(start_blocking_portal())
        self._stack.callback(portal.call, self._services.model.aclose)
        return portal

    @cached_property
    def _places(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self._services.settings.concurrency)

    async def _run(self, task_id: str, executor: TaskExecutor, given: Mapping[str, Any], options: ExecutionOptions) -> None:
        submissions, unstored = self._services.submissions, list[Execution]()

        def record(execution: Execution) -> None:
            try:
                self._services.store_execution(execution)
            except (StoreError, StoreUnavailable):
                unstored.append(execution)

        async with self._places:
            if await _stored(task_id, submissions.cancel_requested, task_id):
                return
            await _stored(task_id, submissions.started, task_id)
            work = asyncio.create_task(executor.run_async(given, options, task_id, record))
            try:
                while not work.done():
                    await asyncio.wait({work}, timeout=LOOK_S)
                    with suppress(GatherError):  # it is looked at again
                        if not work.done() and await asyncio.to_thread(submissions.cancel_requested, task_id):
                            work.cancel()
            finally:
                work.cancel()
            for execution in unstored:
                with suppress(DuplicateKey):  # the record was stored, what follows from it was not
                    await _stored(task_id, self._services.store_execution, execution)
            error = asyncio.CancelledError() if work.cancelled() else work.exception()
            if error is None:
                return
            if not isinstance(error, GatherError | asyncio.CancelledError):
                logger.error("[AutoGather] Task %s: unexpected: %s", task_id, error, exc_info=error)
            await _stored(task_id, submissions.failed, task_id, str(error) or "cancelled")  # there may be no record of the execution


async def _stored(task_id: str, call: Callable[..., Answer], *args: Any) -> Answer:
    """Asks the store in a thread, again and again while it does not answer: else the task would stay as it is for ever."""
    is_away = False
    while True:
        try:
            return await asyncio.to_thread(call, *args)
        except DuplicateKey:
            raise
        except (StoreError, StoreUnavailable) as error:
            if not is_away:
                logger.warning("[AutoGather] What becomes of task %s waits for the store: %s", task_id, error)
            is_away = True
        await asyncio.sleep(AWAY_S)
