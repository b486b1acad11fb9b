"""Runs that are stopped or meet faults: what they had is kept, and the next one goes on (S001-TEST-10 to 13)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gather_pipeline.errors import ModelRefused, ModelUnavailable
from gather_pipeline.gather.session import Session
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.played import PlayedModel

ONE = (department_row("story", 1),)


def test_the_brake_on_tokens_ends_the_run_by_rule_with_everything_saved(studio: Studio) -> None:
    result = studio.run(max_tokens=3000)
    assert result.status == "completed"
    assert {row.ended_by for row in result.summary} >= {"budget"}
    assert "max_tokens 3000" in result.summary[-1].reason
    assert "max_tokens 3000" in result.reason
    assert result.items_created == len(studio.view.items) > 0


def test_the_deadline_saves_before_it_ends(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, timeout_s=1.2, script_latency_s=0.3)
    result = studio.run()
    assert result.status == "completed"
    assert result.summary[-1].ended_by == "deadline"
    assert result.items_created == len(studio.view.items) > 0
    studio.close()


def test_a_cancel_saves_what_was_generated_and_the_next_run_goes_on(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, script_latency_s=0.3)  # a cancel is looked for twice a second
    runs = studio.services.runs
    studio.model.at[7] = lambda: runs.request_cancel("task-1") and None
    result = studio.run()
    assert result.status == "cancelled"
    assert studio.event_types()[-1] == "automation_cancelled"
    assert studio.records.events()[-1].fields["items_created_so_far"] == result.items_created > 0
    assert runs.get("task-1").status == "cancelled"
    saved = studio.state()
    assert len(saved) == result.items_created
    again = studio.run("task-2")
    assert again.status == "completed"
    assert saved.items() <= studio.state().items()
    studio.close()


def test_an_interrupt_in_the_middle_saves_announces_and_goes_on_up(studio: Studio) -> None:
    class Interrupt(BaseException):
        """As Dagster's: no Exception."""

    def interrupt() -> None:
        raise Interrupt

    studio.model.at[8] = interrupt
    with pytest.raises(Interrupt):
        studio.run()
    assert studio.event_types()[-1] == "automation_cancelled"
    assert len(studio.view.items) >= 5
    assert studio.services.leases.holder(PROJECT) is None


def test_an_interrupt_between_two_iterations_saves_what_was_begun_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=3)])
    looks: list[None] = []

    def interrupt(session: Session) -> None:
        looks.append(None)
        if len(looks) == 2:
            while studio.model.calls < 15:  # so all of the second iteration are answered
                time.sleep(0.02)
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "catch_up", interrupt)
    with pytest.raises(KeyboardInterrupt):
        studio.run()
    assert [(one.number, one.partial) for one in studio.view.iterations][:2] == [(1, False), (2, True)]
    assert len(studio.view.items) >= 10
    studio.close()


def test_a_run_that_only_some_calls_fail_survives_and_notes_the_faults(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ONE, body=PlayedModel(faults={2: ModelUnavailable("the server is gone"), 4: ModelRefused("no")}))
    result = studio.run()
    assert result.status == "completed"
    faults = [event for event in studio.records.events() if event.type == "model_fault"]
    assert {fault.fields["error"] for fault in faults} == {"the server is gone", "no"}
    assert studio.view.iterations[0].faults
    studio.close()


def test_a_department_whose_every_call_fails_fails_the_run_and_may_be_tried_again(tmp_path: Path) -> None:
    broken = Studio.open(tmp_path, body=PlayedModel(faults=dict.fromkeys(range(1, 6), ModelUnavailable("the server is gone"))))
    result = broken.run()
    assert result.status == "failed"
    assert "story: every one of 5 calls failed" in result.reason
    assert [row.ended_by for row in result.summary] == ["failed", "maxIterations", "maxIterations"]
    again = broken.run("task-2", departments=("story",))
    assert (again.status, again.iterations) == ("completed", 2)
    broken.close()


def test_a_run_without_one_usable_answer_is_no_success(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ONE, body=PlayedModel(["", "I would rather not.", '{"content": "half', '{"title": "x"}'] * 100))
    result = studio.run()
    assert (result.status, result.items_created) == ("failed", 0)
    assert "every one of 5 calls failed" in result.reason and "gave no usable answer in 3 calls" in result.reason
    studio.close()


def test_a_department_that_got_nothing_usable_is_worked_on_again_once_its_model_answers(tmp_path: Path) -> None:
    broken = Studio.open(tmp_path, ONE, body=PlayedModel(["I would rather not."] * 100))
    assert (broken.run().items_created, broken.run("task-2").items_created) == (0, 0)
    broken.close()
    healthy = Studio.open(tmp_path, ONE)
    result = healthy.run("task-3")
    assert (result.status, result.iterations) == ("completed", 2)
    assert result.items_created > 0
    assert healthy.run("task-4").summary[0].ended_by == "unchanged"
    healthy.close()
