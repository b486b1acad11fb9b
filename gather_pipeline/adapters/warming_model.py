"""A language model that has the embedder loaded while its first answers are on their way.

Loading takes 1 to 2 seconds of one core, and a new project needs its first vector when the first answers are there. So it is done in a
thread meanwhile, not before, where it would hold up the first call. docs/decisions/0011-start.md has the figures.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.ports import LanguageModel

HEAD_START_S = 0.2  # the first requests go out first: clients load libraries too, and Python runs one thread at a time
END_S = 10.0  # a single step of loading takes a second at most

logger = logging.getLogger(__name__)


class WarmingModel:
    """A model, and what is to be made ready in the shadow of its first call.

    Whoever needs the embedder waits for the thread or, where it failed, loads again and gets the error. The thread neither keeps the
    process from ending nor outlives it: Python would end the whole process by abort if a library in C++ were still loading.

    Args:
        body: Answers.
        warm_up: Loads; may be called from any thread and does nothing where that was done.
    """

    def __init__(self, body: LanguageModel, warm_up: Callable[[], None]) -> None:
        self._body, self._warm_up = body, warm_up
        self._begun = False

    async def complete(self, request: ModelRequest) -> Completion:
        """The body's answer, and its errors."""
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_later(HEAD_START_S, self._begin)
        return await self._body.complete(request)

    async def aclose(self) -> None:
        """Closes the body; a thread that still loads goes on."""
        await self._body.aclose()

    def _begin(self) -> None:
        thread = threading.Thread(target=self._load, name="embedder-warm-up", daemon=True)
        self._at_exit = partial(_end, thread)
        atexit.register(self._at_exit)
        thread.start()

    def _load(self) -> None:
        try:
            self._warm_up()
        except Exception as error:
            logger.debug("[AutoGather] The embedder could not be loaded ahead: %s", error)
        finally:
            atexit.unregister(self._at_exit)


def _end(thread: threading.Thread) -> None:
    """Ends the thread at its next step, by an exception that Python raises in it without a word."""
    limit, tell = time.monotonic() + END_S, sys.unraisablehook
    sys.unraisablehook = lambda _: None  # a destructor may be what it hits
    try:
        while thread.is_alive() and thread.ident is not None and time.monotonic() < limit:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
            thread.join(0.05)
    finally:
        sys.unraisablehook = tell
