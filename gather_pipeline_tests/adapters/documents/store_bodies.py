"""Both bodies of the document store as fixtures: a test that takes `store` runs on SQLite and on MongoDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from pymongo import MongoClient

from gather_pipeline.adapters.documents.mongo.store import MongoStore
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.ports import DocumentStore


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of a database: a file's bytes, or documents by collection."""

    file: bytes = b""
    collections: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """A kind of store and the place it keeps its documents: a folder, or a server's URI."""

    kind: str
    place: str

    def open(self) -> DocumentStore:
        if self.kind == "sqlite":
            return SqliteStore(Path(self.place), timeout_s=60.0)
        return MongoStore(self.place, timeout_s=30.0)

    def new_database(self) -> str:
        return f"test-{token_hex(8)}"

    def copy(self, database: str) -> Copy:
        """What a person keeps of a database."""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self._file(database))) as source:
                return Copy(file=source.serialize())
        with MongoClient[dict[str, Any]](self.place) as client:
            held = client[database]
            return Copy(collections={name: list(held[name].find()) for name in held.list_collection_names()})

    def put_back(self, copy: Copy, database: str) -> None:
        """Makes a database what a copy says, as `.restore` and mongorestore do, also under stores that are open."""
        if self.kind == "sqlite":
            kept = self._file(f"copy-{token_hex(4)}").with_suffix(".kept")
            kept.write_bytes(copy.file)
            with closing(sqlite3.connect(kept)) as source, closing(sqlite3.connect(self._file(database))) as target:
                source.backup(target)
            return
        self.drop(database)
        with MongoClient[dict[str, Any]](self.place) as client:
            for name, documents in copy.collections.items():
                if documents:
                    client[database][name].insert_many(documents)

    def _file(self, database: str) -> Path:
        return Path(self.place) / f"{database}.sqlite3"

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
