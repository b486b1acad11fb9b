"""Both bodies of the document store as fixtures: a test that takes `store` runs on SQLite and on MongoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pymongo import MongoClient

from gather_pipeline.adapters.mongo_store import MongoStore
from gather_pipeline.adapters.sqlite_store import SqliteStore
from gather_pipeline.ports import DocumentStore

PATIENT_S = 60.0


@dataclass(frozen=True)
class Body:
    """A kind of store and the place it keeps its documents: a folder, or a server's URI."""

    kind: str
    place: str

    def open(self, patience_s: float = PATIENT_S) -> DocumentStore:
        if self.kind == "sqlite":
            return SqliteStore(Path(self.place), timeout_s=60.0)
        return MongoStore(self.place, timeout_s=30.0, patience_s=patience_s)

    def new_database(self) -> str:
        return f"test-{token_hex(8)}"

    def drop(self, database: str) -> None:
        """Drops a database of the server; a folder goes with its test."""
        if self.kind == "mongo":
            client: MongoClient[dict[str, Any]] = MongoClient(self.place)
            client.drop_database(database)
            client.close()


@pytest.fixture(params=["sqlite", "mongo"])
def body(request: pytest.FixtureRequest, tmp_path: Path) -> Body:
    return Body(request.param, str(tmp_path / "store") if request.param == "sqlite" else request.getfixturevalue("mongo_uri"))


@pytest.fixture
def store(body: Body) -> Iterator[DocumentStore]:
    opened = body.open()
    yield opened
    opened.close()


@pytest.fixture
def database(body: Body) -> Iterator[str]:
    name = body.new_database()
    yield name
    body.drop(name)
