"""The bodies of the port `Cache` that its contract is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.ports import Cache

Make = Callable[[Path, int], Cache]  # from a folder and a limit of bytes; another one of the same folder shares its values

BODIES: Mapping[str, Make] = {"disk": lambda folder, limit: DiskCache(folder, size_limit=limit)}
