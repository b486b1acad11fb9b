"""Recorded executions done again in another way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.catalogue import parse_definition
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.replay import REPLAY_OF, Changes
from gather_pipeline.upkeep.replaying import replay
from gather_pipeline_tests.harness import PROJECT, Studio, department_row


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(tmp_path_factory.mktemp("replay"), [department_row("story", 1, most=1)])
    studio.run()
    yield studio
    studio.close()


def test_a_replay_without_changes_says_the_same_and_touches_nothing(ran: Studio) -> None:
    before = ran.services.executions.find(project_id=PROJECT)
    replays = replay(ran.services, before, Changes())
    assert [one.original.id for one in replays] == [one.id for one in before]
    assert all(one.similarity == 1.0 and one.again.prompt_hash == one.original.prompt_hash for one in replays)
    assert ran.services.executions.find(project_id=PROJECT) == before
    assert {one.tags[REPLAY_OF] for one in ran.services.replays.find()} == {one.id for one in before}


def test_another_model_or_temperature_stands_beside_the_original(ran: Studio) -> None:
    original = ran.services.executions.find(project_id=PROJECT, limit=1)[0]
    [other] = replay(ran.services, [original], Changes(model="scripted:dissent"))
    assert other.again.model == "scripted:dissent" and other.similarity is not None and other.similarity < 1
    assert other.again.id != original.id and other.again.input == original.input
    [cool] = replay(ran.services, [original], Changes(temperature=0.0))
    assert cool.again.parameters["temperature"] == 0.0


def test_a_definition_that_is_only_suggested_can_be_tried(ran: Studio) -> None:
    original = ran.services.executions.find(project_id=PROJECT, limit=1)[0]
    changed = ran.services.catalogue.get("gather_item").to_document() | {"version": "9.0.0"}
    [found] = replay(ran.services, [original], Changes(definition=parse_definition(changed, "suggested")))
    assert found.again.task_version == "9.0.0"
    assert [one.version for one in ran.services.catalogue if one.id == "gather_item"] == ["1.0.0"]


def test_a_model_that_is_down_is_a_failed_side_and_no_error(ran: Studio) -> None:
    original = ran.services.executions.find(project_id=PROJECT, limit=1)[0]
    [found] = replay(ran.services, [original], Changes(model="scripted:down"))
    assert found.again.status == "failed" and found.again.error and found.similarity is None


def test_replays_count_in_no_ranking(ran: Studio) -> None:
    with TaskExecutor("skill_decomposition", services=ran.services) as executor:
        execution = executor.run({"skill_name": "Sound editing"}, {"model": "scripted", "fallback_models": ["scripted:b"]}).execution
    replay(ran.services, [execution, replace(execution, calls=(), model=None)], Changes())  # the other one's budget was spent at once
    assert [one.id for one in ran.services.executions.find(task="skill_decomposition")] == [execution.id]
    with pytest.raises(InvalidInput, match="ended before it had a prompt"):
        replay(ran.services, [replace(execution, prompt_id=None)], Changes())
