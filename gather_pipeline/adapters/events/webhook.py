"""Events to a webhook address: in order, from a thread of its own, so that a slow listener never holds up the loop (C49)."""

from __future__ import annotations

import json
import logging
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
CLOSE_WAIT_S = 5.0  # longest wait at the end for events still on their way
GIVE_UP_AFTER = 5  # failures in a row, after which the address is left alone


class Webhook:
    """The body of `EventBus` over HTTP POST. The address may carry a secret, so only its host is ever shown.

    Args:
        url: http or https address.
        timeout_s: Seconds for one delivery.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url, self._timeout_s = url, timeout_s
        self._events: queue.Queue[bytes | None] = queue.Queue()
        self._thread = threading.Thread(target=self._deliver, name="webhook", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        """Shows the host alone."""
        return f"Webhook({urlsplit(self._url).hostname})"

    def publish(self, event: Mapping[str, Any]) -> None:
        """Hands the event to the thread that delivers."""
        self._events.put(json.dumps(event, ensure_ascii=False, default=str).encode("utf-8", "replace"))

    def close(self) -> None:
        """Waits a little for the events still on their way."""
        self._events.put(None)
        self._thread.join(CLOSE_WAIT_S)

    def _deliver(self) -> None:
        failures = 0
        while (body := self._events.get()) is not None:
            if failures >= GIVE_UP_AFTER:
                continue
            try:
                self._post(body)
                failures = 0
            except (OSError, HTTPException, ValueError) as error:
                failures += 1
                # An error's own text may repeat the address, so only its kind is told.
                reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
                last = ", so no more are sent" if failures == GIVE_UP_AFTER else ""
                logger.error("[AutoGather] The webhook at %s did not take an event (%s)%s", urlsplit(self._url).hostname, reason, last)

    def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "gather_pipeline"}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
        with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
            response.read(1)


class Silence:
    """The body of `EventBus` where nobody listens."""

    def publish(self, event: Mapping[str, Any]) -> None:
        """Lets the event go: the store has it."""

    def close(self) -> None:
        """Has nothing to let go of."""
