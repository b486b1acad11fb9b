"""`tlm analyze`, `feedback`, `update-rankings`, `export` and `import` over one log."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gather_pipeline.bootstrap import build_services
from gather_pipeline.domain.executions import Usage
from gather_pipeline.tasks.execution import Call, Execution
from gather_pipeline_tests.cli.commands import Shell
from gather_pipeline_tests.cli.test_tlm import tlm
from gather_pipeline_tests.harness import make_settings
from gather_pipeline_tests.tasks.builders import document
from gather_pipeline_tests.tasks.test_execution import execution

TASK = "greeting"


def fill(shell: Shell, *executions: Execution) -> None:
    services = build_services(make_settings(shell.folder / "home"))
    services.executions.add(*executions)
    services.close()


def made(number: int, model: str, *, good: bool, hours: float = 1.0, task_id: str = TASK) -> Execution:
    cost = 0.5 if model == "scripted" else None
    usage = Usage(prompt_tokens=10, completion_tokens=5, cost=cost)
    call = Call(model=model, answered_by=model, finish_reason="stop", usage=usage, latency_s=0.5, attempts=1, obtained="strict")
    at = datetime.now(UTC) - timedelta(hours=hours)
    return replace(
        execution(call),
        id=f"{number:032x}",
        task_id=task_id,
        model=model,
        prompt_id="standard",
        verified=good,
        timestamp=at.isoformat(timespec="microseconds"),
        output={"greeting": "Good evening."},
    )


@pytest.fixture
def log(shell: Shell) -> Shell:
    """Two models, the second of which is better, and an execution of last month."""
    own = shell.folder / "home" / "tasks"
    own.mkdir(parents=True)
    (own / "greeting.json").write_text(json.dumps(document()))
    runs = [made(number, "scripted", good=number % 3 == 0) for number in range(30)]
    runs += [made(100 + number, "scripted:b", good=True) for number in range(30)]
    fill(shell, *runs, made(999, "scripted", good=True, hours=24 * 30))
    return shell


def test_a_period_is_analyzed_by_model_prompt_and_version(log: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    fill(log, replace(made(998, "scripted", good=False), prompt_id=None, calls=(), status="failed"))  # an input that was refused
    shown = tlm(log, capsys, "analyze", TASK, "--period", "7d", "--json").document
    assert (shown["total"]["executions"], shown["total"]["verified"], shown["total"]["unknown_cost"]) == (60, 40, 30)
    assert {one["name"]: (one["executions"], one["cost"]) for one in shown["models"]} == {"scripted": (30, 15.0), "scripted:b": (30, 0.0)}
    assert [one["name"] for one in shown["prompts"] + shown["versions"]] == ["standard", "1.0.0"]
    assert shown["total"]["p50_s"] == 1.5 and sum(one["executions"] for one in shown["days"]) == 60
    assert [one["executions"] for one in shown["halves"]] == [0, 60]
    text = tlm(log, capsys, "analyze", TASK, "--period", "all")
    assert "model scripted:b" in text.out and "cost of 30 executions are unknown" in text.err
    assert tlm(log, capsys, "analyze", TASK, "--period", "1w").code == 0
    empty = tlm(log, capsys, "analyze", "judge_quality")
    assert (empty.code, empty.err.strip()) == (0, "No execution of judge_quality in this time")


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["analyze", "judge_quality", "--period", "7"], 2, "--period is '7', expected a number of hours, days or weeks"),
        (["analyze", "nowhere"], 3, "task is 'nowhere'"),
        (["feedback", "gone", "--accept"], 3, "execution is 'gone'"),
        (["import", "."], 2, "FOLDER is '.', expected one that tlm export wrote"),
        (["feedback", "gone"], 2, "feedback says nothing"),
        (["feedback", "gone", "--rating", "9"], 2, "rating is 9.0, expected a number from 1 to 5"),
        (["update-rankings", "nowhere"], 3, "task is 'nowhere'"),
    ],
)
def test_what_is_asked_wrongly_is_told_in_a_sentence(
    args: list[str], code: int, told: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    done = tlm(shell, capsys, *args)
    assert done.code == code and told in done.err


def test_rankings_are_explained_kept_and_decide_who_is_asked(log: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    dry = tlm(log, capsys, "update-rankings", "--dry-run", "--json").document
    [ranking] = dry["rankings"]
    assert [one["model"] for one in ranking["models"]] == ["scripted:b", "scripted"] and dry["dry_run"]
    assert ranking["reasons"][-1] == "scripted:b goes before scripted: it is better with a probability of 1.00"
    services = build_services(make_settings(log.folder / "home"))
    assert services.rankings.all() == []
    services.close()
    shown = tlm(log, capsys, "update-rankings", TASK).out
    assert f"{TASK}: changed; quality is by judged outputs\n  1. scripted:b: quality 0.9" in shown and "$0.500000" in shown
    assert f"{TASK}: unchanged" in tlm(log, capsys, "update-rankings").out
    given = '{"who": "Mara"}'
    asked = tlm(log, capsys, "execute", TASK, "--input", given, "--json").document
    assert asked["model"] == "scripted:b"
    assert tlm(log, capsys, "execute", TASK, "--input", given, "--model", "scripted", "--json").document["model"] == "scripted"


def test_feedback_is_noted_with_who_gave_it(log: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    id = f"{1:032x}"
    said = tlm(log, capsys, "feedback", id, "--reject", "--rating", "2", "--note", "Two are one.", "--by", "mara", "--json").document
    assert (said["accepted"], said["rating"], said["feedback"][0]["by"], said["feedback"][0]["note"]) == (
        False,
        2.0,
        "mara",
        "Two are one.",
    )
    assert tlm(log, capsys, "analyze", TASK, "--json").document["total"]["rejected"] == 1


def test_what_is_exported_comes_back_into_an_empty_home(log: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tlm(log, capsys, "update-rankings")
    tlm(log, capsys, "feedback", f"{1:032x}", "--accept", "--by", "mara")
    folder = tmp_path / "files"
    written = set(tlm(log, capsys, "export", str(folder), "--json").document["files"])
    assert {
        "config/model_rankings.json",
        "config/task_definitions/greeting.json",
        f"data/task_executions/{TASK}.json",
        f"data/model_feedback/{TASK}.json",
    } <= written
    [row] = json.loads((folder / f"data/model_feedback/{TASK}.json").read_text())
    assert (row["execution"], row["model"], row["accepted"]) == (f"{1:032x}", "scripted", True)

    before = build_services(make_settings(log.folder / "home"))
    before.executions.add(replace(made(500, "scripted", good=True), definition_hash=before.catalogue.get(TASK).hash))
    kept = before.executions.find(), before.rankings.all()
    before.close()
    tlm(log, capsys, "export", str(folder))
    (folder / "data" / "task_executions" / "._greeting.json").write_bytes(b"\0\5\x16\7")  # which macOS puts beside a file
    log.extra["GATHER_HOME"] = str(tmp_path / "other")
    mine = tmp_path / "other" / "tasks" / "greeting-1.0.0.json"
    mine.parent.mkdir(parents=True)
    mine.write_text(json.dumps(document(id="mine")))
    refused = tlm(log, capsys, "import", str(folder))
    assert refused.code == 2 and f"file of the task is {str(mine)!r}, expected one that is not there yet" in refused.err
    assert json.loads(mine.read_text())["id"] == "mine"
    untouched = build_services(make_settings(tmp_path / "other"))
    assert (untouched.executions.find(), untouched.rankings.all()) == ([], [])
    untouched.close()
    mine.unlink()
    twin = shutil.copy(folder / "config" / "task_definitions" / "greeting.json", folder / "config" / "task_definitions" / "twin.json")
    refused = tlm(log, capsys, "import", str(folder))
    assert refused.code == 2 and "task greeting has version 1.0.0 twice" in refused.err and not mine.exists()
    Path(twin).unlink()
    taken = tlm(log, capsys, "import", str(folder), "--json").document
    assert taken == {"rankings": 1, "executions": 62, "feedback": 0, "definitions": ["greeting 1.0.0"], "known": 0}
    after = build_services(make_settings(tmp_path / "other"))
    assert (after.executions.find(), after.rankings.all()) == kept
    assert after.executions.definition(after.executions.get(f"{500:032x}")) == after.catalogue.get(TASK)
    after.close()
    again = tlm(log, capsys, "import", str(folder), "--json").document
    assert again == {"rankings": 0, "executions": 0, "feedback": 0, "definitions": [], "known": 63}


def test_times_of_another_program_are_taken_as_utc_or_refused(log: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "data" / "task_executions" / "a.json"
    file.parent.mkdir(parents=True)
    row = made(700, "scripted", good=True).to_document()
    for moment, code in (("yesterday", 2), ("2026-01-01 10:00:00", 0)):
        file.write_text(json.dumps([row | {"timestamp": moment}]))
        assert tlm(log, capsys, "import", str(tmp_path)).code == code
    services = build_services(make_settings(log.folder / "home"))
    assert services.executions.get(f"{700:032x}").timestamp == "2026-01-01T10:00:00.000000+00:00"
    services.close()
    assert tlm(log, capsys, "analyze", TASK, "--period", "all").code == 0


def test_a_file_that_is_none_of_these_is_told_and_nothing_is_taken(
    shell: Shell, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "task_executions"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(json.dumps([made(1, "scripted", good=True).to_document()]))
    odd = tmp_path / "data" / "notes" / "n.json"
    odd.parent.mkdir()
    odd.write_text('[{"_id": "x"}]')
    done = tlm(shell, capsys, "import", str(tmp_path))
    assert done.code == 2 and "Error: data/notes/n.json is no file that tlm export writes, expected config/model_rankings.json" in done.err
    odd.unlink()
    (folder / "b.json").write_text('[{"_id": "x"}]')
    done = tlm(shell, capsys, "import", str(tmp_path))
    assert done.code == 2 and "Error: data/task_executions/b.json: entry 1: record x: performance is missing" in done.err
    services = build_services(make_settings(shell.folder / "home"))
    assert services.executions.find() == []
    services.close()
