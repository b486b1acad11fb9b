"""`tlm review`, in process: an output that waits, from its execution to its decision."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.reviews import Proposal
from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.cli.test_tlm import tlm
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.tasks.builders import PLAIN_TEXT, document

RUN = ("execute", "greeting", "--input", '{"who": "Mara"}', "--json")


@pytest.fixture
def desk(shell: Shell) -> Shell:
    """A shell with two tasks that a person verifies."""
    folder = shell.folder / "home" / "tasks"
    folder.mkdir(parents=True)
    for base in (document(), document(PLAIN_TEXT)):
        (folder / f"{base['id']}.json").write_text(json.dumps(base | {"verification": {"method": "human"}}))
    return shell


def waiting(desk: Shell, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    done = tlm(desk, capsys, *RUN)
    assert done.code == 0, done.err
    result: dict[str, Any] = done.document
    return result


def test_an_output_waits_is_listed_shown_decided_and_then_given(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert tlm(desk, capsys, "review", "list").err == "Nothing waits.\n"
    first = waiting(desk, capsys)
    id = first["waiting"]
    [row] = tlm(desk, capsys, "review", "list", "--json").document
    assert (row["review"], row["status"], row["kind"], row["sources"]) == (id, "open", "task_output", [first["execution"]])
    assert id in tlm(desk, capsys, "review", "list").out
    shown = tlm(desk, capsys, "review", "show", id)
    assert "Greet Mara in a kind way." in shown.out and "proposed" in shown.out
    assert tlm(desk, capsys, "review", "show", id, "--json").document["content"] == first["output"]
    decided = tlm(desk, capsys, "review", "decide", id, "accept", "--by", "Mara", "--note", "fine")
    assert decided.code == 0 and decided.err.startswith(f"{id} is accepted: Mara accepted it at ")
    again = waiting(desk, capsys)
    assert (again["output"], again["verified"], again["waiting"], again["calls"]) == (first["output"], True, None, 0)
    assert tlm(desk, capsys, "review", "list", "--status", "accepted", "--json").document[0]["review"] == id


def test_the_second_person_hears_who_decided(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    id = waiting(desk, capsys)["waiting"]
    tlm(desk, capsys, "review", "decide", id, "reject", "--by", "Mara", "--note", "too stiff")
    late = tlm(desk, capsys, "review", "decide", id, "accept", "--by", "Jon")
    assert late.code == 4 and "Mara rejected it at " in late.err and late.err.endswith(": too stiff\n")
    refused = tlm(desk, capsys, *RUN)
    assert tlm(desk, capsys, "feedback", refused.document["execution"], "--reject", "--by", "Jon").code == 0
    assert refused.code == 1 and "no check accepted the output" in refused.err and "too stiff" in refused.err


def test_a_changed_output_must_fit_and_is_what_the_task_gives_from_then_on(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    id = waiting(desk, capsys)["waiting"]
    line = ("review", "decide", id, "edit", "--by", "Mara", "--output")
    for given, told in (('{"greeting": 7}', "the changed output does not fit: greeting"), ("nope", "--output is 'nope', expected JSON")):
        wrong = tlm(desk, capsys, *line, given)
        assert wrong.code == 2 and told in wrong.err
    (desk.folder / "better.json").write_text('{"greeting": "Good evening."}', encoding="utf-8-sig")
    edited = tlm(desk, capsys, *line, "@better.json", "--json").document
    assert (edited["status"], edited["changed"]) == ("edited", {"greeting": "Good evening."})
    assert waiting(desk, capsys)["output"] == {"greeting": "Good evening."}
    assert "Changed to:" in tlm(desk, capsys, "review", "show", id).out


def test_a_text_is_changed_as_it_stands(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("execute", "line", "--input", '{"opening": "The sea"}')
    assert tlm(desk, capsys, *run).code == 0
    [row] = tlm(desk, capsys, "review", "list", "--json").document
    tlm(desk, capsys, "review", "decide", row["review"], "edit", "--by", "Mara", "--output", "The sea takes its time.")
    assert tlm(desk, capsys, *run).out == "The sea takes its time.\n"


def test_an_editor_opens_on_the_output(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    id = waiting(desk, capsys)["waiting"]
    desk.extra["EDITOR"] = 'sed -i \'s/"warmth": .*/"warmth": 3/\''
    edited = tlm(desk, capsys, "review", "decide", id, "edit", "--by", "Mara", "--json")
    assert edited.document["changed"]["warmth"] == 3
    desk.extra["EDITOR"] = "true"
    id = tlm(desk, capsys, *RUN[:2], "--input", '{"who": "Jon"}', "--json").document["waiting"]
    same = tlm(desk, capsys, "review", "decide", id, "edit", "--by", "Mara", "--json")
    assert (same.document["status"], same.err) == ("open", "The output is unchanged: nothing was decided.\n")


def test_an_editor_gets_the_output_with_its_marks_of_direction(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\u2067\u05e9\u05dc\u05d5\u05dd\u2069"
    proposal = Proposal(kind="note", title="a greeting", content=text, subject={}, schema={"type": "string"}, source="x")
    services = build_services(make_settings(desk.folder / "home"))
    id = services.reviews.propose(proposal).id
    services.close()
    desk.extra["EDITOR"] = "sed -i '1s/$/!/'"
    assert tlm(desk, capsys, "review", "decide", id, "edit", "--by", "Mara", "--json").document["changed"] == f"{text}!"
    assert "\u2067" not in tlm(desk, capsys, "review", "show", id).out


def test_a_review_is_reassigned_and_lapses(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    id = waiting(desk, capsys)["waiting"]
    assert tlm(desk, capsys, "review", "reassign", id, "Jon", "--by", "Mara", "--json").document["assignee"] == "Jon"
    assert tlm(desk, capsys, "review", "list", "--assignee", "Mara", "--json").document == []
    assert tlm(desk, capsys, "review", "expire", id, "--by", "Jon").err.startswith(f"{id} is expired: Jon expired it at ")
    assert tlm(desk, capsys, "review", "decide", id, "accept", "--by", "Jon").code == 4
    assert waiting(desk, capsys)["waiting"] == id


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("show", "r1"), 3, "review is 'r1', expected the id of a review (tlm review list)"),
        (("decide", "r1", "accept", "--by", ""), 2, "--by is ''"),
        (("decide", "r1", "perhaps"), 2, "'perhaps' is not one of 'accept', 'reject', 'edit'"),
        (("lst",), 2, "command is 'lst', expected list"),
    ],
)
def test_a_mistake_is_one_sentence(desk: Shell, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], code: int, told: str) -> None:
    done = tlm(desk, capsys, "review", *args)
    assert done.code == code and told in done.err and done.out == ""
