"""Projects that have run, shared by the tests that only look."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.harness import Studio


@dataclass(frozen=True)
class Finished:
    """A project after its run.

    Attributes:
        document: What `gather run --json` printed.
        err: What it said meanwhile.
    """

    shell: Shell
    document: dict[str, Any]
    err: str

    @property
    def task_id(self) -> str:
        return str(self.document["task_id"])


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Project ``salt``, run once to its end by `gather run --json`; tests read it and change a copy."""
    shell = Shell.make(tmp_path_factory.mktemp("finished"))
    shell.create()
    done = shell.quietly("run", "--project", "salt", "--user-id", "ada", "--json")
    assert done.code == 0, done.err
    return Finished(shell, done.document, done.err)


@pytest.fixture
def copied(finished: Finished, tmp_path: Path) -> Shell:
    """A copy of project ``salt`` after its run, to be changed."""
    return Shell(Path(shutil.copytree(finished.shell.folder, tmp_path / "copied")))


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project (`harness.PROJECT`) with notes of department ``story``, to be copied."""
    folder = tmp_path_factory.mktemp("written")
    studio = Studio.open(folder)
    studio.run(max_iterations=1, departments=("story",))
    studio.close()
    return folder


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder of state without any project."""
    return Shell.make(tmp_path)
