"""Answers of models, kept before they are read, so that none is paid for twice (S004-WF-09).

A request for an answer that is being asked for already, in any process, waits for it. A kept answer names the execution that paid for it
until that one's record is stored: where it died before, the next execution that finds the answer takes over its cost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from typing import Any

from gather_pipeline.domain.executions import Completion, ModelRequest, Usage
from gather_pipeline.errors import StoreError, StoreUnavailable
from gather_pipeline.ports import Cache
from gather_pipeline.tasks.execution import Execution, digest

KEPT_S = 30 * 86_400.0  # an answer serves for thirty days
POLL_S = 0.02
PATIENCE_S = 120.0  # for the answer that another one is asking for, whose process may be stopped; then the model is asked anyway

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a model said.

    Attributes:
        key: Under which it is kept, None where it is not.
        is_own: Whether its cost belongs to the execution that asked.
    """

    key: str | None
    completion: Completion
    is_own: bool


class KeptAnswers:
    """The answers in a cache; one that fails stops nothing: a warning is logged, and the model is asked.

    Args:
        realm: Tells servers apart that may answer for the same model id in another way.
    """

    def __init__(self, cache: Cache, realm: str = "") -> None:
        self._cache, self._realm = cache, realm

    def begin(self, execution_id: str) -> AbstractContextManager[None]:
        """Shows other processes that an execution is alive, and so will record what it pays."""
        return self._claim(execution_id) or nullcontext()

    async def answer(
        self, request: ModelRequest, place: Iterable[object], execution_id: str, ask: Callable[[], Awaitable[Completion]]
    ) -> Answer:
        """The answer that is kept for a request, or that `ask` brings, which is kept at once; raises what `ask` raises.

        `place` is what tells calls with the same request apart that are to differ, such as a draw.
        """
        key = digest([self._realm, *place, asdict(request)])
        end = time.monotonic() + PATIENCE_S
        while (claim := self._claim(key)) is None and time.monotonic() < end:  # another one is asking
            await asyncio.sleep(POLL_S)
        with claim or nullcontext():
            if (found := self._find(key)) is None:
                found = Answer(key=key, completion=await ask(), is_own=True)
                self._keep(key, asdict(found.completion), execution_id)
            return found

    def settle(self, execution: Execution) -> None:
        """Says that the cost of an execution's answers stands in a stored record; answers that a failed one could not use are forgotten."""
        for call in execution.calls:
            if call.kept is None:
                continue
            if execution.status == "failed" and call.complaint is not None:
                with suppress(StoreUnavailable, StoreError):
                    self._cache.invalidate(layer="result", key=call.kept)
            elif not call.cached and (row := self._read(call.kept)) is not None:
                self._keep(call.kept, row["completion"], None)

    def _claim(self, key: str) -> AbstractContextManager[None] | None:
        try:
            return self._cache.claim(key)
        except (StoreUnavailable, StoreError) as error:
            logger.warning("[AutoGather] Answers are not shared: %s", error)
            return nullcontext()

    def _find(self, key: str) -> Answer | None:
        if (row := self._read(key)) is None:
            return None
        try:
            completion = Completion(**{**row["completion"], "usage": Usage(**row["completion"]["usage"])})
            payer = row["payer"]
        except (TypeError, KeyError) as error:
            logger.warning("[AutoGather] A kept answer cannot be read: %s", error)
            return None
        died = None if payer is None else self._claim(payer)
        with died or nullcontext():  # which is let go of at once
            return Answer(key=key, completion=completion, is_own=died is not None)

    def _read(self, key: str) -> dict[str, Any] | None:
        try:
            value = self._cache.get("result", key)
            row = None if value is None else json.loads(value)
        except (StoreUnavailable, StoreError, ValueError) as error:
            logger.warning("[AutoGather] A kept answer cannot be read: %s", error)
            return None
        return row if isinstance(row, dict) else None

    def _keep(self, key: str, completion: Mapping[str, Any], payer: str | None) -> None:
        row = {"completion": completion, "payer": payer}
        try:
            self._cache.put("result", key, json.dumps(row).encode(), ttl_s=KEPT_S)
        except (StoreUnavailable, StoreError) as error:
            logger.warning("[AutoGather] An answer is not kept: %s", error)
