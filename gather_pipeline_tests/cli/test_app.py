from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from gather_pipeline import errors
from gather_pipeline.cli.app import EXIT_CODES, PLACES
from gather_pipeline.cli.lazy import Place
from gather_pipeline.cli.services import command_settings
from gather_pipeline_tests.cli.commands import GATHER, Shell
from gather_pipeline_tests.finished import Finished

HEAVY = {"dagster", "torch", "sentence_transformers", "transformers", "pandas", "duckdb", "openai", "pymongo", "xllamacpp"}
SHOWN = list(PLACES)
GROUPS = {"project": ("create", "update", "show", "list"), "item": ("add", "edit", "delete", "restore", "show")}
LEAVES = [[name] for name in SHOWN if name not in GROUPS] + [[group, name] for group, names in GROUPS.items() for name in names]


def families(error: type[errors.GatherError]) -> set[int]:
    return {error.exit_code}.union(*(families(kind) for kind in error.__subclasses__()))


def loaded_by(shell: Shell, *lines: str) -> set[str]:
    """Top-level modules in a process after these command lines."""
    code = "import sys; from gather_pipeline.cli.app import invoke; codes = [invoke(line.split()) for line in sys.argv[1:]]"
    code += "; print('|', max(codes), *sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code, *lines], cwd=shell.folder, env=shell.environment, capture_output=True, text=True)
    names = done.stdout.rpartition("|")[2].split()
    assert names[0] == "0", done.stderr
    return set(names[1:])


def test_help_loads_no_engine(shell: Shell) -> None:
    assert loaded_by(shell, "--help", "run --help", "items --help", "report --help") & HEAVY == set()


def test_the_list_of_commands_loads_none_of_them(shell: Shell) -> None:
    assert loaded_by(shell, "--help") & {"numpy", "pydantic", "rich", "yaml"} == set()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_help_with_an_example(path: list[str], shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shown = shell.here(capsys, *path, "--help")
    assert shown.code == 0
    assert f"\n    gather {' '.join(path)}" in shown.out.partition("Example:")[2]


def test_the_list_of_commands_says_what_their_own_help_says() -> None:
    assert {name: PLACES[name].load().get_short_help_str(200) for name in SHOWN} == {name: PLACES[name].help for name in SHOWN}


def test_every_exit_code_of_the_package_is_documented() -> None:
    assert families(errors.GatherError) | {0} <= set(EXIT_CODES)


def test_no_command_is_help_and_a_wrong_use(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: gather")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["itms"], "Error: command is 'itms', expected items\n"),
        (["xyz"], f"Error: command is 'xyz', expected one of {', '.join(SHOWN)}\n"),
        (["project", "delete"], "Error: command is 'delete', expected one of create, list, show, update\n"),
        (["items"], "Error: Missing option '--project'.\nType: gather items --help\n"),
        (["items", "--project", "a", "--colour"], "Error: No such option '--colour'.\nType: gather items --help\n"),
    ],
)
def test_a_wrong_use_is_one_sentence(args: list[str], sentence: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, *args)
    assert (done.code, done.out, done.err) == (2, "", sentence)


def test_a_wrong_setting_names_its_variable(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.extra["GATHER_CONCURRENCY"] = "many"
    done = shell.here(capsys, "project", "list")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: GATHER_CONCURRENCY is 'many', expected")


def test_a_wrong_secret_is_not_shown(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.extra["MONGODB_URI"] = "mongo://user:hunter2@host"
    done = shell.here(capsys, "project", "list")
    assert done.code in (2, 5)
    assert "hunter2" not in done.err
    assert len(done.err.splitlines()) == 1


def test_a_state_folder_that_is_a_file_is_refused_by_the_store(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (shell.folder / "home").write_text("in the way")
    done = shell.here(capsys, "project", "create", "--name", "Salt", "--brief", "brief.txt")
    assert (done.code, done.out) == (5, "")
    assert str(shell.folder / "home") in done.err
    assert len(done.err.splitlines()) == 1


def test_a_store_file_that_is_none_is_refused_and_left_alone(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    (file,) = (shell.folder / "home" / "store").glob("*.sqlite3")
    file.write_bytes(b"a shopping list" * 100)
    done = shell.here(capsys, "project", "list")
    assert (done.code, done.out) == (5, "")
    assert str(file) in done.err
    assert file.read_bytes() == b"a shopping list" * 100


@dataclass(frozen=True)
class Broken(Place):
    """A command with a fault in it."""

    def load(self) -> click.Command:
        @click.command()
        def command() -> None:
            command_settings()
            raise KeyError("a fault of ours")

        return command


def test_an_unexpected_error_is_one_sentence_and_a_traceback_in_the_log(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.create()
    monkeypatch.setitem(PLACES, "broken", Broken("", "Broken."))
    done = shell.here(capsys, "broken")
    log = shell.folder / "home" / "logs" / "gather.log"
    assert (done.code, done.out) == (70, "")
    assert done.err == f"Error: something unexpected went wrong, KeyError: 'a fault of ours' (the traceback is in {log})\n"
    assert "Traceback" in log.read_text()
    assert "Traceback" in shell.here(capsys, "--verbose", "broken").err


def test_a_mistake_in_a_strange_folder_leaves_no_trace(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.here(capsys, "items", "--project", "salt").code == 3
    assert not (shell.folder / "home").exists()


def test_a_log_that_cannot_be_written_stops_nothing(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    logs = shell.folder / "home" / "logs"
    assert not logs.exists()
    logs.write_text("in the way")
    done = shell.here(capsys, "items", "--project", "none")
    assert (done.code, len(done.err.splitlines())) == (3, 1)


def test_a_command_leaves_no_log_handler_behind(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger("gather_pipeline").handlers)
    shell.here(capsys, "departments")
    assert logging.getLogger("gather_pipeline").handlers == before


@pytest.mark.parametrize("arguments", ["--json", ""])
def test_a_reader_that_stops_reading_ends_a_command_quietly(finished: Finished, arguments: str, tmp_path: Path) -> None:
    command = f"{' '.join(GATHER)} items --project salt {arguments} 2>{tmp_path / 'err'} | head -c 10; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=finished.shell.folder, env=finished.shell.environment, capture_output=True, text=True
    )
    # The whole output may have fitted into the pipe before its reader went away.
    assert done.stdout[10:].strip() in ("141", "0")
    assert "Traceback" not in (tmp_path / "err").read_text()
    assert "BrokenPipe" not in (tmp_path / "err").read_text()


@pytest.mark.parametrize(("streams", "code"), [("0<&- >&- 2>&-", "0"), (">/dev/full", "5"), ("2>/dev/full", "0"), ("| true", "0 141")])
def test_no_state_of_a_standard_stream_is_a_fault(shell: Shell, streams: str, code: str) -> None:
    command = f"{' '.join(GATHER)} departments {streams}; echo ${{PIPESTATUS[0]}} >&3"
    done = subprocess.run(
        ["bash", "-c", f"({command}) 3>&1 >/dev/null"], cwd=shell.folder, env=shell.environment, capture_output=True, text=True
    )
    assert done.stdout.strip() in code.split()
    assert "Traceback" not in done.stderr


def test_a_name_that_no_file_can_have_is_told_and_cut(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.extra["GATHER_HOME"] = "h" * 9000
    done = shell.here(capsys, "project", "list")
    assert (done.code, done.out) == (5, "")
    assert done.err.startswith("Error: File name too long: cannot read or write /")
    assert len(done.err) < 1100


def test_a_command_that_has_told_its_end_does_not_wait_for_a_thread_that_cannot_be_interrupted() -> None:
    code = (
        "import threading, time, click\n"
        "from gather_pipeline.cli.app import start\n"
        "@click.command()\n"
        "def command():\n"
        "    threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "    print('told', end='')\n"
        "    return 130\n"
        "start(command)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "told", "")
