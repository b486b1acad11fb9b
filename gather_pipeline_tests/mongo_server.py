"""MongoDB for tests: the server that MONGODB_URI names, else SecantusDB, started once a session in a folder of its own.

SecantusDB speaks MongoDB's wire protocol. It runs as a process and is never imported. Where it cannot start, the tests that need it fail
with what it said; they are never skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

START_LIMIT_S = 90.0  # a loaded machine of two cores
PORTS_TRIED = 3  # another process may take a port between its choice and its use


class MongoServer:
    """One SecantusDB process on a loopback port, its data in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Starts the server and waits until it answers; on the port it had, where it ran before."""
        for _ in range(PORTS_TRIED):
            if self._try():
                return
            self.port = free_port()
        raise RuntimeError(f"SecantusDB did not start: {self._log.read_text(errors='replace')[-4000:]}")

    def start_again(self) -> None:
        """Starts it on the files and port that it had, where it was killed."""
        if self._process is None and not self._try():
            raise RuntimeError(f"SecantusDB did not start again: {self._log.read_text(errors='replace')[-4000:]}")

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _try(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "secantusd.toml"
        config.write_text("")  # else it looks for one in the user's home
        program = Path(sys.executable).with_name("secantusd-py")
        address = ["--host", "127.0.0.1", "--port", str(self.port), "--storage-path", str(self.folder / "data")]
        command = [str(program), "--config", str(config), *address, "--log-level", "WARNING", "--sync-on-commit", *self.options]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers(self.uri):
                return True
            time.sleep(0.1)
        self.kill()
        return False

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def drop(uri: str, *databases: str) -> None:
    """Leaves nothing behind on a server that is there for others too."""
    with MongoClient[dict[str, object]](uri) as client:
        for database in databases:
            client.drop_database(database)


def answers(uri: str) -> bool:
    client: MongoClient[dict[str, object]] = MongoClient(uri, serverSelectionTimeoutMS=500)
    try:
        return bool(client.admin.command("ping")["ok"])
    except PyMongoError:
        return False
    finally:
        client.close()


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URI of a MongoDB server that the session's tests share; use databases of unique names and drop them."""
    given = os.environ.get("MONGODB_URI")
    if given:
        yield given
        return
    server = MongoServer(tmp_path_factory.mktemp("mongo"))
    server.start()
    try:
        yield server.uri
    finally:
        server.kill()
