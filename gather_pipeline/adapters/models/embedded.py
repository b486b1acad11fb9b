"""The small language model that needs no key: llama.cpp inside this process, served on the loopback to the usual client.

llama.cpp's log is switched off: it would stand between the lines of JSON on standard output.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gather_pipeline.adapters.models.limits import bounded
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import SetupMissing
from gather_pipeline.ports import LanguageModel

# OpenMP threads that spin while they wait ruin each other on a busy machine: 8 tokens a second instead of 23 with 2 threads.
SPIN_COUNT = "1000"
SLOTS = 4  # requests at once: eight bring little more and quarter the context of each
CONTEXT = 8192  # tokens of prompt and answer, divided among the slots

logger = logging.getLogger(__name__)


class EmbeddedModel:
    """Starts at the first request and stops at `aclose`; a later request starts it again.

    `client` makes the client for a base URL; it must send prefilled turns and sampling parameters as they are.
    """

    def __init__(self, model_path: Path, *, client: Callable[[str], LanguageModel]) -> None:
        self._path = model_path
        self._make_client = client
        self._threads = default_threads(_cores())
        self._lock = threading.Lock()
        self._server: Any = None
        self._client: LanguageModel | None = None

    async def complete(self, request: ModelRequest) -> Completion:
        """One answer, at no cost.

        Raises:
            SetupMissing: The model file is missing or damaged.
            ModelRefused: The prompt is longer than a slot's context, or the schema is none.
            ModelTimeout: No answer within the time.
            ModelUnavailable: The server fails.
        """
        client = self._client
        if client is None:
            client = await asyncio.to_thread(self._start)
        completion = await client.complete(replace(request, response_schema=bounded(request.response_schema)))
        return replace(completion, usage=replace(completion.usage, cost=0.0))

    async def aclose(self) -> None:
        """Closes the connections and stops the server, which takes 0.2 s."""
        with self._lock:
            client, self._client = self._client, None
            server, self._server = self._server, None
        if client is not None:
            await client.aclose()
        del server  # the last reference: this stops it

    def _start(self) -> LanguageModel:
        with self._lock:
            if self._client is None:
                self._server = self._serve()
                self._client = self._make_client(f"{self._server.listening_address}/v1")
                logger.info("[AutoGather] the small local model %s answers, on %d threads", self._path.stem, self._threads)
            return self._client

    def _serve(self) -> Any:
        if not self._path.is_file():
            raise SetupMissing(f'the embedded model\'s weights are not at {self._path}: run "gather setup"')
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # read when the library is loaded
        import xllamacpp

        settings = xllamacpp.CommonParams()
        settings.model.path = str(self._path)
        settings.model_alias = {self._path.stem}
        settings.n_parallel = SLOTS
        settings.n_ctx = CONTEXT
        settings.hostnames = ["127.0.0.1"]
        settings.port = 0
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = self._threads
        settings.use_jinja = True
        settings.ui = False
        settings.verbosity = -1
        try:
            return xllamacpp.Server(settings)
        except RuntimeError as error:
            fault = f"the embedded model's weights at {self._path} are damaged or no GGUF file"
            raise SetupMissing(f'{fault}: run "gather setup", or name another file in MODEL_PATH where that is set') from error


def _cores() -> int:
    """Cores that this process may use, which in a container can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2


def default_threads(cores: int) -> int:
    """One less than there are cores, so that the rest of the program goes on; of two cores both, for one is 1.4 times slower."""
    return cores if cores <= 2 else cores - 1
