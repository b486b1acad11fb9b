"""A service behind a web address that takes a POST of JSON and answers JSON, such as one that checks facts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gather_pipeline.adapters.network import Address
from gather_pipeline.domain.json_texts import load_json
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.domain.waits import next_wait, parse_wait
from gather_pipeline.errors import InvalidInput, ServiceUnavailable
from gather_pipeline.ports import Clock

if TYPE_CHECKING:
    import httpx2

LIMIT_BYTES = 1_000_000  # of an answer
LONGEST_WAIT_S = 60.0  # a service that asks for more is not waited for
PASSING = (408, 425, 429, *range(500, 600))  # statuses after which the same may succeed


class HttpService:
    """The body of `WebService`. Addresses and keys may be secret, so only the host is ever shown.

    Args:
        keys: By host, the key that a service there is sent as a bearer token, and no other host ever.
        secrets: What is masked in answers.
    """

    def __init__(self, clock: Clock, keys: Mapping[str, str] | None = None, secrets: Secrets | None = None) -> None:
        self._clock, self._keys, self._secrets = clock, keys or {}, secrets or Secrets()

    def __repr__(self) -> str:
        """Shows the hosts alone."""
        return f"HttpService({', '.join(self._keys)})"

    async def post(self, url: str, body: Any, *, timeout_s: float, retries: int) -> Any:
        """The answer to a POST; see `WebService.post`. No redirect is followed: it would take the output and the key elsewhere."""
        import httpx2

        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            host = ""
        if not host or parts.scheme not in ("http", "https"):
            raise InvalidInput("the address of the service is not a web address, expected one like https://facts.example.org/check")
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
                except _Passing as error:
                    wait_s, told = error.wait_s, str(error)
                except (TimeoutError, httpx2.TimeoutException):
                    wait_s, told = None, f"{host} gives no answer within {timeout_s:g} s"
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    wait_s, told = None, f"{host} cannot be reached ({type(error).__name__})"  # its own text may repeat the address
                if (wait_s := next_wait(failures, wait_s, attempts=retries + 1, longest_s=LONGEST_WAIT_S)) is None:
                    break
                await self._clock.sleep(wait_s)
        raise ServiceUnavailable(told + (f", tried {failures} times" if failures > 1 else ""))

    async def _read(self, answer: httpx2.Response, host: str) -> Any:
        """The JSON of an answer."""
        status = answer.status_code
        if status in PASSING:
            raise _Passing(f"{host} answers HTTP {status}", parse_wait(answer.headers.get("retry-after"), datetime.now(UTC)))
        if answer.is_redirect:
            raise ServiceUnavailable(f"{host} answers HTTP {status}, a redirect, which is not followed")
        if not answer.is_success:
            raise ServiceUnavailable(f"{host} answers HTTP {status}")
        content = b""
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > LIMIT_BYTES:
                raise ServiceUnavailable(f"{host} answers with more than {LIMIT_BYTES} bytes")
        try:
            return load_json(self._secrets.mask(content.decode()))
        except ValueError:
            raise ServiceUnavailable(f"{host} gives an answer that is no JSON") from None


class _Passing(Exception):
    """A failure that may pass; carries the seconds that the service asks to wait, None where it does not."""

    def __init__(self, told: str, wait_s: float | None) -> None:
        super().__init__(told)
        self.wait_s = wait_s
