"""The cache in Redis, which many machines may share. Without the server it holds nothing, and nobody fails or waits for it.

A value lies with its entities in one hash, so that the server may evict whatever it likes under memory pressure (`maxmemory-policy`),
without a value staying behind that an update of its entity would have forgotten.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar, cast
from uuid import uuid4

import psutil

from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.errors import StoreError, StoreUnavailable
from gather_pipeline.ports import CacheLayer, CacheStats
from gather_pipeline.processes import running

if TYPE_CHECKING:
    import redis
    from redis.lock import Lock

PREFIX = "gather_pipeline:cache:"
CLAIMS = "gather_pipeline:claim:"
CLAIM_S, RENEW_S = 30.0, 10.0  # a claim lapses where its holder was stopped; one whose process is gone is free at once on its machine
AWAY_S = 10.0  # for which a server that failed is not asked
PAGE = 1_000  # keys looked at in one request
Result = TypeVar("Result")


class RedisCache:
    """The body of `Cache` in Redis: connects when it is first used; for any number of threads."""

    def __init__(self, server: RedisServer) -> None:
        self._server, self._not_before = server, 0.0

    def get(self, layer: CacheLayer, key: str) -> bytes | None:
        """The value, None where there is none, it has expired, or the server does not say."""
        found = self._or_else(None, lambda: self._client.hget(_name(layer, key), "value"))
        return found if isinstance(found, bytes) else None

    def put(self, layer: CacheLayer, key: str, value: bytes, *, ttl_s: float | None = None, entities: Collection[str] = ()) -> None:
        """Keeps a value with its entities, one a line, where the server takes it."""
        name = _name(layer, key)

        def keep() -> None:
            with self._client.pipeline() as steps:
                steps.delete(name)
                steps.hset(name, mapping={"value": value, "entities": "".join(f"\n{entity}\n" for entity in entities)})
                if ttl_s is not None:
                    steps.pexpire(name, max(1, int(ttl_s * 1000)))
                steps.execute()

        self._or_else(None, keep)

    def invalidate(self, *, layer: CacheLayer | None = None, key: str | None = None, entity: str | None = None) -> int:
        with self._server.faults():
            if layer is not None and key is not None and entity is None:
                return self._client.delete(_name(layer, key))
            gone = 0
            for names in self._pages(layer):
                found = [name for name in names if key is None or name.partition("/")[2] == key]
                if entity is not None:
                    tags = self._each(found, lambda steps, name: steps.hget(name, "entities"))
                    found = [name for name, tag in zip(found, tags, strict=True) if f"\n{entity}\n".encode() in (cast(bytes, tag) or b"")]
                gone += self._client.delete(*found) if found else 0
            return gone

    def stats(self) -> CacheStats:
        entries: Counter[CacheLayer] = Counter()
        size = 0
        with self._server.faults():
            for names in self._pages(None):
                entries.update(cast(CacheLayer, name.removeprefix(PREFIX).partition("/")[0]) for name in names)
                size += sum(cast(int, length) for length in self._each(names, lambda steps, name: steps.hstrlen(name, "value")))
        return CacheStats(entries=entries, size=size)

    def claim(self, key: str) -> AbstractContextManager[None] | None:
        """Holds a key until the context ends or the process dies; None where another one holds it. Without the server nobody does."""

        def take() -> AbstractContextManager[None] | None:
            name, token = f"{CLAIMS}{sha256(key.encode()).hexdigest()}", _token()
            lock = self._client.lock(name, timeout=CLAIM_S, blocking=False, thread_local=False)
            if not lock.acquire(token=token):
                holder = cast("bytes | None", self._client.get(name))
                if holder is None or not _is_dead(holder.decode()):
                    return None
                with suppress(Exception):  # somebody else was quicker
                    lock.do_release(holder)
                if not lock.acquire(token=token):
                    return None
            return _held(lock)

        nobody: AbstractContextManager[None] | None = nullcontext()
        return self._or_else(nobody, take)

    def close(self) -> None:
        """Lets go of connections; a later use connects again."""
        if "_client" in self.__dict__:
            self.__dict__.pop("_client").close()

    @cached_property
    def _client(self) -> redis.Redis:
        return self._server.client()

    def _pages(self, layer: CacheLayer | None) -> Iterator[list[str]]:
        """Names of the values, some at a time."""
        names: set[str] = set()
        for name in self._client.scan_iter(f"{PREFIX}{layer}/*" if layer else f"{PREFIX}*", count=PAGE):
            names.add(name.decode())
            if len(names) == PAGE:
                yield list(names)
                names = set()
        yield list(names)

    def _each(self, names: Collection[str], ask: Callable[[redis.client.Pipeline, str], object]) -> list[object]:
        with self._client.pipeline(transaction=False) as steps:
            for name in names:
                ask(steps, name)
            return steps.execute()

    def _or_else(self, missing: Result, act: Callable[[], Result]) -> Result:
        """What the server says; `missing` where it says nothing, which is told once."""
        if time.monotonic() < self._not_before:
            return missing
        try:
            with self._server.faults():
                found = act()
            self._server.note(None)
            return found
        except (StoreUnavailable, StoreError) as error:
            if isinstance(error, StoreUnavailable):
                self._not_before = time.monotonic() + AWAY_S
            self._server.note(error)
            return missing


@contextmanager
def _held(lock: Lock) -> Iterator[None]:
    """Renews a claim until the block ends."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(RENEW_S):
            with suppress(Exception):  # the server is away for a moment, or the claim lapsed and another one may hold it
                lock.reacquire()

    threading.Thread(target=renew, name="claim", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        with suppress(Exception):
            lock.release()


def _token() -> str:
    """Says whose a claim is: the machine, the process and when it began, and which of its claims."""
    return f"{socket.gethostname()}|{os.getpid()}|{psutil.Process().create_time()}|{uuid4().hex}"


def _is_dead(token: str) -> bool:
    """Whether the holder of a claim is known to be gone: only its own machine knows."""
    host, pid, started, _ = token.split("|")
    return host == socket.gethostname() and running(int(pid), float(started)) is None


def _name(layer: CacheLayer, key: str) -> str:
    return f"{PREFIX}{layer}/{key}"
