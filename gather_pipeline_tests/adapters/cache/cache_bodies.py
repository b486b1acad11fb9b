"""The bodies of the port `Cache` that its contract is held against: each opens once more what all of one test share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.adapters.cache.redis import RedisCache
from gather_pipeline.adapters.redis import RedisServer
from gather_pipeline.ports import Cache

BODIES = ("disk", "redis")
Open = Callable[..., Cache]


@pytest.fixture(params=BODIES)
def open_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the cache once more, as another process would."""
    opened: list[Cache] = []

    def open_one(limit: int = 2**24) -> Cache:
        if request.param == "disk":
            opened.append(DiskCache(tmp_path / "cache", size_limit=limit))
        else:
            opened.append(RedisCache(RedisServer(request.getfixturevalue("redis_url"))))
        return opened[-1]

    if request.param == "redis":
        open_one().invalidate()
    yield open_one
    for cache in opened:
        cache.close()
