"""The README is run: its commands in order, its files as they stand there, its tables against the code."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import pytest

from gather_pipeline.cli.app import EXIT_CODES, PLACES, gather
from gather_pipeline.cli.tlm import PLACES as TLM_PLACES
from gather_pipeline.cli.tlm import tlm
from gather_pipeline.settings import Settings
from gather_pipeline_tests.cli.commands import in_process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_RUN = ("make test", "make dev")
TASK_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`([\w/]+\.(?:json|py))`[^`]*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 300


def commands() -> list[str]:
    """Every line of a console block that begins with a dollar sign."""
    return [line[2:] for kind, block in BLOCK.findall(README) if kind == "console" for line in block.splitlines() if line.startswith("$ ")]


def rows(heading: str) -> Iterator[list[str]]:
    """Cells of the table that begins with that heading, its two first lines left out."""
    table = README[README.index(f"| {heading} |") :].partition("\n\n")[0]
    for line in table.splitlines()[2:]:
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


@dataclass
class Reader:
    """Somebody who types what the README says, in a folder that looks like a clone."""

    folder: Path
    task_id: str = ""
    variables: dict[str, str] = field(default_factory=dict)  # of the reader's shell

    @classmethod
    def in_clone(cls, folder: Path) -> Reader:
        for path in ROOT.iterdir():
            if path.name not in (".venv", ".git", ".gather", ".env", "build", "dist"):
                (folder / path.name).symlink_to(path)
        (folder / ".venv").symlink_to(sys.prefix)
        for path, text in FILE.findall(README):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        (folder / "any.gguf").write_bytes(b"never opened: the scripted model answers")
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        settings = {str(field.validation_alias) for field in Settings.model_fields.values()}
        own = {
            "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "GATHER_MODEL": "scripted",
            "GATHER_EMBEDDER": "hashing",
            "MODEL_PATH": "any.gguf",
        }
        makes = {"MAKEFLAGS", "MAKELEVEL", "ARGS", "VENV"}  # what a `make test` that runs this hands on to every make below it
        return {name: value for name, value in os.environ.items() if name not in settings | makes} | own

    def type(self, command: str) -> None:
        """Types one command and expects it to succeed; one that needs no shell and no signal runs in this process."""
        command = Template(TASK_ID.sub(self.task_id, command)).safe_substitute(self.variables)
        if (found := re.fullmatch(r"((?:\w+=\S+ )*)(gather|tlm) [^$>]+", command)) and "--follow" not in command:
            variables = dict(one.split("=", 1) for one in found[1].split())
            words = shlex.split(command)[len(variables) + 1 :]
            done = in_process(self.folder, self.environment | variables, words, gather if found[2] == "gather" else tlm)
            assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
            if command.startswith("gather run") and "--json" in command:
                self.task_id = done.document["task_id"]
            return
        # The environment that runs the tests is installed already, by make or otherwise.
        command = re.sub(r"^make\b", "make -o .venv/.installed -o .venv/.installed-dev", command)
        kept = re.match(r"(\w+)=\$\(", command)
        command += f' && printf %s "${kept[1]}"' if kept else ""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}" if command.startswith("gather") else command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        expected = 0
        if "--follow" in command:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())
            process.send_signal(signal.SIGINT)
            expected = 130
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
        assert process.returncode == expected, f"{command}\n{out}\n{err}"
        assert "Traceback" not in err
        if kept:
            self.variables[kept[1]] = out


def test_the_arguments_of_make_test_do_not_reach_the_readmes_own_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGS", "-k anything")
    shown = subprocess.run(["make", "-n", "run"], cwd=ROOT, env=Reader(ROOT).environment, capture_output=True, text=True, check=True)
    assert "gather run --project salt-ledger" in shown.stdout
    assert "-k anything" not in shown.stdout


@pytest.mark.timeout(1200)
def test_every_command_works_as_it_stands(tmp_path: Path) -> None:
    reader = Reader.in_clone(tmp_path)
    typed = [command for command in commands() if not command.startswith(NOT_RUN)]
    assert len(typed) > 12
    for command in typed:
        reader.type(command)
    assert (tmp_path / ".gather" / "store").is_dir()
    assert (tmp_path / "report.html").is_file()


def names(cell: str) -> list[str]:
    """The commands that a cell such as ``tlm list`, `show`` names."""
    return [code.removeprefix("tlm ").split()[0] for code in re.findall(r"`([^`]+)`", cell)]


def test_commands_in_the_text_are_those_that_there_are() -> None:
    shown = set(PLACES)
    assert {match[1] for match in re.finditer(r"`gather ([a-z-]+)", README)} == shown
    assert {word for match in re.finditer(r"^\| (`tlm .*?) \|", README, re.MULTILINE) for word in names(match[1])} == set(TLM_PLACES)
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {match[1] for match in re.finditer(r"(?:`|\$ )make ([a-z]+)", README)} <= targets


def test_every_setting_is_listed_with_its_default() -> None:
    listed = {cells[0].strip("`"): cells[2].strip("`") for cells in rows("Variable")}
    fields = {str(field.validation_alias): field.default for field in Settings.model_fields.values()}
    assert set(listed) == set(fields)
    for name, default in fields.items():
        if isinstance(default, int | float):
            assert float(listed[name]) == default, name
        elif isinstance(default, str):
            assert listed[name] == default, name
    assert listed["GATHER_HOME"] == str(fields["GATHER_HOME"])


def test_the_example_of_an_environment_names_every_setting() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert named == {str(field.validation_alias) for field in Settings.model_fields.values()}


def test_every_exit_code_is_listed() -> None:
    assert {int(code): meaning for code, meaning in rows("Exit code")} == EXIT_CODES


def test_every_file_that_is_linked_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []
