"""The automated gather creation end to end, on small real services (S001-TEST-01, 10 to 13, 15)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.domain.projects import project_database
from gather_pipeline.errors import InvalidInput, ProjectBusy, UnknownEntity
from gather_pipeline.gather.automate import run_automation
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline_tests.harness import PROJECT, Studio, department_row
from gather_pipeline_tests.played import PlayedModel

ONE = (department_row("story", 1),)


def test_every_department_ends_by_rule_and_the_output_counts_this_run(studio: Studio) -> None:
    result = studio.run(user_id="user-123")
    assert (result.status, result.departments_processed, result.iterations) == ("completed", 3, 6)
    assert [row.department for row in result.summary] == ["story", "visual", "music"]
    assert {row.ended_by for row in result.summary} == {"maxIterations"}
    assert result.items_created == sum(row.items_created for row in result.summary) == len(studio.view.items) > 15
    assert all(item.user_id == "user-123" and item.task_id == "task-1" for item in studio.view.items)
    assert result.tokens is not None
    assert result.tokens > 0
    assert result.cost == 0


def test_a_run_begins_with_department_started_and_ends_with_automation_complete(studio: Studio) -> None:
    studio.run()
    types = studio.event_types()
    assert types[0] == "department_started"
    assert types[-1] == "automation_complete"
    assert types.count("iteration_complete") == 6
    assert types.count("deduplicating") == 6
    assert types.count("max_iterations_reached") == 3
    assert types.index("department_complete") < types.index("evaluation_triggered")
    events = studio.records.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[-1].fields["summary"][0]["department"] == "story"


def test_later_departments_see_earlier_ones_in_their_prompts(studio: Studio) -> None:
    studio.run()
    story = studio.view.items_of("story")[-1].content
    assert any(story in message.content for request in studio.model.requests for message in request.messages if "Music" in message.content)
    used = studio.view.history("music")[0].inputs.context
    assert set(used) & {item.id for item in studio.view.items_of("story")}


def test_a_second_run_makes_no_model_call_and_stores_nothing(studio: Studio) -> None:
    studio.run()
    calls, state = studio.model.calls, studio.state()
    result = studio.run("task-2")
    assert (result.status, result.iterations, result.items_created) == ("completed", 0, 0)
    assert {row.ended_by for row in result.summary} == {"unchanged"}
    assert (studio.model.calls, studio.state()) == (calls, state)
    events = studio.records.events()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    second = [event.type for event in events if event.task_id == "task-2"]
    assert (second[0], second[-1]) == ("department_started", "automation_complete")


def test_a_changed_brief_adds_to_every_department_and_deletes_nothing(studio: Studio) -> None:
    studio.run()
    before = studio.state()
    studio.services.projects.update(PROJECT, brief="Ada Brandt has found the hour in Lindau.")
    result = studio.run("task-2")
    assert result.iterations == 6
    after = studio.state()
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_a_department_at_its_threshold_stops_there(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, threshold=1, most=None)])
    result = studio.run()
    assert (result.summary[0].ended_by, result.iterations) == ("threshold", 1)
    assert "max_iterations_reached" not in studio.event_types()
    studio.close()


def test_iterations_are_shared_fairly_and_a_department_without_any_is_skipped_with_its_reason(tmp_path: Path) -> None:
    rows = [department_row(slug, number, most=None) for number, slug in enumerate(("a1", "b2", "c3"))]
    studio = Studio.open(tmp_path, rows)
    result = studio.run(max_iterations=2)
    assert [row.iterations for row in result.summary] == [1, 1, 0]
    assert result.status == "completed"
    assert "skipped_budget" in studio.event_types()
    again = studio.run("task-2", max_iterations=3)
    assert [row.iterations for row in again.summary] == [1, 1, 1]
    studio.close()


def test_stagnation_climbs_the_ladder_and_ends_with_the_reason(tmp_path: Path) -> None:
    content = "Ada climbs the tower of Lindau at night with eleven clocks in a sack and counts the steps aloud."
    same = json.dumps({"content": content, "summary": "Ada climbs.", "context": "The tower."})
    studio = Studio.open(tmp_path, [department_row("story", 1, most=None)], body=PlayedModel([same] * 500))
    result = studio.run(max_iterations=50)
    assert result.summary[0].ended_by == "stagnation"
    assert result.iterations < 12
    steps = [event.fields["step"] for event in studio.records.events() if event.type == "stagnation_detected"]
    assert steps == ["aim", "temperature", "longer", "stop"]
    assert len(studio.view.items) == 1
    studio.close()


def test_only_the_departments_asked_for_run(studio: Studio) -> None:
    result = studio.run(departments=("visual",))
    assert [row.department for row in result.summary] == ["visual"]
    assert not studio.view.items_of("story")


def test_an_evaluation_and_a_draft_follow_a_department_and_call_no_model(studio: Studio) -> None:
    studio.run()
    generated = {row["task_id"] for row in studio.documents("executions")}
    assert generated == {"gather_item"}
    scores = studio.view.scores
    assert set(scores) == {"story", "visual", "music"}
    assert scores["story"].auto_triggered is True
    assert scores["story"].value == studio.view.history("story")[-1].score
    assert {draft.status for draft in studio.view.drafts.values()} == {"pending"}


def test_no_evaluation_is_made_where_none_is_wanted(studio: Studio) -> None:
    studio.run(enable_auto_evaluation=False)
    assert not studio.view.scores.values()
    assert studio.view.drafts.values()


def test_every_item_says_how_it_came_about(studio: Studio) -> None:
    studio.run(departments=("story",))
    executions = {row["_id"] for row in studio.documents("executions")}
    for item in studio.view.items:
        assert item.provenance["generated_by"] == "scripted"
        assert item.provenance["execution_id"] in executions
        assert item.provenance["prompt_hash"]


def test_a_busy_project_is_left_alone(studio: Studio) -> None:
    lease = studio.services.leases.lease(PROJECT, Owner.this_process("other"), 30.0)
    with holding(lease), pytest.raises(ProjectBusy, match="run other"):
        studio.run()
    assert studio.records.events() == []


def test_rows_that_were_never_committed_are_not_seen_and_are_cleared(studio: Studio) -> None:
    studio.run(departments=("story",))
    whole = studio.state()
    orphan = studio.view.items[0].to_document() | {"_id": "f" * 24, "iteration": 99, "content": "never committed"}
    row = {"_id": "story|000099", "department": "story", "number": 99, "task_id": orphan["task_id"], "open": "token"}
    studio.services.store.insert_many(project_database(PROJECT), "iterations", [row])
    studio.services.store.insert_many(project_database(PROJECT), "gather", [orphan])
    assert studio.state() == whole
    studio.run("task-2", departments=("visual",))
    assert studio.services.store.get(project_database(PROJECT), "gather", "f" * 24) is None
    assert studio.services.store.get(project_database(PROJECT), "iterations", "story|000099") is None


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"project_id": "unknown"}, "unknown"),
        ({"project_id": PROJECT, "departments": ("musik",)}, "'musik'"),
    ],
)
def test_what_is_not_there_is_refused_by_name_before_anything_begins(studio: Studio, request_: dict[str, Any], told: str) -> None:
    with pytest.raises(UnknownEntity, match=told):
        run_automation(studio.services, AutomationRequest(**request_), task_id="task-1")
    assert studio.records.events() == []


@pytest.mark.parametrize("value", [0, -1, 10_001])
def test_a_number_of_iterations_that_means_nothing_is_refused(value: int) -> None:
    with pytest.raises(InvalidInput, match=str(value)):
        AutomationRequest(project_id=PROJECT, max_iterations=value)


@pytest.mark.parametrize(("url", "told"), [("ftp://host/x", "'ftp://ho'"), ("http://u:hushhush@host/x", "host carries a login")])
def test_a_webhook_address_that_cannot_be_delivered_to_is_refused_without_its_secret(url: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as refusal:
        AutomationRequest(project_id=PROJECT, webhook_url=url)
    assert "hushhush" not in str(refusal.value)


def test_a_judge_that_could_not_judge_is_refused_before_anything_begins(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, judge_model="embedded")
    with pytest.raises(InvalidInput, match="GATHER_JUDGE_MODEL"):
        studio.run()
    assert studio.model.calls == 0
    studio.close()


def test_a_judge_takes_part_in_the_score_and_its_calls_are_recorded(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, ONE, judge_model="scripted")
    studio.run()
    assert "judge_quality" in {row["task_id"] for row in studio.documents("executions")}
    assert "judge" in studio.view.iterations[-1].quality.scorer
    studio.close()


def test_several_projects_run_at_once_in_threads_without_mixing(tmp_path: Path) -> None:
    studios = [Studio.open(tmp_path, script_latency_s=0.01) for _ in range(3)]
    ids = [f"project-{number}" for number in range(3)]
    for studio, id in zip(studios, ids, strict=True):
        studio.services.projects.create(id, "A brief about Ada in Lindau.", id)
        studio.project_id = id
    threads = [threading.Thread(target=studio.run, args=(f"task-{studio.project_id}",)) for studio in studios]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for studio in studios:
        assert {item.project_id for item in studio.view.items} == {studio.project_id}
        assert studio.event_types()[-1] == "automation_complete"
        studio.close()


def test_a_display_that_breaks_does_not_break_the_run(studio: Studio) -> None:
    def broken(event: Mapping[str, Any]) -> None:
        raise RuntimeError("no terminal")

    assert studio.run(progress=broken, departments=("story",)).status == "completed"
