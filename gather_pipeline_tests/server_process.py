"""A real server for tests: a program on a loopback port, with what it writes in a folder of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

START_LIMIT_S = 90.0  # a loaded machine of two cores
PORTS_TRIED = 3  # another process may take a port between its choice and its use


class ServerProcess(ABC):
    """Use as a context manager, or start and kill it; `options` are further words of its command line."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options, self.port = folder, options, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it on `port`."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be asked."""

    def start(self) -> None:
        """Starts the server and waits until it answers; on the port it had, where it ran before."""
        for _ in range(PORTS_TRIED - 1):
            if self._try():
                return
            self.port = free_port()
        self.start_again()

    def start_again(self) -> None:
        """Starts it on the files and port that it had, where it was killed."""
        if self._process is None and not self._try():
            raise RuntimeError(f"{type(self).__name__} did not start: {self._log.read_text(errors='replace')[-4000:]}")

    def kill(self) -> None:
        """Ends the server as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"

    def _try(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.answers():
                return True
            time.sleep(0.02)
        self.kill()
        return False


def free_port() -> int:
    """A port of the loopback where nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
