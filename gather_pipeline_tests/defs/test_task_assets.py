"""Assets of the task engine, in process."""

from __future__ import annotations

from typing import Any

from gather_pipeline.records.executions import Executions
from gather_pipeline.tasks.execution import Execution
from gather_pipeline_tests.cli.test_tlm_log import made
from gather_pipeline_tests.defs.conftest import Stage


def judged(number: int, model: str, *, good: bool) -> Execution:
    return made(number, model, good=good, task_id="judge_duplicate")


def test_rankings_follow_from_the_log_and_say_why(stage: Stage) -> None:
    services = stage.studio.services
    log: Executions = services.executions
    log.add(*(judged(number, "scripted", good=False) for number in range(21)))
    log.add(*(judged(100 + number, "scripted:b", good=True) for number in range(20)))
    assert stage.materialize("task_executions", "model_rankings").success

    def shown(asset: str) -> dict[str, Any]:
        [record] = stage.events(asset)
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    assert "judge_duplicate | 41 | 41 | 20 | 0 | " in shown("task_executions")["by task"]
    assert shown("model_rankings")["orders"] == {"judge_duplicate": "scripted:b, scripted"}
    assert "scripted:b goes before scripted" in shown("model_rankings")["reasons"]
    assert [one.model for one in services.rankings.get("judge_duplicate").models] == ["scripted:b", "scripted"]  # type: ignore[union-attr]


def test_prompts_that_go_well_are_left_alone_and_no_model_is_asked(stage: Stage) -> None:
    stage.studio.services.executions.add(*(judged(number, "scripted", good=True) for number in range(3)))
    calls = stage.studio.model.calls
    assert stage.materialize("prompt_suggestions").success
    [record] = stage.events("prompt_suggestions")
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["suggestions"].value == 0
    assert stage.studio.model.calls == calls
