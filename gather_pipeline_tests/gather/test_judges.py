"""Who judges: never the embedded model, a remote department's own one, or the one that the setting names."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.domain.executions import ModelRequest
from gather_pipeline.domain.routing import resolve_model
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather.judges import judge_model
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline_tests.harness import Studio, department_row

REMOTE = partial(resolve_model, provider="custom")
LOCAL = partial(resolve_model, provider=None)


@pytest.mark.parametrize(
    ("setting", "own", "judge"),
    [
        (None, "some/model", "some/model"),
        (None, "embedded", None),
        (None, "scripted", None),
        ("none", "some/model", None),
        ("other/judge", "some/model", "other/judge"),
        ("scripted", "embedded", "scripted"),
    ],
)
def test_the_judge_follows_the_setting_and_else_the_department(setting: str | None, own: str, judge: str | None) -> None:
    assert judge_model(setting, own, REMOTE) == judge


@pytest.mark.parametrize("setting", ["embedded", "other/judge"])
def test_a_judge_that_the_embedded_model_would_have_to_play_is_refused(setting: str) -> None:
    with pytest.raises(InvalidInput, match=f"GATHER_JUDGE_MODEL is '{setting}'"):
        judge_model(setting, "embedded", LOCAL)


@pytest.mark.parametrize(("others", "judged"), [(("scripted:b",), True), (("scripted:dissent",), False), ((), False)])
def test_a_studios_own_version_asks_for_a_consensus_of_judges(tmp_path: Path, others: tuple[str, ...], judged: bool) -> None:
    """Judges who differ, or too few of them, leave the score unjudged, as a judge does that cannot be had."""
    document = Catalogue.packaged().get("judge_quality").to_document()
    parameters = {"fields": ["depth", "coherence", "actionability"], "min_models": 2, "max_models": 2}
    document |= {"version": "2.1.0", "verification": {"method": "consensus", "parameters": parameters}}
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "judge_quality.json").write_text(json.dumps(document))
    one = (department_row("story", 1, most=1),)
    studio = Studio.open(tmp_path, one, judge_model="scripted", fallback_models=others, task_folders=(tasks,))
    studio.run()
    executions = [row for row in studio.documents("executions") if row["task_id"] == "judge_quality"]
    results = [
        (row["task_version"], row["verification_results"]["method_used"], row["verification_results"]["passed"]) for row in executions
    ]
    assert set(results) == {("2.1.0", "consensus", judged)}
    assert ("judge" in studio.view.iterations[-1].quality.scorer) is judged
    studio.close()


class Unjudging(ScriptedModel):
    """A model that writes notes, and to a judge's question answers what is no judgement, or while `away` is over judges."""

    away = True

    def answer(self, request: ModelRequest) -> str:
        is_judge = "contradictions" in (request.response_schema or {}).get("properties", {})
        return "I would rather not." if is_judge and self.away else super().answer(request)


def test_a_department_that_no_judge_ever_judged_has_failed_and_a_later_run_goes_on(tmp_path: Path) -> None:
    """That its statistics do not rise any more is no end where a judge was to say how good it is."""
    model = Unjudging()
    studio = Studio.open(tmp_path, (department_row("story", 1, most=None),), body=model, judge_model="scripted:judge")
    result = studio.run()
    (department,) = result.summary
    assert (result.status, department.ended_by, department.judged) == ("failed", "failed", False)
    told = "its judge never gave a usable answer (GATHER_JUDGE_MODEL names another, or none); 1 fault in its last iteration"
    assert f"{told}, the last one: the judge failed" in str(result.reason)
    assert result.items_created and len(studio.view.items) == result.items_created
    model.away = False
    again = studio.run()
    assert again.iterations and again.summary[0].judged and again.status == "completed"
    studio.close()


def test_a_judge_that_failed_is_a_fault_where_another_rule_ends_the_department(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path, (department_row("story", 1, most=1),), body=Unjudging(), judge_model="scripted:judge")
    result = studio.run()
    assert (result.status, result.summary[0].ended_by) == ("completed", "maxIterations")
    assert "1 fault in its last iteration, the last one: the judge failed" in result.summary[0].reason
    studio.close()


def test_a_note_that_waits_for_a_person_is_no_item_before_it_is_accepted(tmp_path: Path) -> None:
    document = Catalogue.packaged().get("gather_item").to_document()
    document |= {"version": "9.0.0", "verification": {"method": "human"}}
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "gather_item.json").write_text(json.dumps(document))
    studio = Studio.open(tmp_path, (department_row("story", 1, most=1),), task_folders=(tasks,))
    result = studio.run()
    waiting = studio.services.reviews.find()
    assert waiting
    assert (result.items_created, list(studio.view.items)) == (0, [])
    assert "tlm review show" in str(result.reason)
    studio.close()
