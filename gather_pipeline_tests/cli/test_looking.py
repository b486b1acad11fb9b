"""Commands that look at a project that has run."""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from gather_pipeline.adapters.clock import SystemClock
from gather_pipeline.adapters.documents.sqlite.store import SqliteStore
from gather_pipeline.bootstrap import STORE_FOLDER, build_services
from gather_pipeline.cli.tlm import tlm
from gather_pipeline.defs.launch import open_instance
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.events import FIELDS
from gather_pipeline.domain.reviews import Proposal
from gather_pipeline.records.review import Reviews
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep.suggesting import CONTENT, KIND
from gather_pipeline_tests.cli.commands import Shell, finish
from gather_pipeline_tests.finished import Finished

Capture = pytest.CaptureFixture[str]


def test_items_are_a_bare_array_with_their_provenance(finished: Finished, capsys: Capture) -> None:
    items = finished.shell.here(capsys, "items", "--project", "salt", "--json").document
    assert len(items) == finished.document["items_created"]
    assert {item["task_id"] for item in items} == {finished.task_id}
    assert list(dict.fromkeys(item["department"] for item in items)) == ["story", "visual", "sound"]
    for item in items:
        assert {"id", "content", "summary", "context", "department", "iteration", "task_id", "aspect", "created_at"} <= set(item)
        assert (item["generated_by"], item["user_id"], item["automation"]["task"]) == ("scripted", "ada", "gather_item")
        assert item["content"].strip()


def test_items_of_one_department_for_a_person(finished: Finished, capsys: Capture) -> None:
    rows = finished.shell.here(capsys, "items", "--project", "salt", "--department", "sound", "--json").document
    assert {row["department"] for row in rows} == {"sound"}
    shown = finished.shell.here(capsys, "items", "--project", "salt", "--department", "sound")
    assert all(" ".join(row["content"].split()) in shown.out and row["id"] in shown.out for row in rows)
    assert shown.err == f"{len(rows)} kept\n"


@pytest.mark.parametrize("options", [[], ["--department", "visual"], ["--dropped"]], ids=["all", "of a department", "dropped"])
def test_pages_put_together_are_the_whole(finished: Finished, capsys: Capture, options: list[str]) -> None:
    command = ["items", "--project", "salt", *options, "--json"]
    key = "item_id" if "--dropped" in options else "id"
    whole = [row[key] for row in finished.shell.here(capsys, *command).document]
    size, pages, page = max(1, len(whole) // 3), list[list[str]](), list[str]()
    while not pages or page:
        after = ["--after", page[-1]] if page else []
        page = [row[key] for row in finished.shell.here(capsys, *command, "--limit", str(size), *after).document]
        assert len(page) <= size
        pages.append(page)
    assert len(pages) > 1
    assert [id for page in pages for id in page] == whole


def test_a_page_that_is_not_the_last_says_how_to_go_on(finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, "items", "--project", "salt", "--limit", "2")
    second = finished.shell.here(capsys, "items", "--project", "salt", "--json").document[1]["id"]
    assert done.err == f"2 shown, and there are more; to go on, type the same with --after {second}\n"
    wrong = finished.shell.here(capsys, "items", "--project", "salt", "--after", "nobody")
    assert (wrong.code, wrong.out) == (3, "")
    assert "after is 'nobody', expected the id of an item of the project" in wrong.err


def test_a_department_that_is_not_there_is_named(finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, "items", "--project", "salt", "--department", "noise")
    assert (done.code, done.out, done.err) == (3, "", "Error: department is 'noise', expected one of story, visual, sound\n")


def test_each_drop_has_its_match_similarity_and_rule(finished: Finished, capsys: Capture) -> None:
    drops = finished.shell.here(capsys, "items", "--project", "salt", "--dropped", "--json").document
    assert len(drops) == sum(row["dropped"] for row in _counts(finished, capsys))
    assert drops, "the scripted model repeats itself now and then"
    kept = {item["id"]: item["content"] for item in finished.shell.here(capsys, "items", "--project", "salt", "--json").document}
    for drop in drops:
        assert drop["content"] and drop["rule"] and drop["department"] and drop["iteration"] >= 1
        assert 0 <= drop["similarity"] <= 1
        assert drop["match_id"] is None or kept.get(drop["match_id"], drop["match_content"]) == drop["match_content"]
    shown = finished.shell.here(capsys, "items", "--project", "salt", "--dropped").out
    assert shown.count("dropped by rule") == len(drops)


def _counts(finished: Finished, capsys: Capture) -> list[dict[str, int]]:
    query = "SELECT department, sum(duplicates_dropped + filtered_dropped)::INT AS dropped FROM iteration GROUP BY ALL"
    return list(finished.shell.here(capsys, "sql", query, "--json").document)


def test_a_project_without_items_says_what_to_type(shell: Shell, capsys: Capture) -> None:
    shell.create()
    assert shell.here(capsys, "items", "--project", "salt", "--json").document == []
    done = shell.here(capsys, "items", "--project", "salt")
    assert (done.code, done.out) == (0, "")
    assert "gather run --project salt" in done.err
    assert shell.here(capsys, "events", "--project", "salt").err == "There are no events yet.\n"


@pytest.mark.parametrize("command", ["items", "events", "report"])
def test_an_unknown_project_is_named(command: str, finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, command, "--project", "pepper")
    assert (done.code, done.out, done.err) == (3, "", "Error: project id is 'pepper', expected one of salt\n")


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_an_unknown_task_is_named(command: str, finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, command, "0f8c")
    told = "Error: task id is '0f8c', expected one that POST /api/tasks/execute, gather run or tlm execute gave\n"
    assert (done.code, done.out, done.err) == (3, "", told)


def test_events_are_numbered_and_hold_the_fields_of_their_types(finished: Finished, capsys: Capture) -> None:
    events = finished.shell.here(capsys, "events", "--project", "salt", "--json").document
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    first = [event for event in events if event["task_id"] == finished.task_id]
    assert (first[0]["type"], first[-1]["type"]) == ("department_started", "automation_complete")
    for event in events:
        assert set(FIELDS[event["type"]]) <= set(event)
    later = finished.shell.here(capsys, "events", "--project", "salt", "--after", str(events[-2]["sequence"]), "--json").document
    assert later == events[-1:]
    shown = finished.shell.here(capsys, "events", "--project", "salt").out.splitlines()
    assert len(shown) == len(events)
    assert "story: iteration 1, quality " in "\n".join(shown)


def test_following_prints_one_object_a_line_until_interrupted(finished: Finished) -> None:
    with finished.shell.started("events", "--project", "salt", "--follow") as process:
        lines = _lines(process.stdout)
        events = [json.loads(next(lines)) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        done = finish(process)
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert done.code == 130
    assert "Traceback" not in done.err


def _lines(stream: object) -> Iterator[str]:
    assert stream is not None
    return iter(stream)  # type: ignore[call-overload, no-any-return]


def test_following_ends_when_nobody_reads_any_more(finished: Finished) -> None:
    with finished.shell.started("events", "--project", "salt", "--follow") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["sequence"] == 1
        process.stdout.close()
        process.stdout = None
        timer = threading.Timer(60, process.kill)
        timer.start()
        code = process.wait()
        timer.cancel()
    assert code == 141


def test_status_is_an_object_with_the_output_of_the_run(finished: Finished, capsys: Capture) -> None:
    status = finished.shell.here(capsys, "status", finished.task_id, "--json").document
    assert (status["status"], status["process"], status["cancel_requested"]) == ("completed", "ended", False)
    for name in ("task_id", "project_id", "iterations", "items_created", "departments_processed", "summary", "tokens", "cost"):
        assert status[name] == finished.document[name]
    assert status["request"]["user_id"] == "ada"
    shown = finished.shell.here(capsys, "status", finished.task_id).out
    assert "completed" in shown
    assert "story" in shown


def test_a_report_is_an_object_and_tables(finished: Finished, capsys: Capture) -> None:
    report = finished.shell.here(capsys, "report", "--project", "salt", "--json").document
    assert report["project_id"] == "salt"
    kept = {row["department"]: row["kept"] for row in report["departments"]}
    assert kept == {row["department"]: row["items_created"] for row in finished.document["summary"]}
    shown = finished.shell.here(capsys, "report", "--project", "salt").out
    for title in ("Departments", "Quality by iteration", "Items kept and dropped", "Tokens and seconds", "Runs"):
        assert title in shown


def test_a_report_is_written_as_a_page(finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, "report", "--project", "salt", "--html", "report.html")
    assert (done.code, done.out, done.err) == (0, "", "Written: report.html\n")
    page = (finished.shell.folder / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") or page.startswith("<!doctype html>")
    assert "Story Department" in page
    assert not list(finished.shell.folder.glob(".report-*"))


def test_a_page_that_cannot_be_written_is_refused(finished: Finished, capsys: Capture) -> None:
    for path in ("nowhere/report.html", "."):
        done = finished.shell.here(capsys, "report", "--project", "salt", "--html", path)
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
        assert f"--html is {path!r}" in done.err
    assert not list(finished.shell.folder.glob(".report-*"))


def test_a_project_that_never_ran_has_no_figures(shell: Shell, capsys: Capture) -> None:
    shell.create()
    done = shell.here(capsys, "report", "--project", "salt")
    assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 1)
    assert "no run has been measured yet" in done.err


def test_dagster_is_told_of_the_measurements_that_a_command_takes_in(copied: Shell, capsys: Capture) -> None:
    settings = load_settings(_env_file=None, home=copied.folder / "home")
    with closing(build_services(settings)) as services:
        services.runs.start("elsewhere", AutomationRequest(project_id="elsewhere"))
    assert copied.here(capsys, "sql", "SELECT 1").code == 0
    with open_instance(settings) as instance:
        (record,) = instance.fetch_materializations(dg.AssetKey("metrics"), limit=1).records
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["rows ingested"].value == 1


def test_a_question_is_answered_though_dagster_cannot_be_told_of_new_measurements(copied: Shell, capsys: Capture) -> None:
    settings = load_settings(_env_file=None, home=copied.folder / "home")
    with closing(build_services(settings)) as services:
        services.runs.start("elsewhere", AutomationRequest(project_id="elsewhere"))
    (settings.dagster_home / "opening.lock").unlink()
    (settings.dagster_home / "opening.lock").mkdir()
    done = copied.here(capsys, "sql", "SELECT 1 AS one", "--json")
    assert (done.code, done.document) == (0, [{"one": 1}])
    assert done.err.startswith("Dagster is not told of the new measurements: the Dagster ")


@pytest.fixture
def database(finished: Finished, capsys: Capture) -> Iterator[Path]:
    """The metrics database, for tests that spoil it; made anew at their end."""
    database = finished.shell.folder / "home" / "metrics" / "metrics.duckdb"
    yield database
    database.unlink(missing_ok=True)
    assert finished.shell.here(capsys, "sql", "SELECT 1").code == 0


@pytest.mark.parametrize("command", [("sql", "FROM run"), ("report", "--project", "salt")], ids=["sql", "report"])
def test_a_damaged_metrics_database_is_one_sentence_with_what_to_do(
    finished: Finished, database: Path, capsys: Capture, command: tuple[str, ...]
) -> None:
    database.write_bytes(b"\xff" * 20_000)
    done = finished.shell.here(capsys, *command)
    assert (done.code, done.out, len(done.err.splitlines())) == (5, "", 1)
    assert str(database) in done.err
    assert "move it away: the next command that reads it makes it anew from the store" in done.err


def test_a_deleted_metrics_database_is_made_anew_and_that_is_said_in_one_line(finished: Finished, database: Path, capsys: Capture) -> None:
    query = ("sql", "SELECT (SELECT count(*) FROM call), (SELECT count(*) FROM event), (SELECT sum(tokens) FROM iteration)", "--json")
    before = finished.shell.here(capsys, *query).document
    database.unlink()
    done = finished.shell.here(capsys, *query)
    assert done.document == before
    assert len(done.err.splitlines()) == 1
    assert f"{database} is made anew from the store" in done.err


def test_sql_answers_with_rows(finished: Finished, capsys: Capture) -> None:
    query = "SELECT department, iteration, quality FROM quality_progression ORDER BY ALL"
    rows = finished.shell.here(capsys, "sql", query, "--json").document
    assert {row["department"] for row in rows} == {"story", "visual", "sound"}
    assert "quality" in finished.shell.here(capsys, "sql", query).out


@pytest.mark.parametrize(
    "query", ["DROP TABLE run", "SELECT * FROM nowhere", "SELEC 1", "", "SELECT 1; SELECT 2", "INSERT INTO run VALUES (1)"]
)
def test_sql_that_is_wrong_or_writes_is_refused_in_a_sentence(query: str, finished: Finished, capsys: Capture) -> None:
    done = finished.shell.here(capsys, "sql", query)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert repr(query) in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds a process's memory")
def test_sql_that_makes_texts_without_end_is_refused_with_the_limit_and_the_next_question_is_answered(
    finished: Finished, capsys: Capture
) -> None:
    limit = resource.getrlimit(resource.RLIMIT_AS)
    done = finished.shell.here(capsys, "sql", "SELECT repeat('x', 1000000) FROM range(2000)")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert "takes more than 150 MB" in done.err
    assert resource.getrlimit(resource.RLIMIT_AS) == limit
    assert finished.shell.here(capsys, "sql", "SELECT 1").code == 0


def test_why_leads_from_an_item_to_its_prompt_and_a_dry_run_begins_nothing(finished: Finished, capsys: Capture) -> None:
    item = finished.shell.here(capsys, "items", "--project", "salt", "--json").document[0]
    row = finished.shell.here(capsys, "why", item["id"], "--json").document
    assert row["prompt_rebuilt"] is True and row["ledger"]["elements"] and row["cost"] == 0
    told = finished.shell.here(capsys, "why", item["id"]).out
    assert "Prompt, byte for byte:" in told and row["execution"] in told
    events = finished.shell.events()
    forecast = finished.shell.here(capsys, "run", "--project", "salt", "--dry-run", "--json").document
    assert forecast["calls"] == {"low": 0, "expected": 0, "high": 0}
    assert finished.shell.events() == events
    again = finished.shell.here(capsys, "forecast", "--project", "salt", "--json", command=tlm).document
    assert again == forecast
    assert "tokens" in finished.shell.here(capsys, "forecast", "gather_item", command=tlm).out
    assert finished.shell.here(capsys, "forecast", command=tlm).code == 2


def test_replays_stand_beside_their_originals(copied: Shell, capsys: Capture) -> None:
    args = ("replay", "--task", "gather_item", "--project", "salt", "--department", "story", "--limit", "2")
    rows = copied.here(capsys, *args, "--model", "scripted:dissent", "--json", command=tlm).document
    assert len(rows) == 2
    assert all(row["replay"]["model"] == "scripted:dissent" and row["original"]["model"] == "scripted" for row in rows)
    assert all(0 <= row["similarity"] < 1 and row["replay"]["cost"] == 0 for row in rows)
    again = copied.here(capsys, "replay", rows[0]["original"]["execution"], command=tlm)
    assert "1 replayed, similarity 1.00" in again.err and rows[0]["original"]["execution"] in again.out
    down = copied.here(capsys, "replay", rows[0]["original"]["execution"], "--model", "scripted:down", command=tlm)
    assert f"{rows[0]['original']['execution']} gave no output again: ModelUnreachable: the model scripted:down" in down.err
    assert copied.here(capsys, "replay", command=tlm).code == 2
    assert copied.here(capsys, "replay", "0" * 32, command=tlm).code == 3


def test_what_goes_wrong_is_shown_and_an_accepted_suggestion_becomes_a_file(copied: Shell, capsys: Capture) -> None:
    shown = copied.here(capsys, "suggest", "gather_item", "--dry-run", "--json", command=tlm).document
    assert shown["review"] is None and "executions of the last 30 days" in shown["told"]
    assert "Nothing goes wrong often enough" in copied.here(capsys, "suggest", "judge_quality", command=tlm).err
    with closing(SqliteStore(copied.folder / "home" / STORE_FOLDER)) as store:
        content: dict[str, Any] = {"system": "", "text": "{{ first }} or {{ second }}?"}
        subject = {"task": "judge_duplicate", "version": "1.0.0", "prompt": "standard"}
        proposal = Proposal(kind=KIND, title="a prompt", content=content, subject=subject, schema=CONTENT, source="x")  # type: ignore[arg-type]
        review = Reviews(store, "gather_pipeline", SystemClock()).propose(proposal)
    wrong = json.dumps({"system": "", "text": "{{ nothing }}"})
    assert copied.here(capsys, "review", "decide", review.id, "edit", "--output", wrong, "--by", "ana", command=tlm).code == 2
    done = copied.here(capsys, "review", "decide", review.id, "accept", "--by", "ana", command=tlm)
    path = copied.folder / "home" / "tasks" / "judge_duplicate-1.1.0.json"
    assert done.code == 0 and f"Written: {path}" in done.err
    assert json.loads(path.read_text())["prompts"][0]["text"] == content["text"]
    assert copied.here(capsys, "show", "judge_duplicate", "--json", command=tlm).document["version"] == "1.1.0"
