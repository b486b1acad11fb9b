"""Events on Redis channels: a project's is `automated-gather:` and its id (S001-EVT-02), a message the event as JSON."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from queue import SimpleQueue

from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import GatherError

CHANNELS = "automated-gather:"
CLOSE_WAIT_S = 1.0  # longest wait at a run's end for messages still on their way
QUIET_S = 15  # without a message, after which the server is asked whether it is still there


class RedisChannels:
    """The body of `EventChannels`."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def bus(self) -> Publisher:
        return Publisher(self._server)

    async def heard(self) -> AsyncIterator[str]:
        """Ids of projects whose events are published from now on; see `EventChannels.heard`."""
        with self._server.faults():
            async with self._server.async_client(health_check_interval=QUIET_S) as client, client.pubsub() as subscribed:
                await subscribed.psubscribe(f"{CHANNELS}*")
                while True:
                    message = await subscribed.get_message(timeout=QUIET_S)
                    if message is not None and message["type"] == "psubscribe":
                        yield ""
                    elif message is not None and message["type"] == "pmessage":
                        yield message["channel"].decode(errors="replace").removeprefix(CHANNELS)


class Publisher:
    """The body of `EventBus` over Redis: a thread of its own publishes, so that no run waits for it or fails by it.

    What cannot be published is let go: whoever listens reads the store.

    Raises:
        InvalidInput: The server's address has an option that cannot be used.
    """

    def __init__(self, server: RedisServer) -> None:
        self._server, self._client, self._waiting = server, server.client(), SimpleQueue[Event | None]()
        self._thread = threading.Thread(target=self._publish, name="redis", daemon=True)
        self._thread.start()

    def publish(self, event: Event) -> None:
        """Leaves the event to the thread."""
        self._waiting.put(event)

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join(CLOSE_WAIT_S)

    def _publish(self) -> None:
        with self._client as client:
            for event in iter(self._waiting.get, None):
                try:
                    with self._server.faults():
                        client.publish(CHANNELS + event.project_id, event.to_json())
                except GatherError as error:
                    self._server.note(error)
                else:
                    self._server.note(None)
