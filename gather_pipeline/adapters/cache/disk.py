"""The cache in a folder: `diskcache`, which many processes may share, and a file a claim.

Values are bytes as they are; nothing in the folder is ever unpickled.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import diskcache

from gather_pipeline.errors import StoreUnavailable
from gather_pipeline.ports import CacheLayer, CacheStats

SIZE_LIMIT = 2**30  # bytes, from which on what was stored first is forgotten first
TIMEOUT_S = 5.0


class _Bytes(diskcache.Disk):  # type: ignore[misc]
    """Refuses what would have to be unpickled."""

    def fetch(self, mode: int, filename: str, value: Any, read: bool) -> Any:
        if mode == diskcache.core.MODE_PICKLE:
            raise ValueError("a value in the cache is pickled, expected bytes")
        return super().fetch(mode, filename, value, read)


class DiskCache:
    """The body of `Cache` in a folder, opened when it is first used; it keeps about `size_limit` bytes."""

    def __init__(self, folder: Path, *, size_limit: int = SIZE_LIMIT) -> None:
        self._folder, self._size_limit = folder, size_limit

    def get(self, layer: CacheLayer, key: str) -> bytes | None:
        with self._faults():
            found = self._cache.get(_name(layer, key))
        return found if isinstance(found, bytes) else None

    def put(self, layer: CacheLayer, key: str, value: bytes, *, ttl_s: float | None = None, entities: Collection[str] = ()) -> None:
        """Keeps a value; its entities stand in its tag, one a line."""
        tag = "".join(f"\n{entity}\n" for entity in entities) or None
        with self._faults():
            self._cache.set(_name(layer, key), value, expire=ttl_s, tag=tag)

    def invalidate(self, *, layer: CacheLayer | None = None, key: str | None = None, entity: str | None = None) -> int:
        with self._faults():
            if layer is not None and key is not None and entity is None:
                return int(self._cache.delete(_name(layer, key)))
            found = [
                name
                for name in self._cache.iterkeys()
                if (layer is None or name.startswith(f"{layer}/")) and (key is None or name.partition("/")[2] == key)
            ]
            if entity is not None:
                found = [name for name in found if f"\n{entity}\n" in (self._cache.get(name, tag=True)[1] or "")]
            return sum(self._cache.delete(name) for name in found)

    def stats(self) -> CacheStats:
        with self._faults():
            entries = Counter(name.partition("/")[0] for name in self._cache.iterkeys())
            return CacheStats(entries=entries, size=self._cache.volume())

    def claim(self, key: str) -> AbstractContextManager[None] | None:
        path = self._folder / "claims" / sha256(key.encode()).hexdigest()
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
            with suppress(BlockingIOError, FileNotFoundError):  # held, or its holder has just let go and removed it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                    return _held(file, path)
            file.close()
        return None

    def close(self) -> None:
        """Lets go of the files; a later use opens them again."""
        if "_cache" in self.__dict__:
            self._cache.close()

    @cached_property
    def _cache(self) -> Any:
        # What was stored first goes first, two for each new one: so a look at a value writes nothing, and the newest ones stay.
        return diskcache.Cache(str(self._folder), timeout=TIMEOUT_S, disk=_Bytes, size_limit=self._size_limit, cull_limit=2)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (diskcache.Timeout, sqlite3.Error, OSError, ValueError) as error:
            reason = "it is busy" if isinstance(error, diskcache.Timeout) else str(error)
            raise StoreUnavailable(f"the cache in {self._folder} does not answer: {reason}") from error


@contextmanager
def _held(file: IO[bytes], path: Path) -> Iterator[None]:
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _name(layer: CacheLayer, key: str) -> str:
    return f"{layer}/{key}"
