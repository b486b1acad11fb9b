"""Runs command lines for tests: in this process where that is enough, in one of their own where signals, pipes or imports matter."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.bootstrap import STORE_FOLDER
from gather_pipeline.cli.app import gather, invoke
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import BRIEF, department_row

LIMIT_S = 240  # a run takes seconds; a machine that others use may take minutes
GATHER = (sys.executable, "-m", "gather_pipeline.cli")
DEPARTMENTS = (department_row("story", 1, threshold=20), department_row("visual", 2, most=1), department_row("sound", 3, most=1))


@dataclass(frozen=True)
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


@dataclass
class Shell:
    """A folder of state and the environment that names it.

    Attributes:
        extra: Further variables.
    """

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path, departments: Sequence[Mapping[str, Any]] = DEPARTMENTS, **extra: str) -> Shell:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "departments.yaml").write_text(yaml.safe_dump([dict(row) for row in departments]), encoding="utf-8")
        (folder / "brief.txt").write_text(BRIEF, encoding="utf-8")
        return cls(folder, extra)

    @property
    def variables(self) -> dict[str, str]:
        own = {
            "GATHER_HOME": str(self.folder / "home"),
            "GATHER_DEPARTMENTS": str(self.folder / "departments.yaml"),
            "GATHER_MODEL": "scripted",
            "GATHER_EMBEDDER": "hashing",
            "GATHER_JUDGE_MODEL": "none",
        }
        return own | self.extra

    @property
    def environment(self) -> dict[str, str]:
        """Of a process: this one's, without settings that a developer may have made."""
        from gather_pipeline.settings import Settings

        settings = {str(item.validation_alias) for item in Settings.model_fields.values()}
        return {name: value for name, value in os.environ.items() if name not in settings} | self.variables

    def quietly(self, *args: str) -> Outcome:
        """The command in this process, for fixtures, which outlive the capture of a test."""
        return in_process(self.folder, self.environment, args)

    def here(self, capsys: pytest.CaptureFixture[str], *args: str, command: click.Group = gather) -> Outcome:
        """The command in this process."""
        capsys.readouterr()
        with entered(self.folder, self.environment):
            code = invoke(args, command)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    def run(self, *args: str, stdin: bytes = b"") -> Outcome:
        """The command in a process of its own."""
        done = subprocess.run(
            [*GATHER, *args], cwd=self.folder, env=self.environment, input=stdin, capture_output=True, timeout=LIMIT_S, check=False
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    @contextmanager
    def started(self, *args: str) -> Iterator[subprocess.Popen[str]]:
        """The command as a process whose output is read meanwhile; it is killed at the end if it is still there."""
        process = subprocess.Popen(
            [*GATHER, *args],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=LIMIT_S)

    @contextmanager
    def forked(self, *args: str, ignoring_sigint: bool = False, largest_file: int | None = None) -> Iterator[Forked]:
        """The command as a process whose imports are done, for signals, kills and full disks; it is killed at the end if it is still there.

        Args:
            ignoring_sigint: As a shell starts the background jobs of a script.
            largest_file: Bytes that a file may grow to: a disk that is nearly full.
        """
        out, err = (self.folder / f"forked.{name}" for name in ("out", "err"))
        process = FORKS.Process(target=_become, args=(self.folder, self.environment, out, err, args, ignoring_sigint, largest_file))
        process.start()
        try:
            yield Forked(process, out, err)
        finally:
            process.kill()
            process.join(LIMIT_S)

    def events(self, project_id: str = "salt") -> list[dict[str, Any]]:
        """Events stored so far, read past the command line: a process for each look would slow down what is looked at."""
        with closing(SqliteStore(self.folder / "home" / STORE_FOLDER)) as store:
            return [event.to_document() for event in ProjectRecords(store, project_id).events()]

    def items(self, project_id: str = "salt") -> list[str]:
        """Ids of the items stored so far."""
        with closing(SqliteStore(self.folder / "home" / STORE_FOLDER)) as store:
            return [item.id for item in ProjectRecords(store, project_id).view().items]

    def create(self, project_id: str = "salt") -> None:
        """A project, made in this process."""
        done = self.quietly("project", "create", "--name", "Salt", "--brief", "brief.txt", "--id", project_id)
        assert (done.code, done.out) == (0, f"{project_id}\n"), done.err


@contextmanager
def entered(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """This process in the folder and with the environment of a command."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment)
    try:
        with chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def in_process(folder: Path, environment: Mapping[str, str], args: Sequence[str], command: click.Group = gather) -> Outcome:
    """A command line in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    with entered(folder, environment), redirect_stdout(out), redirect_stderr(err):
        code = invoke(args, command)
    out.seek(0)
    err.seek(0)
    return Outcome(code, out.read(), err.read())


def _become(
    folder: Path, environment: dict[str, str], out: Path, err: Path, args: Sequence[str], ignoring_sigint: bool, largest_file: int | None
) -> None:
    """Makes a forked process the one of a command line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignoring_sigint else signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    sys.exit(invoke(args))


@dataclass(frozen=True)
class Forked:
    """A command line in a process of its own.

    Attributes:
        process: It.
        out: File of its standard output.
        err: File of its standard error.
    """

    process: BaseProcess
    out: Path
    err: Path

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def finish(self) -> Outcome:
        """Waits for its end."""
        self.process.join(LIMIT_S)
        assert self.process.exitcode is not None
        return Outcome(self.process.exitcode, self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8"))


def finish(process: subprocess.Popen[str]) -> Outcome:
    """Waits for the end of a started command."""
    out, err = process.communicate(timeout=LIMIT_S)
    return Outcome(process.returncode, out, err)


def wait_until(what: Any, *, seconds: float = LIMIT_S / 2) -> Any:
    """Asks again and again; gives the first answer that is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"nothing came within {seconds} s")
