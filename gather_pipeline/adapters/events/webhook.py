"""A receiver of events behind a web address: one POST of JSON an event, with the headers of Standard Webhooks.

`webhook-id` tells an event that comes twice; with a secret, `webhook-signature` proves who sent the bytes, and when.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from gather_pipeline.adapters.network import Address
from gather_pipeline.domain.events import Event, Setback
from gather_pipeline.domain.secrets import Secrets, parts_of_address
from gather_pipeline.domain.waits import parse_wait
from gather_pipeline.errors import InvalidInput

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 10.0
AWAY = (408, 425, 429, 502, 503, 504, *range(520, 531))  # the last are a proxy's words for a server that does not answer


class Webhook:
    """The body of `EventReceiver` over HTTP; for one thread. The address may carry a secret, so only its host is ever shown.

    Args:
        url: http or https address.
        secret: Signs what is sent: the key in Base64 after ``whsec_``, as Standard Webhooks has it, or any text; empty for no signature.
        timeout_s: Seconds for each of connecting, sending and the first byte of the answer.
    """

    def __init__(self, url: str, secret: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s, self._secrets = url, timeout_s, Secrets(parts_of_address(url, path=True))
        self._key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
        self.key = hashlib.sha256(url.encode()).hexdigest()[:24]
        self.host = urlsplit(url).netloc.rpartition("@")[2]

    def __repr__(self) -> str:
        return f"Webhook({self.host})"

    def post(self, event: Event) -> Setback | None:
        """Sends one event. No redirect is followed: it would turn the POST into a GET, or take the event to another host."""
        import httpx2

        body = event.to_json().encode()
        headers = {"Content-Type": "application/json", "webhook-id": event.id}
        if self._key:
            at = str(int(time.time()))
            signed = base64.b64encode(hmac.digest(self._key, f"{event.id}.{at}.".encode() + body, "sha256"))
            headers |= {"webhook-timestamp": at, "webhook-signature": f"v1,{signed.decode()}"}
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                return self._setback(response)
        except InvalidInput as error:
            return Setback(kind="away", reason=str(error))
        except httpx2.TimeoutException:
            return Setback(kind="away", reason=f"no answer within {self._timeout_s:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return Setback(kind="away", reason=f"no connection ({type(error).__name__})")  # its own text may repeat the address

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> httpx2.Client:
        return Address(url=self._url).client(self._timeout_s)

    def _setback(self, response: httpx2.Response) -> Setback | None:
        status, told = response.status_code, f"HTTP {response.status_code}"
        if response.is_success:
            return None
        if status in AWAY:
            return Setback(kind="away", reason=told, wait_s=parse_wait(response.headers.get("retry-after"), datetime.now(UTC)))
        if status >= 500:
            return Setback(kind="fault", reason=told)
        if place := response.headers.get("location"):
            told += f", a redirect to {self._shown(place)}, which is not followed"
        return Setback(kind="refused", reason=told)

    def _shown(self, place: str) -> str:
        """Where a redirect points, without login, query and what it repeats of our own address."""
        try:
            parts = urlsplit(urljoin(self._url, place))
        except ValueError:
            return "no address"
        return self._secrets.line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")
