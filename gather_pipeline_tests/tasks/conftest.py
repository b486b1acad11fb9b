"""A review queue for tests of tasks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.records.review import Reviews


@pytest.fixture
def reviews(tmp_path: Path) -> Iterator[Reviews]:
    """The queue of a store of its own."""
    store = SqliteStore(tmp_path / "store")
    yield Reviews(store, "studio", SystemClock())
    store.close()
