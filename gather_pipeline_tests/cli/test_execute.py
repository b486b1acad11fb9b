"""`tlm execute`, in process, against the scripted model."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from gather_pipeline.cli.commands.tasks.execute import print_one
from gather_pipeline.cli.output import clean
from gather_pipeline.tasks.runner import TaskResult
from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.cli.test_tlm import tlm
from gather_pipeline_tests.tasks.builders import PLAIN_TEXT, document
from gather_pipeline_tests.tasks.test_execution import execution

ASKED = {"prompt_tokens", "completion_tokens", "cost"}


@pytest.fixture
def desk(shell: Shell) -> Shell:
    """A shell whose own folder of tasks has two."""
    folder = shell.folder / "home" / "tasks"
    folder.mkdir(parents=True)
    for made in (document(), document(PLAIN_TEXT)):
        (folder / f"{made['id']}.json").write_text(json.dumps(made))
    return shell


def test_an_output_is_printed_as_it_is(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    done = tlm(desk, capsys, "execute", "greeting", "--input", '{"who": "Mara"}')
    assert (done.code, set(done.document), done.err) == (0, {"greeting", "warmth"}, "")
    text = tlm(desk, capsys, "execute", "line", "--input", '{"opening": "The sea"}')
    assert text.code == 0 and text.out.startswith("The sea stops at ")


def test_the_same_again_makes_no_call_and_another_draw_does(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("execute", "greeting", "--input", '{"who": "Mara"}', "--json")
    first, again, other = (tlm(desk, capsys, *line, *more).document for more in ((), (), ("--draw", "1")))
    assert (first["calls"], again["calls"], other["calls"]) == (1, 0, 1)
    assert first["output"] == again["output"] and first["execution"] != again["execution"]
    assert (again["cached"], first["task"], first["version"], first["model"]) == (True, "greeting", "1.0.0", "scripted")
    assert set(first) >= ASKED


def test_a_batch_tells_its_failures_by_line_and_is_resumed_without_calls(
    desk: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ['{"who": "Mara"}', "", '{"who": ""}', "nope", "[1]", '{"who": "Jonas\u2028Ada"}']
    (desk.folder / "people.jsonl").write_text("\n".join(lines), encoding="utf-8-sig")
    done = tlm(desk, capsys, "execute", "greeting", "--input", "@people.jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 1 and "2 of 5 done, 3 failed" in done.err
    assert [(row["line"], row["error"] is None) for row in rows] == [(1, True), (3, False), (4, False), (5, False), (6, True)]
    assert [row["execution"] is None for row in rows] == [False, False, True, True, False], "what was refused is recorded, too"
    assert "does not fit" in rows[1]["error"] and rows[2]["error"].startswith("line 4 of people.jsonl is not JSON")
    assert rows[3]["error"] == "line 5 of people.jsonl is [1], expected a JSON object"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'[{"who": "Mara"}, {"who": "Jonas\\u2028Ada"}, {"who": "Ada"}]')))
    again = tlm(desk, capsys, "execute", "greeting", "--input", "-")
    assert again.code == 0 and [json.loads(line)["calls"] for line in again.out.splitlines()] == [0, 0, 1]


def test_what_ends_a_line_for_people_alone_parts_no_json_line(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.folder / "people.jsonl").write_text('{"who": "Mara\u2028Lind"}\r\n{"who": "Jo\x85nas"}\r\n', encoding="utf-8")
    done = tlm(desk, capsys, "execute", "greeting", "--input", "@people.jsonl")
    assert [json.loads(line)["line"] for line in done.out.splitlines()] == [1, 2] and done.code == 0


def test_a_file_in_which_no_line_is_json_is_refused_as_a_whole(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.folder / "people.csv").write_text("who\nMara\nJonas\n")
    done = tlm(desk, capsys, "execute", "greeting", "--input", "@people.csv")
    assert (done.code, done.out) == (2, "") and "--input is 'people.csv', expected a JSON object" in done.err


@pytest.mark.parametrize("option", ["--seed", "--draw"])
def test_a_number_that_no_store_keeps_is_refused_before_a_model_is_asked(
    desk: Shell, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    done = tlm(desk, capsys, "execute", "greeting", "--input", '{"who": "Mara"}', option, str(10**30))
    assert done.code == 2 and f"option {option.strip('-')} is 1000000000000000000000000000000, expected less than" in done.err


def test_a_reader_that_stops_reading_ends_a_batch_quietly(desk: Shell, tmp_path: Path) -> None:
    (desk.folder / "many.jsonl").write_text("\n".join(json.dumps({"who": f"Mara {number}"}) for number in range(400)))
    command = (
        f"{sys.executable} -m gather_pipeline.cli.tlm execute greeting --input @many.jsonl 2>err | head -c 10; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], cwd=desk.folder, env=desk.environment, capture_output=True, text=True)
    assert done.stdout.endswith("141\n") and "Traceback" not in (desk.folder / "err").read_text()


def test_a_failure_has_the_id_of_its_record_in_json(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("execute", "greeting", "--input", '{"who": "Mara"}', "--model", "scripted:down", "--json")
    done = tlm(desk, capsys, *line)
    assert (done.code, done.document["output"]) == (1, None) and done.document["error"] in done.err
    noted = tlm(desk, capsys, "feedback", done.document["execution"], "--reject", "--by", "ana", "--json")
    assert noted.document["execution"] == done.document["execution"]


def test_control_characters_of_an_output_reach_a_file_but_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\u2067\u05e9\u05dc\u05d5\u05dd\u2069 \x07"
    made = TaskResult(output=text, execution=execution())
    for is_terminal, shown in ((False, text), (True, clean(text))):
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr(sys, "stdout", screen)
        print_one(made, as_json=False)
        assert screen.getvalue() == f"{shown}\n"


def test_a_model_a_prompt_and_a_condition_may_be_named(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("execute", "greeting", "--input", '{"who": "Mara"}', "--json", "--model", "scripted:down", "--fallback-model", "scripted:b")
    assert tlm(desk, capsys, *line).document["model"] == "scripted:b"
    assert tlm(desk, capsys, *line, "--condition", "deaf").document["prompt"] == "loud"
    assert tlm(desk, capsys, *line, "--prompt-id", "loud").document["prompt"] == "loud"


def test_a_model_that_the_embedded_one_stands_in_for_is_named(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    desk.extra["MODEL_PATH"] = "nowhere.gguf"
    done = tlm(desk, capsys, "execute", "greeting", "--input", '{"who": "Mara"}', "--model", "openai/gpt-5-mini")
    assert done.err.startswith("Model 'openai/gpt-5-mini' needs a key or a base URL: the embedded model answers in its place.\n")
    assert done.code == 2 and "nowhere.gguf" in done.err


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["greeting", "--input", "Mara"], 2, "Error: --input is 'Mara', expected a JSON object, @FILE or -"),
        (["greeting", "--input", "3"], 2, "Error: --input is 3, expected a JSON object, or several"),
        (["greeting", "--input", "@gone.json"], 2, "Error: --input is 'gone.json', expected a file that is there"),
        (["greeting", "--input", "@binary"], 2, "binary has byte 0x80 at 0, expected UTF-8 text"),
        (["greeting", "--input", "@half.json"], 2, "Error: --input is 'half.json', expected a JSON object, @FILE or -"),
        (["greeting", "--input", "@empty"], 2, "Error: empty is empty, expected a JSON object"),
        (["greeting", "--input", "{}", "--input", "{}"], 2, "Error: --input is given 2 times, expected once"),
        (["greeting", "--input", '{"who": "Ma'], 2, "expected a JSON object, @FILE or - (Unterminated string"),
        (["greeting", "--input", '{"name": 1}'], 2, "input of task greeting 1.0.0 does not fit"),
        (["greeting", "--input", '{"who": "Mara"}', "--temperature", "2"], 2, "option temperature is 2.0, expected less than or equal"),
        (
            ["greeting", "--input", '{"who": "Mara"}', "--prompt-id", "x"],
            2,
            "prompt of task greeting is 'x', expected one of standard, loud",
        ),
        (["greeting", "--input", '{"who": "Mara"}', "--model", "scripted:down"], 1, "scripted:down plays one that cannot be reached"),
        (["greeting", "--input", '{"who": "Mara"}', "--version", "2.0.0"], 3, "version of task greeting is '2.0.0'"),
        (["parting", "--input", "{}"], 3, "Error: task is 'parting', expected one of "),
    ],
)
def test_a_mistake_is_one_sentence(args: list[str], code: int, told: str, desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.folder / "binary").write_bytes(b"\x80abc")
    (desk.folder / "empty").write_text(" \n")
    Path(desk.folder / "half.json").write_text('{"who": "Ma')
    done = tlm(desk, capsys, "execute", *args)
    assert done.code == code and told in done.err and done.out == "" and len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--condition", "def"], "condition of task greeting is 'def', expected one of deaf"),
        (["--max-tokens", "999999999"], "--max-tokens is '999999999', expected a whole number from 1 to 200000"),
        (["--model", "embedded"], "MODEL_PATH is '/nowhere/model.gguf', expected a GGUF file that is there"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_asked(
    args: list[str], told: str, desk: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.extra["MODEL_PATH"] = "/nowhere/model.gguf"
    done = tlm(desk, capsys, "execute", "greeting", "--input", '{"who": "Mara"}', *args)
    assert (done.code, done.out, done.err) == (2, "", f"Error: {told}\n")
