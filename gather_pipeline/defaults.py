"""The embedder that S001's free functions use where the caller names none.

It is found by the entry point that setup.py declares, so that this room imports no engine and an installation can put another in its place.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from gather_pipeline.errors import SetupMissing
from gather_pipeline.ports import Embedder

GROUP = "gather_pipeline.embedders"


@cache
def default_embedder() -> Embedder:
    """The embedder named ``default`` in the entry points, made once a process.

    Raises:
        SetupMissing: The package is not installed, so that it has no entry points.
    """
    found = list(entry_points(group=GROUP, name="default"))
    if not found:
        raise SetupMissing("no default embedder is registered: install the package (pip install -e .)")
    embedder: Embedder = found[0].load()()
    return embedder
