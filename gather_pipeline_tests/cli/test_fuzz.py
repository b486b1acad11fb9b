"""No command line, no setting and no file of a user ends as a fault of ours, and what is refused is refused briefly."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gather_pipeline.cli.app import EXIT_CODES, EXIT_UNEXPECTED
from gather_pipeline.cli.app import gather as root
from gather_pipeline.settings import Settings
from gather_pipeline_tests.cli.commands import Outcome, Shell

# They start Dagster, download, ask the network or serve until they are stopped; test_options refuses options of the first two.
LEFT_OUT = ("run", "setup", "doctor", "serve", "brain")
MOST_SAID = 4_000  # characters of whatever a command says beside its result
READING = [["project", "list"], ["status", "--project", "salt"], ["departments"], ["items", "--project", "salt", "--dropped"]]
FOUND = {"project_id": "salt", "department": "story", "file": "notes.csv", "path": "notes.md"}  # by parameter, what is there
BRIEFED = ["project", "update", "salt", "--brief", "brief.txt"]
INTO = {"departments.yaml": ["departments"], ".env": ["project", "list"], "brief.txt": BRIEFED}  # by file, what reads it
NOTES = ["notes.csv", "notes.jsonl", "notes.md", "notes.parquet"]

STRANGE = ["", " ", "-", "--", ".", "/", "\x00", "\x1b", "\u202e", "\u200b\u2060", "\udce9", "x" * 5_000, "a\nb", "%20", "?", "*"]
HOMES = ["~", "~nobody/x", "."]
NUMBERS = ["0", "-0", "1", "-1", "1e3", "1e999", "nan", "inf", "-inf", "1_0", "٣", "²", "9" * 400, "0x10", "1.5", " 7 ", "true", "null"]
TIMES = ["2024-02-30", "2024-13-01T00:00:00Z", "0000-00-00", "99999-01-01", "2024-01-01T25:61:00+99:99", "Europe/Berlin"]
JSONS = ["[]", "{}", "null", '{"a":[NaN,1]}', '{"a":[1e999,-1]}', "[" * 9_000, '{"a":' * 2_000, '"\\ud800"', "\ufeff{}", "a: &a [*a]"]
PATHS = [*NOTES, "folder", "nothing.csv", "x" * 300 + ".csv", "brief.txt", "nothing/x.md"]
QUERIES = ["SELECT 1", "SELECT 'nan'::DOUBLE, NULL, [1], {'a': 1}, DATE '99999-01-01'", "SELECT * FROM read_csv('x')", "ATTACH 'x'", ";;"]
NAMES = ["salt", "story", "csv", "threshold", "scripted", "hashing", "mongodb://", "http://", "http://[::1"]
ROWS = ["department,content\nstory,A bell.\n", "department;content;at\r\nstory;A bell;\r\n", '{"department":"story","content":"A bell."}\n']

values = st.sampled_from(STRANGE + HOMES + NUMBERS + TIMES + JSONS + PATHS + QUERIES + NAMES + ROWS) | st.text(max_size=30)
contents = st.binary(max_size=200) | values.map(lambda text: text.encode(errors="surrogatepass"))
variables = st.sampled_from(
    [
        *(name for field in Settings.model_fields.values() if (name := str(field.validation_alias)) != "MONGODB_URI"),
        *("TZ", "LC_ALL", "TERM", "COLUMNS", "LINES", "HOME", "NO_COLOR", "FORCE_COLOR", "XDG_CACHE_HOME"),
    ]
)


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below one, with the words that lead to it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from leaves(below, (*path, name))
    elif path[0] not in LEFT_OUT:
        yield path, command


COMMANDS = list(leaves(root))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its options and its arguments, half of them as they ought to be; it writes nowhere but here."""
    path, command = draw(st.sampled_from(COMMANDS))
    line = list(path)
    for parameter in command.params:
        name = str(parameter.name)
        if name == "follow" or not (parameter.required or draw(st.booleans())):
            continue
        value = FOUND[name] if name in FOUND and draw(st.booleans()) else draw(values)
        value = value.replace("/", "_") if name == "path" else value
        if isinstance(parameter, click.Option):
            line += [parameter.opts[-1]] if parameter.is_flag else [parameter.opts[-1], value]
        else:
            line.append(value)
    return line


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project with one note, and a folder that is no file."""
    shell = Shell.make(tmp_path_factory.mktemp("fuzz"), EDITOR="", VISUAL="")
    shell.create()
    (shell.folder / "folder").mkdir()
    assert given_to(shell, ["item", "add", "--project", "salt", "--department", "story", "--content", "A key.", "--by", "ana"]).code == 0
    return shell


def given_to(shell: Shell, args: Sequence[str], stdin: bytes = b"", **extra: str) -> Outcome:
    """A command in this process, with something on its standard input."""
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
    try:
        return Shell(shell.folder, {**shell.extra, **extra}).quietly(*args)
    finally:
        sys.stdin = before


def check(shell: Shell, args: Sequence[str], stdin: bytes = b"", **extra: str) -> None:
    """What holds of every command, whatever it was given."""
    done = given_to(shell, args, stdin, **extra)
    assert done.code in EXIT_CODES and done.code != EXIT_UNEXPECTED, done
    assert len(done.err) <= MOST_SAID, done
    if "--json" in args and done.code == 0:
        assert json.loads(done.out) is not Ellipsis


often = pytest.mark.parametrize("times", [1, pytest.param(50, marks=[pytest.mark.storm, pytest.mark.timeout(0)])], ids=["suite", "storm"])


def examples(count: int, times: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """So many examples: always the same ones in the suite, in a storm more and others each time."""
    return settings(
        max_examples=count * times, derandomize=times == 1, database=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


@often
def test_no_command_line_is_a_fault_of_ours(desk: Shell, times: int) -> None:
    @examples(80, times)
    @given(args=command_lines(), stdin=contents)
    def holds(args: list[str], stdin: bytes) -> None:
        check(desk, args, stdin)

    holds()


@often
def test_no_setting_is_a_fault_of_ours(desk: Shell, times: int) -> None:
    @examples(50, times)
    @given(chosen=st.dictionaries(variables, values, max_size=3), args=st.sampled_from(READING))
    def holds(chosen: dict[str, str], args: list[str]) -> None:
        possible = {name: value.replace("\x00", "").encode(errors="replace").decode() for name, value in chosen.items()}
        if "GATHER_HOME" in possible:
            possible["GATHER_HOME"] = possible["GATHER_HOME"].replace("/", "_")
        check(desk, args, **{"HOME": str(desk.folder), **possible})

    holds()


@often
def test_no_file_is_a_fault_of_ours(desk: Shell, times: int) -> None:
    @examples(60, times)
    @given(name=st.sampled_from([*INTO, *NOTES]), data=contents)
    def holds(name: str, data: bytes) -> None:
        file = desk.folder / name
        kept = file.read_bytes() if file.exists() else None
        file.write_bytes(data)
        try:
            check(desk, INTO.get(name, ["import", "--project", "salt", name, "--by", "ana", "--json"]))
        finally:
            file.unlink() if kept is None else file.write_bytes(kept)

    holds()
