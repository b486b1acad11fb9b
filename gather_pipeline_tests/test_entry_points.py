"""A package's broken entry points are told where something needs them, and stop nothing else."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import click
import pytest

from gather_pipeline.cli.app import invoke
from gather_pipeline.entry_points import Registered
from gather_pipeline.errors import StoreError


@pytest.mark.parametrize("lines", [b"[console_scripts]\nno line at all\n", b"[console_scripts]\nm\xfcller = a:b\n"])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_an_engine_that_meets_a_broken_file_is_told_by_the_package(
    lines: bytes, is_wrapped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Odd_pack-1.0.dist-info").mkdir()
    (tmp_path / "Odd_pack-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: Odd_pack\nVersion: 1.0\n")
    (tmp_path / "Odd_pack-1.0.dist-info" / "entry_points.txt").write_bytes(lines)
    monkeypatch.syspath_prepend(str(tmp_path))

    @click.command()
    def start() -> None:
        try:
            entry_points(group="an.engine")
        except Exception as error:
            if is_wrapped:
                raise StoreError(f"the engine cannot be opened: {error}") from error
            raise

    assert invoke(["start"], click.Group("gather", {"start": start})) == 2
    told = capsys.readouterr().err
    assert told.startswith("Error: entry_points.txt of package odd-pack cannot be read: ") and "expected UTF-8 text" in told


def test_a_part_that_cannot_be_loaded_is_told_as_it_is_beside_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd-1.0.dist-info").mkdir()
    (tmp_path / "odd-1.0.dist-info" / "entry_points.txt").write_text("[console_scripts]\nno line at all\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    @click.command()
    def start() -> None:
        Registered(group="validations", name="is_true", value="no_such_module:rule", package="rules").load()

    assert invoke(["start"], click.Group("gather", {"start": start})) == 2
    assert "plugin is_true (validations) of package rules cannot be loaded" in capsys.readouterr().err


def test_another_error_is_told_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def start() -> None:
        raise KeyError("gone")

    assert invoke(["start"], click.Group("gather", {"start": start})) == 70
    assert "KeyError: 'gone'" in capsys.readouterr().err
