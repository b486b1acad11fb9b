"""Live events: one follower a project reads what is stored by sequence number, for any number of clients.

A follower keeps the newest events as texts that all its clients share; a client is the number of the last event that it was sent, so none
can slow another. A client that is further back than what is kept reads the store until it has caught up. Followers look at the store a few
times a second, and at once where an event channel (Redis) tells of an event.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from gather_pipeline.errors import GatherError
from gather_pipeline.ports import EventChannels
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services

logger = logging.getLogger(__name__)

POLL_S, HEARING_POLL_S = 0.25, 1.0  # between two looks at the store, without a channel and with one
AWAY_S = 2.0  # between two tries at a store or a channel that does not answer
KEPT, PAGE = 1024, 256  # events that a follower keeps, and that are read at once
HEARTBEAT_S = 15.0  # longest silence towards a client
STALL_S = 5.0  # longest time that one message waits for room in a client's connection
FAREWELL_S = 30.0  # how long a client that was too slow may take to read what it has, and why it gets no more
TOO_SLOW = f"too slow: for {STALL_S:g} s nothing more could be sent; come back with the number of the last event that you have"


class TooSlow(Exception):
    """A client does not take what it is sent."""


@dataclass(frozen=True)
class Line:
    """An event as all clients get it: its number and its JSON."""

    sequence: int
    text: str


class Live:
    """The followers of all projects, on one event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._followers: dict[str, _Follower] = {}
        self._hearing: asyncio.Task[None] | None = None
        self._hears = False
        self.is_closed = False
        self.clients: Counter[str] = Counter()  # by the way in which they are connected

    async def follow(self, project_id: str, after: int, way: str) -> AsyncGenerator[list[Line]]:
        """A project's events after a number, in order, without a gap and each once, until the server ends; in between empty heartbeats."""
        follower = self._follower(project_id)
        follower.clients += 1
        self.clients[way] += 1
        try:
            while not self.is_closed:
                news = follower.news  # before the look, so that what comes meanwhile is not missed
                lines = follower.after(after)
                if lines is None:
                    try:
                        lines = await asyncio.to_thread(follower.read, after)
                    except GatherError:  # the follower logs it
                        await asyncio.sleep(AWAY_S)
                        continue
                if not lines:
                    try:
                        async with asyncio.timeout(HEARTBEAT_S):
                            await news.wait()
                    except TimeoutError:
                        yield []
                    continue
                yield lines
                after = lines[-1].sequence
        finally:
            self.clients[way] -= 1
            follower.clients -= 1
            if not follower.clients:
                follower.task.cancel()
                del self._followers[project_id]

    def close(self) -> None:
        """Ends every stream."""
        self.is_closed = True
        if self._hearing is not None:
            self._hearing.cancel()
        for follower in self._followers.values():
            follower.tell()

    @contextmanager
    def closing_at_signals(self) -> Iterator[None]:
        """Within the block SIGINT and SIGTERM end the streams too, for a server waits for these before it ends the application."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def handle(number: int, frame: object) -> None:
            loop.call_soon_threadsafe(self.close)
            before = former[signal.Signals(number)]
            if callable(before):
                before(number, frame)  # type: ignore[arg-type]

        for number in former:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, before in former.items():
                signal.signal(number, before)

    def _follower(self, project_id: str) -> _Follower:
        if self._services.channels is not None and self._hearing is None:
            self._hearing = asyncio.create_task(self._hear(self._services.channels))
        if project_id not in self._followers:
            self._followers[project_id] = _Follower(self._services.project(project_id), self._period)
        return self._followers[project_id]

    def _period(self) -> float:
        return HEARING_POLL_S if self._hears else POLL_S

    async def _hear(self, channels: EventChannels) -> None:
        """Wakes the followers of projects that have news; where nothing can be heard, followers look more often."""
        is_away = False
        while True:
            try:
                async for project_id in channels.heard():
                    self._hears, is_away = True, False
                    self._wake(project_id)
            except Exception as error:  # of any kind: live events go on from the store
                if not is_away:
                    logger.warning("[AutoGather] %s: live events come from the store alone until it does", error)
                self._hears, is_away = False, True
                self._wake()
            await asyncio.sleep(AWAY_S)

    def _wake(self, project_id: str = "") -> None:
        for id, follower in self._followers.items():
            if project_id in ("", id):
                follower.wake.set()


class _Follower:
    """Follows one project's stored events as long as there are clients."""

    def __init__(self, records: ProjectRecords, period: Callable[[], float]) -> None:
        self._records, self._period = records, period
        self._kept: deque[Line] = deque(maxlen=KEPT)
        self._last: int | None = None  # None before the first look
        self.clients = 0
        self.wake, self.news = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(self._follow())

    def after(self, sequence: int) -> list[Line] | None:
        """Kept events after a number; None where the store may have more."""
        if self._last is None or sequence < self._last and (not self._kept or sequence < self._kept[0].sequence - 1):
            return None
        return [line for line in self._kept if line.sequence > sequence]

    def read(self, after: int) -> list[Line]:
        """Stored events after a number, `PAGE` at most."""
        return [Line(event.sequence, event.to_json()) for event in self._records.events(after, PAGE)]

    def tell(self) -> None:
        """Wakes all clients."""
        news, self.news = self.news, asyncio.Event()
        news.set()

    async def _follow(self) -> None:
        is_away = False
        while True:
            self.wake.clear()
            try:
                found = await asyncio.to_thread(self._look)
            except Exception as error:  # of any kind: if this task ended, its clients would wait for ever
                if not is_away:
                    logger.warning("[AutoGather] Live events of project %s wait: %s", self._records.project_id, error)
                is_away = True
                await asyncio.sleep(AWAY_S)
                continue
            is_away = False
            if found:
                self._kept.extend(found)
                self._last = found[-1].sequence
                self.tell()
            if len(found) < PAGE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._period()):
                        await self.wake.wait()

    def _look(self) -> list[Line]:
        """New events; at the first look only the newest one, for each client reads those before it from the store."""
        return self.read(max(0, self._records.last_sequence() - 1) if self._last is None else self._last)


async def in_time(sending: Awaitable[None], seconds: float) -> None:
    """Waits so long for a message to be taken; raises `TooSlow` where it was not."""
    try:
        async with asyncio.timeout(seconds):
            await sending
    except TimeoutError:
        raise TooSlow from None
