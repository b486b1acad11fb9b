"""The one client for every server that speaks OpenAI's chat completions: OpenRouter, OpenAI, Ollama, vLLM, llama.cpp.

It sends, asks again after a wait (C25), and remembers what a model refuses to take. How a request is written and an answer is read
stands in `chat_completions`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

from gather_pipeline.adapters.models.chat_completions import BadRequest, Prices, read_completion, request_options, scrub, status_failure
from gather_pipeline.adapters.models.retry import parse_retry_after, wait_s
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import GatherError, InvalidInput, ModelRefused, ModelTimeout, ModelUnavailable
from gather_pipeline.ports import Clock

if TYPE_CHECKING:
    import openai

LOOPBACK = ("127.0.0.1", "localhost", "::1")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Connection:
    """What belongs to one event loop."""

    client: openai.AsyncOpenAI
    slots: asyncio.Semaphore


class OpenAiModel:
    """Chat completions over HTTP with retries, limits, usage and cost.

    Args:
        base_url: Address of the API, e.g. ``https://openrouter.ai/api/v1``; user and password in it become basic authentication.
        api_key: Key, empty for a server that wants none.
        provider: Name for messages; see `request_options` for what else it decides.
        clock: Time between attempts.
        concurrency: Most requests at once.
        prices: US dollars per million tokens of prompt and answer, by model id, for providers that name no cost.
        jitter: Random numbers from 0 to 1.

    Raises:
        InvalidInput: The address or the key cannot be one.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        provider: str,
        clock: Clock,
        concurrency: int = 8,
        prices: Prices | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url, self._login = _split_login(base_url)
        self._key = api_key.strip()
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise InvalidInput(f"the API key of {provider} holds a blank, a line break or a letter that no key has")
        self._secrets = tuple(secret for secret in (self._key, *(self._login or ())) if secret)
        self._provider = provider
        self._clock = clock
        self._concurrency = concurrency
        self._prices = dict(prices or {})
        self._jitter = jitter
        self._refused: dict[tuple[str, str], frozenset[str]] = {}  # by model and schema: a bad schema must not spoil the others
        self._connections: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connection] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"OpenAiModel(provider={self._provider!r})"

    async def complete(self, request: ModelRequest) -> Completion:
        """One answer, asked for again where that may help.

        Raises:
            ModelRefused: Wrong key, model or request; never asked twice.
            RateLimited: Too many requests, again and again, or with a wait of more than 10 minutes.
            ModelTimeout: No answer within the request's time.
            ModelUnavailable: No connection, a 5xx or a malformed answer.
        """
        failures: Counter[type] = Counter()
        sent = count(1)
        while True:
            try:
                return await self._attempt(request, sent)
            except ModelUnavailable as error:
                failures[type(error)] += 1
                wait = wait_s(error, failures[type(error)], self._jitter())
                if wait is None:
                    raise
                logger.warning("[AutoGather] %s; asking again in %.1f s", error, wait)
            await self._clock.sleep(wait)  # without a slot: who waits keeps nobody else from asking

    async def aclose(self) -> None:
        """Closes the connections of the running event loop."""
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.client.close()

    async def _attempt(self, request: ModelRequest, sent: Iterator[int]) -> Completion:
        """One answer, leaving out what the model turns out not to take; what helped is remembered."""
        key = request.model, json.dumps(request.response_schema, sort_keys=True, default=str)
        known = refused = self._refused.get(key, frozenset())
        while True:
            options = request_options(request, provider=self._provider, refused=refused)
            try:
                completion = await self._post(request, options, next(sent))
            except BadRequest as error:
                culprit = error.culprit(options)
                if culprit is None:
                    raise ModelRefused(str(error)) from None
                refused |= {culprit}
                continue
            if refused != known:
                self._refused[key] = self._refused.get(key, frozenset()) | refused
                logger.info("[AutoGather] %s takes no %s for %s", self._provider, ", ".join(sorted(refused)), request.model)
            return completion

    async def _post(self, request: ModelRequest, options: dict[str, Any], attempts: int) -> Completion:
        import openai

        connection = self._connection()
        async with connection.slots:
            started = self._clock.monotonic()
            body = ""
            failure: GatherError | None = None
            try:
                async with asyncio.timeout(request.timeout_s):
                    raw = await connection.client.chat.completions.with_raw_response.create(**options, timeout=request.timeout_s)
                    body = raw.http_response.text
            except (TimeoutError, openai.APITimeoutError):
                failure = ModelTimeout(f"{self._provider} gave no answer for {request.model!r} within {request.timeout_s:.1f} s")
            except openai.APIStatusError as error:
                failure = status_failure(
                    error.status_code,
                    error.body or error.response.text,
                    model=request.model,
                    provider=self._provider,
                    secrets=self._secrets,
                    retry_after_s=parse_retry_after(error.response.headers.get("retry-after"), datetime.fromisoformat(self._clock.now())),
                )
            except openai.OpenAIError as error:
                cause = scrub(str(error.__cause__ or error), self._secrets) or type(error).__name__
                failure = ModelUnavailable(f"the connection to {self._provider} failed: {cause}")
            latency_s = self._clock.monotonic() - started
        if failure is not None:
            raise failure  # outside of the handlers: the client's own error may hold the key, so it is not chained
        return read_completion(
            body,
            request,
            provider=self._provider,
            prices=self._prices,
            latency_s=latency_s,
            attempts=attempts,
            secrets=self._secrets,
        )

    def _connection(self) -> _Connection:
        import openai

        loop = asyncio.get_running_loop()
        if loop not in self._connections:
            http = openai.DefaultAsyncHttpxClient(
                auth=self._login,
                trust_env=urlsplit(self._url).hostname not in LOOPBACK,  # a proxy cannot reach this machine's own servers
            )
            client = openai.AsyncOpenAI(base_url=self._url, api_key=self._key or "none", max_retries=0, http_client=http)
            self._connections[loop] = _Connection(client, asyncio.Semaphore(self._concurrency))
        return self._connections[loop]


def _split_login(base_url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user and password, which HTTP libraries write to their logs."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput("the base URL is not a web address, expected one like https://openrouter.ai/api/v1")
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])), login
