"""Redis for tests: a real server, started once a session as a process on a port of its own, with nothing kept on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gather_pipeline_tests.mongo_server import free_port

PROGRAM = "redis-server"
START_LIMIT_S = 60.0  # a loaded machine
PORTS_TRIED = 3  # another process may take a port between its choice and its use


class RedisProcess:
    """One server on a loopback port; `options` are of its command line, such as ``--maxmemory 4mb``."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it and waits until it answers; on the port it had, where it ran before."""
        for _ in range(PORTS_TRIED):
            if self.start_again():
                return
            self.port = free_port()
        raise RuntimeError(f"redis-server did not start: {self._log.read_text(errors='replace')[-4000:]}")

    def start_again(self) -> bool:
        """Starts it on the port that it had; whether it answers."""
        address = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, *address, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with redis.Redis(port=self.port, retry=None, socket_timeout=1.0) as client:
                try:
                    client.ping()
                    return True
                except redis.AuthenticationError:
                    return True
                except redis.RedisError:
                    time.sleep(0.02)
        self.kill()
        return False

    def kill(self) -> None:
        """Ends it as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"


def require_redis() -> None:
    """Skips a test, and fails it in continuous integration, where there is no redis-server."""
    if shutil.which(PROGRAM) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{PROGRAM} is not there, on Debian: apt-get install redis-server")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that the session's tests share: use keys and project ids that no other test uses."""
    require_redis()
    server = RedisProcess(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def redis_process(tmp_path: Path) -> Iterator[RedisProcess]:
    """A server of the test's own, which it may kill and start again."""
    require_redis()
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()
