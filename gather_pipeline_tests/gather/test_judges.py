"""Who judges: never the embedded model, a remote department's own one, or the one that the setting names."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

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
