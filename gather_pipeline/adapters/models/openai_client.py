"""The one client for every server that speaks OpenAI's chat completions: OpenRouter, OpenAI, Ollama, vLLM, llama.cpp.

It sends, asks again after a wait (C25) or on other terms, and remembers what a model refuses to take. How a request is written stands
in `requests`, how an answer is read in `answers`, and how a refusal in `refusals`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

from gather_pipeline.adapters.models.answers import BODY_LIMIT, PAGE_LIMIT, Answer, decoded, read_answer
from gather_pipeline.adapters.models.pace import Pace
from gather_pipeline.adapters.models.refusals import Refusal, read_refusal
from gather_pipeline.adapters.models.requests import Form, Terms, opening, plainer, remedy, write_request
from gather_pipeline.adapters.models.retry import wait_s
from gather_pipeline.adapters.network import PACKED, Address, checked_key, unpacked
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import ModelRefused, ModelTimeout, ModelUnavailable, ModelUnreachable
from gather_pipeline.ports import Clock

if TYPE_CHECKING:
    import httpx2
    import openai

Prices = Mapping[str, tuple[float, float]]

ENDPOINT = "/chat/completions"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Connection:
    """What belongs to one event loop."""

    client: openai.AsyncOpenAI
    slots: asyncio.Semaphore


class OpenAiModel:
    """Chat completions over HTTP with retries, limits, usage and cost.

    Args:
        base_url: Address of the API, e.g. ``https://openrouter.ai/api/v1``; a query is kept, user and password become basic
            authentication.
        api_key: Key, empty for a server that wants none.
        provider: Name for messages; see `write_request` for what else it decides.
        clock: Time between attempts.
        concurrency: Most requests at once.
        prices: US dollars per million tokens of prompt and answer, by model id, for providers that name no cost.
        headers: Sent with every request.
        requests_per_minute: Most requests begun in any 60 seconds.
        tokens_per_minute: Most tokens in any 60 seconds.
        secrets: What no error and no answer may show; key and address alone where it is left out.
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
        headers: Mapping[str, str] | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        secrets: Secrets | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._address = Address.read(base_url)
        self._root = self._address.url  # under which the API was found
        self._key = checked_key(api_key.strip(), f"the API key of {provider}")
        self._secrets = secrets or Secrets((self._key, *parts_of_address(base_url)))
        self._provider = provider
        self._clock = clock
        self._concurrency = concurrency
        self._prices = dict(prices or {})
        self._headers = dict(headers or {})
        self._pace = Pace(clock, requests_per_minute, tokens_per_minute)
        self._jitter = jitter
        self._terms: dict[str, Terms] = {}  # by model
        self._forms: dict[tuple[str, str], Form] = {}  # by model and schema: a bad schema must not spoil the others
        self._closed: dict[str, str] = {}  # by model, or by "" for all: refusals that no other request can change
        self._connections: WeakKeyDictionary[asyncio.AbstractEventLoop, _Connection] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"OpenAiModel(provider={self._provider!r})"

    async def complete(self, request: ModelRequest) -> Completion:
        """One answer, asked for again where that may help.

        Raises:
            ModelRefused: Wrong key, model or request; never asked twice.
            RateLimited: Too many requests, again and again, or with a wait of more than 10 minutes.
            ModelTimeout: No answer within the request's time.
            ModelUnreachable: No connection.
            ModelUnavailable: A 5xx or a malformed answer.
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
        """Closes the connections of the running event loop; a key or an account that was refused is tried anew afterwards."""
        self._closed.clear()
        connection = self._connections.pop(asyncio.get_running_loop(), None)
        if connection is not None:
            await connection.client.close()

    async def _attempt(self, request: ModelRequest, sent: Iterator[int]) -> Completion:
        """One answer, on other terms where the model refuses the first ones; what helped is remembered."""
        key = request.model, json.dumps(request.response_schema, sort_keys=True, default=str)
        usual = Terms(limit_name="max_completion_tokens" if self._provider == "openai" else "max_tokens")
        known = terms = replace(self._terms.get(request.model, usual), form=self._forms.get(key, "json_schema"))
        doubted, root, first = False, self._root, None
        while True:
            number = next(sent)
            said, latency_s = await self._post(request, write_request(request, terms, provider=self._provider), root)
            if isinstance(said, Answer):
                break
            if first is None and (elsewhere := other_root(root, said)) is not None:
                first, root = said, elsewhere
                continue
            if first is not None and said.status in (404, 405):  # nothing is there either
                raise self._failure(first, request, self._root)
            other = remedy(terms, said, request)
            if other is None and said.kind == "other" and said.status in (400, 422) and plainer(terms, request):
                # Many a server says only that the request is bad; a structured answer is what they most often cannot give. Not so if
                # the same request is taken the next time.
                other, doubted = replace(terms, form="prompt") if doubted else terms, True
            if other is None:
                raise self._failure(said, request, root)
            terms = other
        self._root = root
        if terms != known:
            self._terms[request.model], self._forms[key] = terms, terms.form
            logger.info("[AutoGather] %s takes %s on other terms: %s", self._provider, request.model, terms)
        return self._completion(said, request, latency_s=latency_s, attempts=number)

    async def _post(self, request: ModelRequest, options: dict[str, Any], root: str) -> tuple[Answer | Refusal, float]:
        """What the server says, and the seconds that it took."""
        import openai

        connection = self._connection()
        begun = await self._pace.begin(request)  # without a slot, as every wait
        async with connection.slots:
            if closed := self._closed.get("") or self._closed.get(request.model):
                raise ModelRefused(closed)
            started = self._clock.monotonic()
            failure: ModelUnavailable
            try:
                client = connection.client if root == self._address.url else connection.client.with_options(base_url=root)
                async with asyncio.timeout(request.timeout_s):
                    raw = await client.chat.completions.with_raw_response.create(**options, timeout=request.timeout_s)
                said = read_answer(raw.http_response.content, structured=request.response_schema is not None, now=self._now())
                if isinstance(said, Answer) and said.usage.tokens is not None:
                    begun.tokens = said.usage.tokens
                return said, self._clock.monotonic() - started
            except (TimeoutError, openai.APITimeoutError):
                failure = ModelTimeout(f"{self._provider} gave no answer for {request.model!r} within {request.timeout_s:.1f} s")
            except openai.APIStatusError as error:
                text = decoded(error.response.content[:PAGE_LIMIT])
                said = read_refusal(error.status_code, text, now=self._now(), headers=error.response.headers)
                return said, self._clock.monotonic() - started
            except openai.OpenAIError as error:
                cause = self._secrets.line(str(error.__cause__ or error)) or type(error).__name__
                failure = ModelUnreachable(f"the connection to {self._provider} failed: {cause}")
        raise failure  # outside of the handlers: the client's own error may hold the key, so it is not chained

    def _failure(self, refusal: Refusal, request: ModelRequest, root: str) -> Exception:
        """The error of a refusal; who is refused for the key or an empty account asks no more."""
        address = f"{root}{ENDPOINT}"
        failure = refusal.error(model=request.model, provider=self._provider, address=address, secrets=self._secrets)
        if refusal.kind in ("key", "quota"):
            self._closed["" if refusal.kind == "key" else request.model] = str(failure)
        return failure

    def _completion(self, answer: Answer, request: ModelRequest, *, latency_s: float, attempts: int) -> Completion:
        if answer.declined and not answer.text:
            raise ModelRefused(f"{request.model!r} declined: {self._secrets.line(answer.declined)}")
        if answer.finish == "error":
            raise ModelUnavailable(f"{self._provider} broke off the answer of {request.model!r}: {self._secrets.line(answer.text)!r}")
        usage, price = answer.usage, self._prices.get(request.model)
        if usage.cost is None and price is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
            usage = replace(usage, cost=(usage.prompt_tokens * price[0] + usage.completion_tokens * price[1]) / 1_000_000)
        return Completion(
            text=self._secrets.mask(clean(answer.text)).removeprefix(opening(request)),
            reasoning=self._secrets.mask(clean(answer.reasoning)),
            finish_reason=answer.finish,
            model=self._secrets.mask(clean(answer.model)) if answer.model else request.model,
            usage=usage,
            latency_s=latency_s,
            attempts=attempts,
        )

    def _now(self) -> datetime:
        return datetime.fromisoformat(self._clock.now())

    def _connection(self) -> _Connection:
        import openai

        loop = asyncio.get_running_loop()
        if loop not in self._connections:
            address = self._address
            http = openai.DefaultAsyncHttpxClient(
                auth=address.login,
                params=address.query,
                **address.options(),
                headers=PACKED,
                follow_redirects=False,  # it would make a GET of a POST, or take it to another host; see `other_root`
                event_hooks={"response": [_read_bounded]},
            )
            client = openai.AsyncOpenAI(
                base_url=address.url, api_key=self._key or "none", max_retries=0, http_client=http, default_headers=self._headers
            )
            self._connections[loop] = _Connection(client, asyncio.Semaphore(self._concurrency))
        return self._connections[loop]


def other_root(root: str, refusal: Refusal) -> str | None:
    """Another address of the same host at which the API may be, None where nothing speaks for one.

    A server says so by a redirect; and where the address has no path, an API that is not there is mostly under ``/v1``.
    """
    asked = urlsplit(root)
    if refusal.location:
        with suppress(ValueError):  # where it is no address
            place = urlsplit(urljoin(f"{root}{ENDPOINT}", refusal.location))
            is_host = place.netloc == asked.netloc or (place.scheme == "https" != asked.scheme and place.hostname == asked.hostname)
            found = urlunsplit((place.scheme, place.netloc, place.path.rstrip("/").removesuffix(ENDPOINT), "", ""))
            return found if is_host and place.path.rstrip("/").endswith(ENDPOINT) and found != root else None
        return None
    is_missing = refusal.status in (404, 405) or "unexpected endpoint" in refusal.words.lower()
    return f"{root}/v1" if is_missing and not asked.path else None


async def _read_bounded(response: httpx2.Response) -> None:
    """Reads the body, no more of it than shows that it is too long: what comes packed may unpack to gigabytes."""
    body = bytearray()
    async with aclosing(response.aiter_raw()) as parts:
        async for part in parts:
            body += part[: BODY_LIMIT + 1]
            if len(body) > BODY_LIMIT:
                break
    await response.aclose()
    response._content = unpacked(bytes(body), BODY_LIMIT)  # what `aread` sets; a hook cannot hand on another response
