"""The frame of `tlm`, and its commands about definitions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.cli.tlm import PLACES
from gather_pipeline.cli.tlm import tlm as command
from gather_pipeline_tests.cli.commands import Outcome, Shell
from gather_pipeline_tests.tasks.builders import document

SEED = Path(__file__).parents[1] / "tasks" / "seed"


def tlm(shell: Shell, capsys: pytest.CaptureFixture[str], *args: str) -> Outcome:
    return shell.here(capsys, *args, command=command)


@pytest.mark.parametrize("name", PLACES)
def test_every_command_has_help_with_an_example(name: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shown = tlm(shell, capsys, name, "--help")
    assert shown.code == 0
    assert f"\n    tlm {name}" in shown.out.partition("Example:")[2]
    assert PLACES[name].load().get_short_help_str(200) == PLACES[name].help


def test_a_created_task_is_valid_listed_and_shown(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    made = tlm(shell, capsys, "create-task", "my_task", "--json")
    path = shell.folder / "home" / "tasks" / "my_task.json"
    assert (made.code, made.document) == (0, {"task": "my_task", "version": "1.0.0", "file": str(path)})
    assert tlm(shell, capsys, "validate-task", "my_task").out == "my_task 1.0.0: valid\n"
    assert "my_task" in {row["task"] for row in tlm(shell, capsys, "list", "--json").document}
    assert "text (string, required)" in tlm(shell, capsys, "show", "my_task").out
    assert tlm(shell, capsys, "show", "my_task", "--json").document == json.loads(path.read_text())
    shell.extra["GATHER_TASKS"] = str(path.parent)
    elsewhere = tlm(shell, capsys, "create-task", "other_task", "--folder", "mine").err
    assert elsewhere == f"Written: mine/other_task.json\nTo have it found: GATHER_TASKS={path.parent}{os.pathsep}mine\n"
    again = tlm(shell, capsys, "create-task", "my_task")
    assert (again.code, again.err.startswith("Error: file of the task is ")) == (2, True)


def test_a_task_whose_schema_says_true_is_shown(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    path = shell.folder / "greeting.json"
    path.write_text(json.dumps(document(input__schema__properties__more=True)))
    shell.extra["GATHER_TASKS"] = str(shell.folder)
    done = tlm(shell, capsys, "show", "greeting")
    assert (done.code, "more (any, optional)\n" in done.out) == (0, True), done.err


def test_every_faulty_file_is_told_with_key_and_reason(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    for name, changes in (("a", {"nmae": "x"}), ("b", {"id": "other", "prompts__0__template_variables": []}), ("c", {"id": "third"})):
        (shell.folder / f"{name}.json").write_text(json.dumps(document(**changes)))
    shell.extra["GATHER_TASKS"] = str(shell.folder)
    done = tlm(shell, capsys, "validate-task", "--all")
    assert done.code == 2 and "Error: 2 of " in done.err
    assert "a.json: key nmae is not known" in done.out and "b.json: key prompts.0: template_variables differ" in done.out
    assert "third 1.0.0: valid" in done.out
    assert tlm(shell, capsys, "validate-task", "other").code == 2
    assert tlm(shell, capsys, "validate-task", "greeting", "--json").document[0]["error"].startswith("a.json: key nmae")
    others = tlm(shell, capsys, "list", "--json")
    assert others.code == 0 and {"third", "gather_item"} <= {row["task"] for row in others.document}
    assert others.err == "Task files that are not valid are left out (tlm validate-task --all says why): a.json, b.json\n"
    assert tlm(shell, capsys, "execute", "third", "--input", '{"who": "Mara"}').code == 0
    asked = tlm(shell, capsys, "execute", "other", "--input", '{"who": "Mara"}')
    assert asked.code == 2 and "Error: b.json: key prompts.0: template_variables differ" in asked.err


def test_what_tasks_do_not_fit_is_told_beside_a_file_that_cannot_be_read(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    circle = [{"task": need, "inputs": {"who": "who"}, "outputs": {"who": "output.greeting"}} for need in ("second", "first", "nowhere")]
    for id, need in zip(("first", "second", "third"), circle, strict=True):
        (shell.folder / f"{id}.json").write_text(json.dumps(document(id=id, dependencies=[need])))
    (shell.folder / "broken.json").write_text("{")
    for name in ("alone", "again"):
        (shell.folder / f"{name}.json").write_text(json.dumps(document(id="alone")))
    shell.extra["GATHER_TASKS"] = str(shell.folder)
    rows = {Path(row["file"]).stem: row["error"] for row in tlm(shell, capsys, "validate-task", "--all", "--json").document}
    assert rows["first"] == "first.json: key dependencies.0: first needs itself by way of second and first, expected no circle"
    assert rows["second"].startswith("second.json: key dependencies.0: second needs itself")
    assert rows["third"].startswith("third.json: key dependencies.0: task is 'nowhere'")
    assert rows["alone"] == "alone.json: key version is '1.0.0', expected one of its own, for again.json has it too" and not rows["again"]
    assert rows["broken"].startswith("broken.json: is not JSON")
    assert tlm(shell, capsys, "validate-task", "again.json").out == "alone 1.0.0: valid\n"


def test_the_seeds_own_example_is_valid_with_a_warning(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = tlm(shell, capsys, "validate-task", str(SEED / "job_detail_extraction.json"))
    assert done.code == 0
    assert "job_detail_extraction 1.0.0: valid\n  warning: input.examples.0 does not pass min_length_100" in done.out


def test_a_version_that_goes_back_is_told_with_its_file(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    path = shell.folder / "own" / "greeting.json"
    path.parent.mkdir()
    shell.extra["GATHER_TASKS"] = os.pathsep.join([str(path.parent), str(SEED)])
    for version, code in (("1.1.0", 0), ("1.0.0", 2), ("1.1.0", 0)):
        path.write_text(json.dumps(document(version=version)))
        done = tlm(shell, capsys, "validate-task", "greeting")
        assert done.code == code, done.err
        assert "greeting.json: key version is '1.0.0', expected a version from 1.1.0 up" in done.out or code == 0


@pytest.mark.parametrize(
    ("verification", "told"),
    [
        (
            {"method": "oracle"},
            "verification method is 'oracle', expected one of consensus, hierarchical, external, syntax, human, adaptive",
        ),
        ({"method": "consensus", "parameters": {"models": 3}}, "verification consensus: parameter models is not known"),
        (
            {"chain": [{"method": "adaptive", "parameters": {"checks": [{"method": "external"}]}}]},
            "verification external: parameter url is missing",
        ),
    ],
)
def test_a_check_that_is_not_there_or_does_not_take_its_parameters_is_told(
    verification: dict[str, Any], told: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    path = shell.folder / "greeting.json"
    path.write_text(json.dumps(document() | {"verification": verification}))
    done = tlm(shell, capsys, "validate-task", "greeting.json")
    assert done.code == 2 and done.out.startswith(f"greeting.json: {told}")


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["validate-task"], 2, "neither the name of a task nor --all is given, expected one of them"),
        (["validate-task", "nowhere"], 3, "task is 'nowhere', expected the id of a task"),
        (["validate-task", "gone.json"], 2, "1 of 1 task files is not valid"),
        (["show", "nowhere"], 3, "task is 'nowhere', expected one of "),
        (["create-task", "1st"], 2, "name of the task is '1st', expected letters"),
        (["lst"], 2, "command is 'lst', expected list"),
    ],
)
def test_a_mistake_is_one_sentence(args: list[str], code: int, told: str, shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = tlm(shell, capsys, *args)
    assert done.code == code and told in done.err and len(done.err.splitlines()) == 1


def test_a_folder_that_is_not_there_names_its_setting(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.extra["GATHER_TASKS"] = "nowhere"
    done = tlm(shell, capsys, "list")
    assert (done.code, "GATHER_TASKS" in done.err) == (2, True)
