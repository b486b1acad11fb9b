"""Exports and imports on the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.item_lines import FORMATS
from gather_pipeline_tests.cli.commands import GATHER, Shell, wait_until
from gather_pipeline_tests.cli.test_app import HEAVY, loaded_by
from gather_pipeline_tests.cli.test_item import one_sentence
from gather_pipeline_tests.finished import Finished
from gather_pipeline_tests.people.test_importing import stored

Capture = pytest.CaptureFixture[str]
MANY = 12_000  # lines, windows enough to be met at work between two of them


@pytest.fixture
def empty(shell: Shell) -> Shell:
    """Project ``salt`` without any item."""
    shell.create()
    return shell


def write(shell: Shell, name: str, *lines: Any) -> Path:
    """A file of JSON lines; a text goes in as it is."""
    path = shell.folder / name
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def line(n: int, **fields: Any) -> dict[str, Any]:
    return stored(n) | {"project_id": "salt"} | fields


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_goes_out_and_comes_back_the_same(format: str, finished: Finished, empty: Shell, capsys: Capture) -> None:
    there = finished.shell.here(capsys, "export", "--project", "salt")
    count = len(there.out.splitlines())
    assert (there.code, there.err) == (0, f"{count} items written\n")
    path = empty.folder / f"items.{format}"
    out = finished.shell.here(capsys, "export", "--project", "salt", "--output", str(path))
    assert (out.code, out.out, out.err) == (0, "", f"{count} items written: {path}\n")
    done = empty.here(capsys, "import", "--project", "salt", str(path))
    assert (done.code, done.out, done.err) == (0, f"{count} imported, 0 already there, 0 dropped as duplicates, 0 refused\n", "")
    assert empty.here(capsys, "export", "--project", "salt").out == there.out
    again = empty.here(capsys, "import", "--project", "salt", str(path), "--json").document
    assert again == {
        "project_id": "salt",
        "file": str(path),
        "dry_run": False,
        "imported": 0,
        "already_there": count,
        "dropped": 0,
        "refused": [],
        "ignored": [],
    }


def test_an_imported_project_runs_on(finished: Finished, empty: Shell, capsys: Capture) -> None:
    finished.shell.here(capsys, "export", "--project", "salt", "--output", str(empty.folder / "salt.jsonl"))
    empty.here(capsys, "import", "--project", "salt", "salt.jsonl")
    before = {row["id"]: row["content"] for row in empty.here(capsys, "items", "--project", "salt", "--json").document}
    done = empty.here(capsys, "run", "--project", "salt", "--department", "sound", "--json")
    assert done.code == 0, done.err
    after = {row["id"]: row["content"] for row in empty.here(capsys, "items", "--project", "salt", "--json").document}
    assert after.items() >= before.items()
    assert len(after) == len(before) + done.document["items_created"] > len(before)


def test_a_pipe_carries_an_export_into_an_import(empty: Shell, finished: Finished, capsys: Capture) -> None:
    out = finished.shell.here(capsys, "export", "--project", "salt", "--format", "csv")
    done = empty.run("import", "--project", "salt", "-", "--format", "csv", stdin=out.out.encode())
    assert (done.code, done.err) == (0, "")
    assert empty.here(capsys, "export", "--project", "salt", "--format", "csv").out == out.out


def test_what_is_deleted_goes_out_too_unless_it_is_left_out(finished: Finished, empty: Shell, capsys: Capture) -> None:
    write(empty, "two.jsonl", line(1), line(2))
    empty.here(capsys, "import", "--project", "salt", "two.jsonl")
    empty.here(capsys, "item", "delete", line(1)["id"], "--by", "ana")
    rows = [json.loads(row) for row in empty.here(capsys, "export", "--project", "salt").out.splitlines()]
    assert [(row["id"], row["state"], len(row["revisions"])) for row in rows] == [
        (line(1)["id"], "deleted", 2),
        (line(2)["id"], "active", 0),
    ]
    active = empty.here(capsys, "export", "--project", "salt", "--active").out
    assert [json.loads(row)["id"] for row in active.splitlines()] == [line(2)["id"]]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--format", "xml"], "--format is 'xml', expected one of jsonl, csv, md, parquet"),
        (
            ["--output", "items.txt"],
            "--output is 'items.txt', expected a name that ends with .jsonl, .ndjson, .csv, .md, .markdown, .parquet",
        ),
        (["--format", "parquet"], "--output is missing, expected a file: parquet cannot be written to standard output"),
        (["--output", "nowhere/items.csv"], "--output is 'nowhere/items.csv', expected a file that can be written"),
        (["--output", ".", "--format", "csv"], "--output is '.', expected a file that can be written (Is a directory)"),
    ],
)
def test_a_wrong_export_is_one_sentence(args: list[str], told: str, finished: Finished, capsys: Capture) -> None:
    assert told in one_sentence(finished.shell.here(capsys, "export", "--project", "salt", *args), 2)
    assert "'pepper'" in one_sentence(finished.shell.here(capsys, "export", "--project", "pepper"), 3)


def test_a_full_disk_leaves_the_old_file(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", *(line(n) for n in range(2_000)))
    empty.here(capsys, "import", "--project", "salt", "items.jsonl")
    path = empty.folder / "old.csv"
    path.write_text("what was there")
    with empty.forked("export", "--project", "salt", "--output", "old.csv", largest_file=200_000) as process:
        done = process.finish()
    assert (done.code, done.out) == (5, "")
    assert done.err == "Error: old.csv cannot be written: File too large\n"
    assert path.read_text() == "what was there"
    assert not list(empty.folder.glob(".export-*"))


def test_lines_that_are_refused_are_named_and_the_exit_code_says_so(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", line(1), line(2, iteration=-1), "{", line(3, department="noise"), line(4))
    done = empty.here(capsys, "import", "--project", "salt", "items.jsonl")
    assert (done.code, done.out) == (1, "2 imported, 0 already there, 0 dropped as duplicates, 3 refused\n")
    two, three, four = done.err.splitlines()
    assert two == "items.jsonl, line 2: iteration is -1, expected a whole number from 0 to 999999"
    assert three.startswith("items.jsonl, line 3: the line is no JSON (")
    assert four == "items.jsonl, line 4: department is 'noise', expected one of sound, story, visual"
    document = empty.here(capsys, "import", "--project", "salt", "items.jsonl", "--json")
    assert document.code == 1
    assert [row["line"] for row in document.document["refused"]] == [2, 3, 4]
    assert document.document["already_there"] == 2


def test_a_terminal_gets_twenty_refusals_and_json_all(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", line(0), *(line(n, state="gone") for n in range(1, 31)))
    done = empty.here(capsys, "import", "--project", "salt", "items.jsonl")
    assert len(done.err.splitlines()) == 21
    assert done.err.splitlines()[-1] == "and 10 more lines; --json lists them all"
    assert len(empty.here(capsys, "import", "--project", "salt", "items.jsonl", "--json").document["refused"]) == 30


def test_a_table_of_a_person_s_own_becomes_their_notes(empty: Shell, capsys: Capture) -> None:
    bell = "story,The bell has no clapper.,red\n"
    (empty.folder / "own.csv").write_text(f"department,content,colour\n{bell}{bell}visual,Only lamps light the square.,\n")
    tried = empty.here(capsys, "import", "--project", "salt", "own.csv", "--by", "ana", "--dry-run")
    assert tried.out == "2 would be imported, 0 already there, 1 would be dropped as duplicates, 0 refused\n"
    assert empty.here(capsys, "items", "--project", "salt", "--json").document == []
    done = empty.here(capsys, "import", "--project", "salt", "own.csv", "--by", "ana")
    assert (done.code, done.out) == (0, "2 imported, 0 already there, 1 dropped as duplicates, 0 refused\n")
    assert done.err == "Left out, for no item has them: colour\n"
    items = empty.here(capsys, "items", "--project", "salt", "--json").document
    assert {(row["content"], row["written_by"], row["origin"]) for row in items} == {
        ("The bell has no clapper.", "ana", "imported"),
        ("Only lamps light the square.", "ana", "imported"),
    }
    shown = empty.here(capsys, "item", "show", items[0]["id"]).out
    assert "imported by ana" in shown
    assert "file: own.csv, line " in shown
    (drop,) = empty.here(capsys, "items", "--project", "salt", "--dropped", "--json").document
    assert empty.here(capsys, "item", "restore", drop["item_id"], "--by", "ana").code == 0
    assert len(empty.here(capsys, "items", "--project", "salt", "--json").document) == 3


def test_a_wrong_project_s_file_names_both_and_is_adopted_on_demand(empty: Shell, capsys: Capture) -> None:
    empty.create("pepper")
    write(empty, "items.jsonl", line(1), line(2))
    told = one_sentence(empty.here(capsys, "import", "--project", "pepper", "items.jsonl"), 2)
    assert told == (
        "Error: items.jsonl is an export of project salt, expected one of project pepper; type --adopt to take its items into this one\n"
    )
    assert empty.here(capsys, "import", "--project", "pepper", "items.jsonl", "--adopt").out.startswith("2 imported")
    assert {row["project_id"] for row in empty.here(capsys, "items", "--project", "pepper", "--json").document} == {"pepper"}


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00", "FILE is 'photo.png', expected a name that ends with .jsonl"),
        (
            "photo.jsonl",
            b"\x89PNG\r\n\x1a\n\x00\x00",
            "photo.jsonl is no JSON: byte 0x89 at 0 is not UTF-8 text",
        ),
        ("photo.csv", b"\x89PNG\r\n\x1a\n\x00\x00", "photo.csv: line 1: byte 0x89 at 0 is not UTF-8 text"),
        ("photo.md", b"\x89PNG\r\n\x1a\n\x00\x00", "photo.md has no note with its comment"),
        ("photo.parquet", b"\x89PNG\r\n\x1a\n\x00\x00", "photo.parquet is no Parquet file that can be read"),
        ("package.jsonl", b'{\n  "name": "x"\n}\n', "package.jsonl holds no line that could be an item (line 1: department is missing"),
        ("other.jsonl", b'{"name": "x"}\n', "other.jsonl holds no line that could be an item (line 1: department is missing"),
        ("wide.jsonl", '{"department": "story"}'.encode("utf-16"), "wide.jsonl holds no line that could be an item"),
        ("nowhere.csv", None, "FILE is 'nowhere.csv', expected a file that is there"),
    ],
)
def test_a_file_of_another_program_is_refused_in_one_sentence(
    name: str, data: bytes | None, told: str, empty: Shell, capsys: Capture
) -> None:
    if data is not None:
        (empty.folder / name).write_bytes(data)
    assert told in one_sentence(empty.here(capsys, "import", "--project", "salt", name), 2)
    assert empty.here(capsys, "export", "--project", "salt").out == ""


def test_an_unknown_project_is_told_before_the_file_is_read(empty: Shell, capsys: Capture) -> None:
    assert "'pepper'" in one_sentence(empty.here(capsys, "import", "--project", "pepper", "nowhere.jsonl"), 3)


def test_an_import_that_was_killed_is_completed_by_another(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", *(line(n) for n in range(MANY)))
    with empty.forked("import", "--project", "salt", "items.jsonl") as process:
        wait_until(lambda: empty.items())
        process.send(signal.SIGKILL)
        process.finish()
    there = len(empty.items())
    assert 0 < there < MANY
    done = empty.here(capsys, "import", "--project", "salt", "items.jsonl", "--json").document
    assert (done["imported"], done["already_there"]) == (MANY - there, there)
    assert len(set(empty.items())) == MANY


def test_an_import_that_is_interrupted_says_so_and_lets_go_of_the_project(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", *(line(n) for n in range(MANY)))
    with empty.forked("import", "--project", "salt", "items.jsonl") as process:
        wait_until(lambda: empty.items())
        process.send(signal.SIGINT)
        done = process.finish()
    assert (done.code, done.out, done.err.strip()) == (130, "", "Stopped.")
    write(empty, "last.jsonl", line(MANY))
    assert empty.here(capsys, "import", "--project", "salt", "last.jsonl").code == 0


def test_control_characters_go_to_a_file_but_not_to_a_terminal(empty: Shell, capsys: Capture) -> None:
    write(empty, "items.jsonl", line(1, content="red \x1b[31m letters\x9b"))
    empty.here(capsys, "import", "--project", "salt", "items.jsonl")
    assert "\x1b[31m" in empty.here(capsys, "export", "--project", "salt", "--format", "csv").out
    seen, screen = pty.openpty()
    pid = os.posix_spawn(
        sys.executable,
        [*GATHER, "export", "--project", "salt", "--format", "csv"],
        empty.environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, screen, 1)],
    )
    os.close(screen)
    shown = b""
    try:
        while block := os.read(seen, 65_536):
            shown += block
    except OSError:
        pass  # the other end is closed
    os.close(seen)
    assert os.waitpid(pid, 0)[1] == 0
    assert b"red" in shown
    assert b"\x1b" not in shown


def test_an_import_into_an_empty_project_loads_neither_embedder_nor_engine(empty: Shell) -> None:
    write(empty, "items.jsonl", line(1), line(2))
    assert loaded_by(empty, "import --project salt items.jsonl") & HEAVY == set()
