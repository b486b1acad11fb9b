"""What an installation without the repository has: modules, data files, the command, and the licence."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = {".json", ".sql", ".yaml", ".md", ".txt", ".j2", ".css", ".js", ".svg"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy so that the checkout stays clean, with the build tools that are installed already."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for path in (ROOT / "gather_pipeline").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = source / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--wheel-dir", str(target), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(target.glob("*.whl")))


def test_a_wheel_has_every_module_and_data_file(wheel: zipfile.ZipFile) -> None:
    packed = {name for name in wheel.namelist() if name.startswith("gather_pipeline/")}
    files = [path for path in (ROOT / "gather_pipeline").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {path.suffix for path in files} <= DATA | {".py"}, "a new kind of data file needs a line in setup.py"
    assert packed == {path.relative_to(ROOT).as_posix() for path in files}
    for suffix in (".json", ".sql", ".yaml", ".md", ".j2"):
        assert any(name.endswith(suffix) for name in packed), suffix


def test_a_wheel_has_no_tests_and_no_state(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in wheel.namelist()} == {"gather_pipeline"}


def test_a_wheel_brings_the_command_and_the_default_embedder(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(name).decode()
    assert "gather = gather_pipeline.cli:main" in text
    assert "default = gather_pipeline.adapters.embedders.minilm:MiniLM" in text


def test_the_licence_is_apache(wheel: zipfile.ZipFile) -> None:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert (metadata["License-Expression"] or metadata["License"]) == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert any(name.endswith("LICENSE") for name in wheel.namelist())
