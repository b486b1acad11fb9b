"""What a person names as a file is opened at once, or refused at once: a pipe, a device, a socket or a folder is none."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from gather_pipeline.adapters.files import given
from gather_pipeline.adapters.files.departments import DepartmentFile
from gather_pipeline.adapters.files.given import opened
from gather_pipeline.adapters.files.items import read_items, write_items
from gather_pipeline.domain.item_lines import FORMATS, Format
from gather_pipeline.errors import InvalidInput


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(given, "PATIENCE_S", 0.01)
    os.mkfifo(tmp_path / "pipe.yaml")
    return tmp_path / "pipe.yaml"


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "brief.md").write_bytes(b"A tide.")
    with opened(tmp_path / "brief.md", "--brief") as file:
        assert file.read() == b"A tide."


def test_a_pipe_is_refused_and_not_waited_for(pipe: Path) -> None:
    with pytest.raises(InvalidInput, match=f"--brief is '{pipe}', expected a file, and it is a pipe into which nobody wrote for 0.01 s"):
        opened(pipe, "--brief")
    with pytest.raises(InvalidInput, match="GATHER_DEPARTMENTS is .* it is a pipe"):
        DepartmentFile(pipe).departments()


def test_a_pipe_that_somebody_writes_into_is_read(pipe: Path) -> None:
    writing = os.open(pipe, os.O_RDWR)
    os.write(writing, b"A tide.")
    with opened(pipe, "--brief") as file:
        os.close(writing)
        assert file.read() == b"A tide."


@pytest.mark.parametrize("format", FORMATS)
def test_no_import_reads_from_a_pipe_and_no_export_waits_at_one(pipe: Path, format: Format) -> None:
    with pytest.raises(InvalidInput, match="FILE is .* it is a pipe"):
        next(read_items(pipe, io.BytesIO(), format, "pipe"))
    with pytest.raises(InvalidInput, match=r"--output is .*\(nobody reads from it\)"):
        write_items([], format, pipe, io.BytesIO(), "Salt")


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("/", "a folder")])
def test_devices_and_folders_are_no_files(path: str, kind: str) -> None:
    with pytest.raises(InvalidInput, match=f"expected a file, and it is {kind}"):
        opened(path, "--brief")


def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s")
        with pytest.raises(InvalidInput, match="--brief is 's', expected a file"):
            opened("s", "--brief")


def test_what_a_shell_hands_over_is_read_although_it_is_a_pipe() -> None:
    """As in ``--brief <(pandoc brief.docx)``."""
    reading, writing = os.pipe()
    os.write(writing, b"A tide.")
    os.close(writing)
    with opened(f"/dev/fd/{reading}", "--brief") as file:
        assert file.read() == b"A tide."
    os.close(reading)


def test_a_file_that_is_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").touch()
    os.truncate(tmp_path / "long.jsonl", 10**12)
    with pytest.raises(InvalidInput, match="has more than 512000000 bytes"):
        next(read_items(tmp_path / "long.jsonl", io.BytesIO(), "jsonl", "long.jsonl"))
