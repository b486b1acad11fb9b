"""Redis for tests: a real server, started once a session as a process on a port of its own, with nothing kept on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from gather_pipeline_tests.server_process import ServerProcess

PROGRAM = "redis-server"


class RedisProcess(ServerProcess):
    """One server; options such as ``--maxmemory 4mb``."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [PROGRAM, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no", *self.options]

    def answers(self) -> bool:
        with redis.Redis(port=self.port, retry=None, socket_timeout=1.0) as client:
            try:
                return bool(client.ping())
            except redis.RedisError as error:
                return isinstance(error, redis.AuthenticationError)


def require_redis() -> None:
    """Skips a test, and fails it in continuous integration, where there is no redis-server."""
    if shutil.which(PROGRAM) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{PROGRAM} is not there, on Debian: apt-get install redis-server")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that the session's tests share: use keys and project ids that no other test uses."""
    require_redis()
    with RedisProcess(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def redis_process(tmp_path: Path) -> Iterator[RedisProcess]:
    """A server of the test's own, which it may kill and start again."""
    require_redis()
    with RedisProcess(tmp_path) as server:
        yield server
