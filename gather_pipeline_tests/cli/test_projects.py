from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.finished import Finished
from gather_pipeline_tests.harness import BRIEF, department_row

CREATE = ["project", "create", "--name", "Salt Ledger", "--brief", "brief.txt"]


def test_a_project_is_created_with_an_id_and_listed(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    made = shell.here(capsys, *CREATE)
    assert (made.code, made.err) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{24}\n", made.out)
    named = shell.here(capsys, *CREATE, "--id", "salt", "--json")
    assert named.document == {"id": "salt", "name": "Salt Ledger", "brief": BRIEF}
    listed = shell.here(capsys, "project", "list", "--json").document
    assert [project["id"] for project in listed] == [made.out.strip(), "salt"]
    assert "Salt Ledger" in shell.here(capsys, "project", "list").out


def test_no_project_is_an_empty_list(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.here(capsys, "project", "list", "--json").document == []
    done = shell.here(capsys, "project", "list")
    assert (done.code, done.out) == (0, "")
    assert "gather project create" in done.err


def test_an_id_that_is_taken_is_refused(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    done = shell.here(capsys, *CREATE, "--id", "salt")
    assert (done.code, done.out, done.err) == (2, "", "Error: project id is 'salt', expected an id that no project has\n")


def test_if_missing_leaves_a_project_as_it_is(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    first = shell.here(capsys, *CREATE, "--id", "salt", "--if-missing")
    (shell.folder / "brief.txt").write_text("Another brief altogether.")
    second = shell.here(capsys, *CREATE, "--id", "salt", "--if-missing")
    assert (first.code, second.code, first.out, second.out) == (0, 0, "salt\n", "salt\n")
    assert "left as it is" in second.err or "left as it was" in second.err
    assert [project["brief"] for project in shell.here(capsys, "project", "list", "--json").document] == [BRIEF]


def test_if_missing_needs_an_id(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, *CREATE, "--if-missing")
    assert (done.code, done.out) == (2, "")
    assert "--id" in done.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "brief brief.txt is empty"),
        (b" \n\t ", "brief brief.txt is empty"),
        (b"x" * 5_000_000, "brief brief.txt has 5000000 bytes, expected at most 200000"),
        (b"caf\xe9", "brief brief.txt has byte 0xe9 at 3, expected UTF-8 text"),
        (b"a\x00b", "brief brief.txt has a NUL character at 1, expected plain text"),
    ],
    ids=["empty", "blank", "5 MB", "Latin-1", "NUL"],
)
def test_a_brief_that_is_none_is_refused(content: bytes, told: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (shell.folder / "brief.txt").write_bytes(content)
    done = shell.here(capsys, *CREATE)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert told in done.err
    assert shell.here(capsys, "project", "list", "--json").document == []


@pytest.mark.parametrize(("path", "told"), [("no.txt", "a file that is there"), (".", "a file, and it is a folder")])
def test_a_brief_that_is_not_there_is_refused(path: str, told: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, "project", "create", "--name", "Salt", "--brief", path)
    assert (done.code, done.out, done.err) == (2, "", f"Error: --brief is {path!r}, expected {told}\n")


@pytest.mark.parametrize(
    "text", ["灯台守は三十年間、あの夜のことを書かなかった。", "الحارس لم يكتب شيئا عن تلك الليلة.", "Маяк погас на одиннадцать секунд."]
)
def test_a_brief_in_another_script_is_kept_as_it_is(text: str, shell: Shell) -> None:
    done = shell.run("project", "create", "--name", "灯", "--brief", "-", "--json", stdin=f"\ufeff{text}\n".encode())
    assert done.code == 0, done.err
    assert (done.document["name"], done.document["brief"]) == ("灯", text)


def test_standard_output_without_unicode_gets_json_in_ascii(shell: Shell) -> None:
    shell.extra["PYTHONIOENCODING"] = "ascii"
    done = shell.run("project", "create", "--name", "Kuća", "--brief", "brief.txt", "--json")
    assert done.code == 0, done.err
    assert done.out.isascii()
    assert done.document["name"] == "Kuća"


def test_more_than_a_brief_on_standard_input_is_not_read_to_its_end(shell: Shell) -> None:
    done = shell.run("project", "create", "--name", "Salt", "--brief", "-", stdin=b"x" * 5_000_000)
    assert (done.code, done.out) == (2, "")
    assert done.err == "Error: brief from standard input has more than 200000 bytes, expected at most 200000\n"


def test_what_is_no_character_is_replaced_in_a_text_and_kept_in_a_file_s_name(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    odd = "caf\udce9.txt"  # a file whose name is no UTF-8
    (shell.folder / odd).write_text(BRIEF)
    done = shell.here(capsys, "project", "create", "--name", "Sal\udcff", "--brief", odd, "--json")
    assert (done.document["name"], done.document["brief"]) == ("Sal\N{REPLACEMENT CHARACTER}", BRIEF)


@pytest.mark.parametrize("name", ["", "   "])
def test_a_project_needs_a_name(name: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, "project", "create", "--name", name, "--brief", "brief.txt")
    assert (done.code, done.out) == (2, "")
    assert repr(name) in done.err


def test_departments_of_the_source_stand_in_the_order_in_which_they_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [department_row("late", None), department_row("second", 2), department_row("off", 1, isActive=False), department_row("first", 1)]
    shell = Shell.make(tmp_path, rows)
    done = shell.here(capsys, "departments", "--json")
    assert [(row["slug"], row["automated"]) for row in done.document] == [("first", True), ("second", True), ("late", True), ("off", False)]
    assert {"name", "codeDepNumber", "threshold", "maxIterations", "gatherCheck", "isActive"} <= set(done.document[0])
    assert done.err == "Department late has no codeDepNumber and runs last\n"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"name": "Sound"}, "row 2, field slug is missing"),
        (department_row("story", 2), "row 2, field slug is 'story', expected a slug of its own (row 1 has it already)"),
        (department_row("sound", 2) | {"codeDepNumber": "two"}, "row 2, field codeDepNumber is 'two'"),
        (department_row("sound", 2, threshold=0), "field coordinationSettings.minQualityThreshold is 0"),
        (department_row("sound", 2, threshold=150, isActive=False), "field coordinationSettings.minQualityThreshold is 150"),
    ],
    ids=["no slug", "slug twice", "text for a number", "threshold 0", "threshold 150, not active"],
)
def test_one_wrong_row_refuses_the_whole_file(
    row: dict[str, object], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell.make(tmp_path, [department_row("story", 1), row])
    shell.create()
    for args in (["departments"], ["run", "--project", "salt"]):
        done = shell.here(capsys, *args)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
        assert told in done.err


def test_a_department_file_that_is_not_there_is_refused(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.extra["GATHER_DEPARTMENTS"] = "nowhere.yaml"
    done = shell.here(capsys, "departments")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "nowhere.yaml" in done.err


def test_a_new_project_has_new_departments(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    rows = shell.here(capsys, "departments", "--project", "salt", "--json").document
    assert [(row["slug"], row["state"], row["quality"], row["items"]) for row in rows] == [
        ("story", "new", None, 0),
        ("visual", "new", None, 0),
        ("sound", "new", None, 0),
    ]


def test_departments_of_a_project_say_how_far_they_have_come(finished: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    rows = finished.shell.here(capsys, "departments", "--project", "salt", "--json").document
    summary = {row["department"]: row for row in finished.document["summary"]}
    for row in rows:
        assert (row["state"], row["items"]) == ("finished", summary[row["slug"]]["items_created"])
        assert row["quality"] == summary[row["slug"]]["quality_score"]
        assert row["ended_by"] == summary[row["slug"]]["ended_by"]
    assert "finished" in finished.shell.here(capsys, "departments", "--project", "salt").out


def test_departments_of_an_unknown_project_are_not_those_of_the_source(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = shell.here(capsys, "departments", "--project", "pepper")
    assert (done.code, done.out) == (3, "")
    assert "'pepper'" in done.err


def test_a_fifo_is_a_brief_too(shell: Shell) -> None:
    os.mkfifo(shell.folder / "pipe")
    with shell.started("project", "create", "--name", "Salt", "--brief", "pipe", "--json") as process:
        (shell.folder / "pipe").write_text("A brief that comes through a pipe.")
        out, err = process.communicate(timeout=60)
    assert json.loads(out)["brief"] == "A brief that comes through a pipe.", err
