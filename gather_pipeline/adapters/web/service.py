"""A service behind a web address that takes a POST of JSON and answers JSON, such as one that checks facts."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gather_pipeline.adapters.network import Address, checked_key
from gather_pipeline.domain.json_texts import each_text, load_json
from gather_pipeline.domain.routing import is_web_address
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.domain.waits import next_wait, parse_wait
from gather_pipeline.errors import InvalidInput, ServiceUnavailable
from gather_pipeline.ports import Clock

if TYPE_CHECKING:
    import httpx2

LIMIT_BYTES = 1_000_000  # of an answer
LONGEST_WAIT_S = 60.0  # a service that asks for more is not waited for
NEVER_S = math.inf
PASSING = (408, 425, 429, *range(500, 600))  # statuses after which the same may succeed


class HttpService:
    """The body of `WebService`. Addresses and keys may be secret, so only the host is ever shown.

    Args:
        keys: By host, the key that a service there is sent as a bearer token, and no other host ever.
        secrets: What is masked in answers.

    Raises:
        InvalidInput: A key cannot be one.
    """

    def __init__(self, clock: Clock, keys: Mapping[str, str] | None = None, secrets: Secrets | None = None) -> None:
        self._clock, self._secrets = clock, secrets or Secrets()
        self._keys = {host.lower(): checked_key(key, f"GATHER_SERVICE_KEYS for {host}") for host, key in (keys or {}).items()}

    def __repr__(self) -> str:
        return f"HttpService({', '.join(self._keys)})"

    async def post(self, url: str, body: Any, *, timeout_s: float, retries: int) -> Any:
        """The answer to a POST; see `WebService.post`. No redirect is followed: it would take the output and the key elsewhere."""
        import httpx2

        if not is_web_address(url):
            raise InvalidInput("the address of the service is not a web address, expected one like https://facts.example.org/check")
        host = urlsplit(url).hostname or ""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "gather_pipeline"}
        if host in self._keys:
            headers["Authorization"] = f"Bearer {self._keys[host]}"
        options = Address(url=url).options()
        async with httpx2.AsyncClient(timeout=timeout_s, follow_redirects=False, **options) as client:
            for failures in count(1):
                try:
                    async with (
                        asyncio.timeout(timeout_s),
                        client.stream("POST", url, content=json.dumps(body).encode(), headers=headers) as answer,
                    ):
                        return await self._read(answer, host)
                except ServiceUnavailable as error:
                    failure = error
                except (TimeoutError, httpx2.TimeoutException):
                    failure = ServiceUnavailable(f"{host} gives no answer within {timeout_s:g} s")
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:  # whose own text may repeat the address
                    failure = ServiceUnavailable(f"{host} cannot be reached ({type(error).__name__})")
                wait_s = next_wait(failures, failure.retry_after_s, attempts=retries + 1, longest_s=LONGEST_WAIT_S)
                if wait_s is None:
                    break
                await self._clock.sleep(wait_s)
        raise ServiceUnavailable(f"{failure}, tried {failures} times" if failures > 1 else str(failure))

    async def _read(self, answer: httpx2.Response, host: str) -> Any:
        """The JSON of an answer; raises `ServiceUnavailable`, to be waited for `NEVER_S` where asking again is of no use."""
        status = answer.status_code
        if status in PASSING:
            raise ServiceUnavailable(f"{host} answers HTTP {status}", parse_wait(answer.headers.get("retry-after"), datetime.now(UTC)))
        if answer.is_redirect:
            raise ServiceUnavailable(f"{host} answers HTTP {status}, a redirect, which is not followed", NEVER_S)
        if not answer.is_success:
            raise ServiceUnavailable(f"{host} answers HTTP {status}", NEVER_S)
        content = b""
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > LIMIT_BYTES:
                raise ServiceUnavailable(f"{host} answers with more than {LIMIT_BYTES} bytes", NEVER_S)
        try:
            return each_text(load_json(content.decode()), self._secrets.mask)
        except ValueError:
            raise ServiceUnavailable(f"{host} gives an answer that is no JSON", NEVER_S) from None
