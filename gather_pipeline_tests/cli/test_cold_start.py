"""A task without a history gets one: `tlm bootstrap`, and `tlm feedback --task` (S004-LRN-09, 10)."""

from __future__ import annotations

import io
import json

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.cli.test_tlm import tlm
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.tasks.builders import document


@pytest.fixture
def desk(shell: Shell) -> Shell:
    folder = shell.folder / "home" / "tasks"
    folder.mkdir(parents=True)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"name": {"type": "string"}}}
    asked = document(
        input__schema__properties__who={"$ref": "#/$defs/name"}, **{f"input__schema__{key}": part for key, part in schema.items()}
    )
    (folder / "greeting.json").write_text(json.dumps(asked))
    return shell


def test_models_are_tried_on_examples_given_and_made_up_inputs_and_ranked(desk: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    line = ("bootstrap", "greeting", "--model", "scripted", "--model", "scripted:b", "--synthetic", "3", "--review", "--json")
    made = tlm(desk, capsys, *line, "--input", '{"who": "Jonas"}').document
    given = {row["input"]["who"] for row in made["trials"]}
    assert {"Mara", "Jonas"} < given and len(given) > 2
    assert {row["model"] for row in made["trials"]} == {"scripted", "scripted:b"} and len(made["trials"]) == 2 * len(given)
    assert all(row["error"] is None and row["review"] for row in made["trials"])
    [ranking] = made["rankings"]
    assert {one["model"] for one in ranking["models"]} == {"scripted", "scripted:b"}
    review = made["trials"][0]["review"]
    assert tlm(desk, capsys, "review", "decide", review, "accept", "--by", "mara").code == 0
    services = build_services(make_settings(desk.folder / "home"))
    assert services.executions.get(made["trials"][0]["execution"]).accepted
    assert len(services.executions.find(task="suggest_inputs")) == 1
    services.close()


def test_a_model_that_is_down_is_told_in_its_row_and_made_up_inputs_need_a_larger_model(
    desk: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("bootstrap", "greeting", "--model", "scripted:down")
    alone = tlm(desk, capsys, *line)
    assert alone.code == 1 and "none of 1 trials gave an output, the last one because: the model scripted:down" in alone.err
    both = tlm(desk, capsys, *line, "--model", "scripted", "--review", "--json")
    down, well = both.document["trials"]
    assert (
        both.code == 0
        and down["error"].startswith("it gave no output, scripted did: ModelUnreachable: the model scripted:down")
        and well["error"] is None
        and down["review"] == well["review"] is not None
    )
    small = tlm(desk, capsys, "bootstrap", "greeting", "--model", "embedded", "--synthetic", "2")
    assert small.code == 2 and "--model is 'embedded', expected a larger one first" in small.err
    wrong = tlm(desk, capsys, "bootstrap", "greeting", "--model", "scripted", "--input", '[{"who": "Ada"}, 7]')
    assert wrong.code == 2 and "entry 2 of --input is 7, expected a JSON object" in wrong.err


def test_a_person_judges_one_output_after_the_other(
    desk: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tlm(desk, capsys, "bootstrap", "greeting", "--model", "scripted", "--input", '[{"who": "Ada"}, {"who": "Bo"}, {"who": "Cy"}]')
    monkeypatch.setattr("sys.stdin", io.StringIO("a\ns\nr\n"))
    done = tlm(desk, capsys, "feedback", "--task", "greeting", "--by", "mara")
    assert done.code == 0 and done.err.count("Output: {") == 4 and done.err.endswith("2 judged\n")
    services = build_services(make_settings(desk.folder / "home"))
    assert sorted(str(one.accepted) for one in services.executions.find(task="greeting")) == ["False", "None", "None", "True"]
    services.close()
    assert tlm(desk, capsys, "feedback", "--task", "greeting", "x").err.startswith(
        "Error: expected either the id of an execution or --task"
    )
