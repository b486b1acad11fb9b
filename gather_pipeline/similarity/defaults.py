"""The embedder that S001's free functions use where the caller names none.

It is found by the entry point that setup.py declares, so that this room imports no engine and an installation can put another in its place.
"""

from __future__ import annotations

from functools import cache

from gather_pipeline.entry_points import registered
from gather_pipeline.errors import SetupMissing
from gather_pipeline.ports import Embedder


@cache
def default_embedder() -> Embedder:
    """The embedder named ``default`` in the entry points, made once a process.

    Raises:
        InvalidInput: The one that is registered cannot be imported.
        SetupMissing: The package is not installed, so that it has no entry points.
    """
    found = registered("embedders").get("default")
    if found is None:
        raise SetupMissing("no default embedder is registered: install the package (pip install -e .)")
    embedder: Embedder = found.load()()
    return embedder
