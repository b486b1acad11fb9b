"""Events to a webhook address: in order, from a thread of its own, so that a slow listener never holds up the loop (C49)."""

from __future__ import annotations

import json
import logging
import queue
import threading
from typing import Any
from urllib.parse import urlsplit

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from gather_pipeline.domain.events import Event

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
CLOSE_WAIT_S = 5.0  # longest wait at the end for events still on their way
ATTEMPTS = 3
GIVE_UP_AFTER = 5  # events in a row that could not be delivered, after which the address is left alone


class Webhook:
    """The body of `EventBus` over HTTP POST. The address may carry a secret, so only its host is ever shown.

    Args:
        url: http or https address.
        timeout_s: Seconds for one request.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._host = urlsplit(url).hostname
        self._events: queue.Queue[bytes | None] = queue.Queue()
        self._thread = threading.Thread(target=self._deliver, name="webhook", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        """Shows the host alone."""
        return f"Webhook({self._host})"

    def publish(self, event: Event) -> None:
        """Hands the event to the thread that delivers."""
        self._events.put(json.dumps(event.to_document(), default=str).encode())

    def close(self) -> None:
        """Waits a little for the events still on their way."""
        self._events.put(None)
        self._thread.join(CLOSE_WAIT_S)

    def _deliver(self) -> None:
        import httpx2

        logging.getLogger("httpx2").setLevel(logging.WARNING)  # below it, it logs whole addresses
        again = Retrying(
            retry=retry_if_exception(_may_succeed), stop=stop_after_attempt(ATTEMPTS), wait=wait_random_exponential(0.2, 2.0), reraise=True
        )
        failures = 0
        with httpx2.Client(timeout=self._timeout_s) as client:
            while (body := self._events.get()) is not None:
                if failures >= GIVE_UP_AFTER:
                    continue
                try:
                    again(self._post, client, body)
                    failures = 0
                except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                    failures += 1
                    # An error's own text may repeat the address, so only its kind is told.
                    reason = f"HTTP {error.response.status_code}" if isinstance(error, httpx2.HTTPStatusError) else type(error).__name__
                    last = ", so no more are sent" if failures == GIVE_UP_AFTER else ""
                    logger.error("[AutoGather] The webhook at %s did not take an event (%s)%s", self._host, reason, last)

    def _post(self, client: Any, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "gather_pipeline"}
        client.post(self._url, content=body, headers=headers).raise_for_status()


def _may_succeed(error: BaseException) -> bool:
    """True where the listener took nothing and may later; after a timeout it may have taken the event, which is not sent twice."""
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        return error.response.status_code in (429, 503)
    return isinstance(error, httpx2.ConnectError)


class Silence:
    """The body of `EventBus` where nobody listens."""

    def publish(self, event: Event) -> None:
        """Lets the event go: the store has it."""

    def close(self) -> None:
        """Has nothing to let go of."""
