"""The seed's door: `TaskExecutor(task_id, version).execute(input, options)`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline import bootstrap
from gather_pipeline.errors import InvalidInput, ModelUnavailable, UnknownEntity
from gather_pipeline.services import Services
from gather_pipeline.tasks import ExecutionOptions, TaskExecutor
from gather_pipeline_tests.harness import Counting, make_settings
from gather_pipeline_tests.tasks.builders import document


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "greeting.json").write_text(json.dumps(document(output__schema__properties__greeting={"type": "string"})))
    made = bootstrap.build_services(make_settings(tmp_path / "home", task_folders=(folder,)))
    yield replace(made, model=Counting(made.model))
    made.close()


def test_a_task_of_ones_own_folder_is_executed_and_its_record_stored(services: Services) -> None:
    with TaskExecutor("greeting", services=services) as executor:
        output = executor.execute({"who": "Mara"})
        result = executor.run({"who": "Mara"}, {"draw": 1, "tags": {"why": "test"}})
    assert set(output) == {"greeting", "warmth"}
    stored = services.executions.get(result.execution.id)
    assert stored is not None and (stored.output, stored.tags, stored.model) == (result.output, {"why": "test"}, "scripted")


def test_it_works_where_an_event_loop_runs_already(services: Services) -> None:
    async def notebook() -> object:
        with TaskExecutor("greeting", services=services) as executor:
            return executor.execute({"who": "Mara"})

    assert asyncio.run(notebook())


def test_the_same_input_is_asked_once_unless_another_draw_is_wanted(services: Services) -> None:
    with TaskExecutor("greeting", "1.0.0", services=services) as executor:
        first, again, other = (executor.run({"who": "Mara"}, ExecutionOptions(draw=draw)) for draw in (0, 0, 1))
    assert first.output == again.output and (first.execution.cached, again.execution.cached) == (False, True)
    assert isinstance(services.model, Counting) and services.model.calls == 2 and not other.execution.cached


def test_models_that_dissent_and_models_that_agree_can_be_played(services: Services) -> None:
    def answer(model: str) -> object:
        with TaskExecutor("greeting", services=services) as executor:
            return executor.execute({"who": "Mara"}, {"model": model})

    assert answer("scripted") == answer("scripted:b") != answer("scripted:dissenter")


def test_a_model_that_is_down_is_followed_by_the_next(services: Services) -> None:
    with TaskExecutor("greeting", services=services) as executor:
        result = executor.run({"who": "Mara"}, {"model": "scripted:down", "fallback_models": ["scripted:b"]})
    assert result.execution.model == "scripted:b"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"modle": "x"}, "option modle is not known, expected one of model, fallback_models"),
        ({"temperature": 2}, "option temperature is 2, expected less than or equal to 1"),
        ({"max_cost": 0}, "option max_cost is 0, expected greater than 0"),
    ],
)
def test_an_option_that_is_wrong_is_named(services: Services, options: dict[str, object], told: str) -> None:
    with TaskExecutor("greeting", services=services) as executor, pytest.raises(InvalidInput, match=told):
        executor.execute({"who": "Mara"}, options)


def test_a_task_that_is_not_there_is_told_at_once(services: Services) -> None:
    with pytest.raises(UnknownEntity, match="task is 'parting', expected one of .*gather_item"):
        TaskExecutor("parting", services=services)
    with pytest.raises(UnknownEntity, match="version of task greeting is '2.0.0'"):
        TaskExecutor("greeting", "2.0.0", services=services)


def test_a_model_that_fails_again_and_again_is_left_out_and_the_callers_own_wish_is_not(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "home", model="scripted:down", fallback_models=("scripted",))
    services = bootstrap.build_services(settings)
    asked = []
    with TaskExecutor("distil_notes", services=services) as executor:
        given = executor.definition.input.examples[0]
        for draw in range(5):
            result = executor.run(given, {"draw": draw})  # type: ignore[arg-type]
            asked.append(result.execution.models_used)
        with pytest.raises(ModelUnavailable):
            executor.run(given, {"draw": 9, "model": "scripted:down", "fallback_models": ()})  # type: ignore[arg-type]
    assert asked == [("scripted:down", "scripted")] * 3 + [("scripted",)] * 2
    assert len(services.executions.find(model="scripted:down")) == 4
    services.close()
