"""MongoDB for tests: the server that MONGODB_URI names, else SecantusDB, started once a session in a folder of its own.

SecantusDB speaks MongoDB's wire protocol. It runs as a process and is never imported. Where it cannot start, the tests that need it fail
with what it said; they are never skipped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from gather_pipeline_tests.server_process import ServerProcess


class MongoServer(ServerProcess):
    """One SecantusDB process, its data in `folder`."""

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def command(self) -> list[str]:
        config = self.folder / "secantusd.toml"
        config.write_text("")  # else it looks for one in the user's home
        program = Path(sys.executable).with_name("secantusd-py")
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.folder / "data")]
        return [str(program), "--config", str(config), *address, "--log-level", "WARNING", "--sync-on-commit", *self.options]

    def answers(self) -> bool:
        with MongoClient[dict[str, object]](self.uri, serverSelectionTimeoutMS=500) as client:
            try:
                return bool(client.admin.command("ping")["ok"])
            except PyMongoError:
                return False


def drop(uri: str, *databases: str) -> None:
    """Leaves nothing behind on a server that is there for others too."""
    with MongoClient[dict[str, object]](uri) as client:
        for database in databases:
            client.drop_database(database)


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of a MongoDB server that the session's tests share; use databases of unique names and drop them."""
    if given := os.environ.get("MONGODB_URI"):
        yield given
        return
    with MongoServer(tmp_path_factory.mktemp("mongo")) as server:
        yield server.uri
