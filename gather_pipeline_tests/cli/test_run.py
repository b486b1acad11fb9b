"""`gather run`: its document, its exit codes, and all ways to end it."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.defs import launch
from gather_pipeline.defs.launch import open_instance
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.events import Event, Progress
from gather_pipeline.settings import Settings, load_settings
from gather_pipeline_tests.cli.commands import Outcome, Shell, entered, finish, wait_until
from gather_pipeline_tests.finished import Finished
from gather_pipeline_tests.harness import department_row

RUN = ["run", "--project", "salt", "--json"]
LONG = [department_row("story", 1, most=20), department_row("visual", 2, most=20)]


@pytest.fixture
def slow(tmp_path: Path) -> Shell:
    """A project whose every call takes half a second, so that a run can be met at work."""
    shell = Shell.make(tmp_path, LONG, GATHER_SCRIPT_LATENCY_S="0.5")
    shell.create()
    return shell


@dataclass(frozen=True)
class Ran:
    """A run that several tests look at."""

    shell: Shell
    done: Outcome


@pytest.fixture(scope="module")
def braked(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Stopped by its brake on tokens, as a person sees it."""
    shell = Shell.make(tmp_path_factory.mktemp("braked"), LONG)
    shell.create()
    return Ran(shell, shell.quietly("run", "--project", "salt", "--max-tokens", "1", "--no-evaluation"))


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Two of three departments, with log lines."""
    shell = Shell.make(tmp_path_factory.mktemp("chosen"))
    shell.create()
    done = shell.quietly("--verbose", *RUN, "--department", "sound", "--department", "visual")
    assert done.code == 0, done.err
    return Ran(shell, done)


def first_iteration(shell: Shell) -> str:
    """Waits until a run has committed something; its task id."""
    done = wait_until(lambda: [event for event in shell.events() if event["type"] == "iteration_complete"])
    return str(done[-1]["task_id"])


def shown_by_dagster(shell: Shell, task_id: str) -> str:
    """Status of a run in the Dagster instance."""
    with entered(shell.folder, shell.environment), open_instance(load_settings()) as instance:
        run = instance.get_run_by_id(task_id)
    assert run is not None
    return run.status.value


def test_a_run_prints_one_document_with_the_output_of_the_task(finished: Finished) -> None:
    document = finished.document
    assert list(document) == [
        *("task_id", "project_id", "status", "iterations", "departments_processed", "items_created", "processing_time_ms"),
        *("summary", "reason", "tokens", "cost"),
    ]
    assert (document["project_id"], document["status"], document["departments_processed"]) == ("salt", "completed", 3)
    assert [row["department"] for row in document["summary"]] == ["story", "visual", "sound"]
    assert sum(row["items_created"] for row in document["summary"]) == document["items_created"] > 0
    assert {"department", "name", "quality_score", "iterations", "items_created"} <= set(document["summary"][0])
    assert document["summary"][0]["ended_by"] == "threshold"


def test_what_a_run_says_meanwhile_stands_on_standard_error(finished: Finished) -> None:
    lines = finished.err.splitlines()
    assert lines[0] == "Model: scripted, which makes notes up for tests and demonstrations."
    assert any(line.startswith("story: iteration 1, quality ") for line in lines)
    assert not any("Traceback" in line or "dagster" in line.lower() for line in lines)


def test_a_finished_project_is_left_alone(copied: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    before = copied.items()
    again = copied.here(capsys, *RUN)
    assert again.code == 0, again.err
    assert (again.document["iterations"], again.document["items_created"], again.document["tokens"]) == (0, 0, 0)
    assert {row["ended_by"] for row in again.document["summary"]} == {"unchanged"}
    assert copied.items() == before


def test_the_brake_on_tokens_ends_a_run_with_its_reason_and_its_work(braked: Ran, capsys: pytest.CaptureFixture[str]) -> None:
    status = braked.shell.here(capsys, "status", str(braked.shell.events()[-1]["task_id"]), "--json").document
    assert (braked.done.code, status["status"]) == (0, "completed"), braked.done.err
    assert {row["ended_by"] for row in status["summary"]} == {"budget"}
    assert "max_tokens 1" in status["summary"][0]["reason"]
    assert len(braked.shell.items()) == status["items_created"] > 0


def test_a_person_gets_a_table_the_reasons_and_what_to_do_next(braked: Ran) -> None:
    assert re.search(
        r"^ story +\d+\.\d/99 +1 +\d+ +quality \d+\.\d \(unjudged\) of threshold 99: .* of max_tokens 1", braked.done.out, re.MULTILINE
    )
    assert "Completed: " in braked.done.out
    assert "gather items --project salt" in braked.done.out


def test_without_evaluation_no_department_is_evaluated(braked: Ran) -> None:
    assert not [event for event in braked.shell.events() if event["type"] == "evaluation_triggered"]


def test_only_the_departments_asked_for_run_in_their_order(chosen: Ran) -> None:
    assert [row["department"] for row in chosen.done.document["summary"]] == ["visual", "sound"]
    assert {event.get("department") for event in chosen.shell.events()} == {"visual", "sound", None}


def test_verbose_shows_log_lines_on_standard_error_alone(chosen: Ran) -> None:
    assert chosen.done.document["status"] == "completed"
    assert "Started dept Visual Department" in chosen.done.err


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (["run", "--project", "pepper"], 3, "project id is 'pepper', expected one of salt"),
        (["run", "--project", "salt", "--department", "noise"], 3, "department is 'noise', expected one of story, visual, sound"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_begins(
    args: list[str], code: int, told: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.create()
    done = shell.here(capsys, *args)
    assert (done.code, done.out, done.err) == (code, "", f"Error: {told}\n")
    assert not (shell.folder / "home" / "dagster").exists()


def test_no_department_to_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell.make(tmp_path, [department_row("story", 1, gatherCheck=False)])
    shell.create()
    done = shell.here(capsys, *RUN)
    assert (done.code, done.out) == (2, "")
    assert "gatherCheck" in done.err


def test_missing_weights_are_named_with_what_to_type(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    shell.extra |= {"GATHER_MODEL": "embedded", "GATHER_MODELS_DIR": str(shell.folder / "models")}
    done = shell.here(capsys, *RUN)
    assert (done.code, done.out) == (6, "")
    assert "small local model: its notes are sparks" in done.err
    assert done.err.splitlines()[-1].endswith("type: gather setup")


def test_weights_that_a_user_names_must_be_there(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.create()
    shell.extra |= {"GATHER_MODEL": "embedded", "MODEL_PATH": "nowhere.gguf"}
    done = shell.here(capsys, *RUN)
    assert (done.code, done.out) == (2, "")
    assert "MODEL_PATH is " in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("number", "ignoring"),
    [(signal.SIGTERM, False), (signal.SIGHUP, False), (signal.SIGINT, True)],
    ids=["SIGTERM", "the terminal's end", "SIGINT in the background of a script"],
)
def test_a_signal_ends_a_run_with_its_work_saved(
    slow: Shell, number: signal.Signals, ignoring: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with slow.forked(*RUN, ignoring_sigint=ignoring) as process:
        task_id = first_iteration(slow)
        process.send(number)
        done = process.finish()
    assert done.code == 130, done.err
    assert (done.document["status"], done.document["task_id"]) == ("cancelled", task_id)
    assert len(slow.items()) == done.document["items_created"] > 0
    assert slow.events()[-1]["type"] == "automation_cancelled"
    status = slow.here(capsys, "status", task_id, "--json").document
    assert (status["status"], status["process"]) == ("cancelled", "ended")
    assert shown_by_dagster(slow, task_id) == "CANCELED"


def test_a_signal_before_the_run_began_prints_a_document_too(slow: Shell) -> None:
    with slow.started(*RUN) as process:
        wait_until(
            lambda: (slow.folder / "home" / "logs").exists() or process.poll() is not None or _takes_signals(process.pid), seconds=20
        )
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert done.code == 130, done.err
    assert done.document["status"] == "cancelled"
    assert "Traceback" not in done.err


def _takes_signals(pid: int) -> bool:
    """True once the process has set a handler for SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught & (1 << (signal.SIGTERM - 1)))


def test_a_signal_that_insists_says_that_what_was_committed_is_kept(
    shell: Shell, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(settings: Settings, request: AutomationRequest, *, progress: Progress, **others: Any) -> None:
        progress(Event(type="deduplicating", fields={"department": "story"}, project_id="salt", task_id="t1"))
        raise KeyboardInterrupt

    shell.create()
    monkeypatch.setattr(launch, "run_in_process", interrupted)
    done = shell.here(capsys, *RUN)
    assert (done.code, done.document["task_id"]) == (130, "t1")
    assert done.document["reason"] == "stopped at once; what was committed before is kept"


def test_cancel_ends_a_run_from_another_terminal(slow: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    with slow.forked(*RUN) as process:
        task_id = first_iteration(slow)
        asked = slow.here(capsys, "cancel", task_id)
        assert (asked.code, asked.out) == (0, f"Task {task_id} is asked to end and saves its work.\n")
        done = process.finish()
    assert (done.code, done.document["status"], done.document["reason"]) == (130, "cancelled", "cancelled on request")
    assert shown_by_dagster(slow, task_id) == "CANCELED"
    late = slow.here(capsys, "cancel", task_id)
    assert (late.code, late.out) == (0, f"Task {task_id} is at work no more: cancelled, cancelled on request.\n")


def test_a_second_run_of_a_project_is_refused_while_the_first_goes_on(slow: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    with slow.forked(*RUN) as process:
        task_id = first_iteration(slow)
        status = slow.here(capsys, "status", task_id, "--json").document
        assert (status["status"], status["process"]) == ("running", "alive")
        assert status["items_created"] > 0
        second = slow.here(capsys, *RUN)
        assert (second.code, second.out) == (4, "")
        assert f"gather cancel {task_id}" in second.err
        assert process.process.is_alive()


def test_a_killed_run_is_told_of_honestly_and_gone_on_from(slow: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    with slow.forked(*RUN) as process:
        task_id = first_iteration(slow)
        process.send(signal.SIGKILL)
        assert process.finish().code == -signal.SIGKILL
    status = slow.here(capsys, "status", task_id, "--json").document
    assert (status["status"], status["process"]) == ("failed", "ended")
    assert "its process ended without a word" in status["reason"]
    assert shown_by_dagster(slow, task_id) == "FAILURE"
    kept = slow.items()
    slow.extra["GATHER_SCRIPT_LATENCY_S"] = "0"
    done = slow.here(capsys, *RUN, "--max-iterations", "2")
    assert done.code == 0, done.err
    assert set(kept) < set(slow.items())
    assert slow.here(capsys, "status", task_id, "--json").document["status"] == "failed"


@pytest.mark.parametrize("kilobytes", [60, 300], ids=["Dagster has no room", "the store has no room"])
def test_a_full_disk_is_one_sentence_and_what_was_committed_stays(
    kilobytes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell.make(tmp_path, LONG)
    shell.create()
    with shell.forked(*RUN, largest_file=kilobytes * 1024) as process:
        done = process.finish()
    assert (done.code, done.out) == (5, "")
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("Error: ")
    kept = shell.items()
    again = shell.here(capsys, *RUN, "--max-iterations", "1", "--department", "visual")
    assert again.code == 0, again.err
    assert set(kept) < set(shell.items())
