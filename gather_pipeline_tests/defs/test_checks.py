"""The asset checks on a store that is broken on purpose: each fails, says why, and the first two block what stands downstream."""

from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_spec import AssetCheckKey
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from gather_pipeline.definitions import defs
from gather_pipeline.defs.checks import CHECKS
from gather_pipeline.domain.projects import project_database
from gather_pipeline_tests.defs.conftest import BY_DEPARTMENT, Opener, Stage, key
from gather_pipeline_tests.harness import PROJECT, department_row

ASSET = {check.name: check.asset for check in CHECKS}


def change(stage: Stage, collection: str, id: str, fields: dict[str, Any]) -> None:
    """Breaks a document, which no code of the package would."""
    stage.studio.services.store.update(project_database(PROJECT), collection, id, fields)


def break_duplicate(stage: Stage, slug: str) -> None:
    first, second = stage.studio.view.items_of(slug)[:2]
    change(stage, "gather", second.id, {"content": first.content.upper() + "!"})


def break_provenance(stage: Stage, slug: str) -> None:
    change(stage, "gather", stage.studio.view.items_of(slug)[0].id, {"automation": {}})


def break_score(stage: Stage, slug: str) -> None:
    change(stage, "quality_scores", slug, {"value": 12.3})


def break_embeddings(stage: Stage, slug: str) -> None:
    stage.studio.records.drop_embeddings([stage.studio.view.items_of(slug)[0].id])


BREAKS = {
    "no_duplicate_stored": (break_duplicate, "says the same as"),
    "every_item_has_provenance": (break_provenance, "has no automation.task, automation.model, automation.generated_by"),
    "score_in_range_and_parts_add_up": (break_score, "but the score is 12.3"),
    "embedding_count_equals_item_count": (break_embeddings, "has 0 embeddings"),
}


@pytest.fixture
def filled(open_stage: Opener) -> Stage:
    stage = open_stage([department_row(slug, number, most=1) for number, slug in enumerate(("story", "visual", "music"))])
    assert stage.materialize(*BY_DEPARTMENT, between=(key("story"), key("music"))).success
    return stage


def run_check(
    stage: Stage, name: str, *, partition_key: str | None = None, between: tuple[str, str] | None = None
) -> dg.AssetCheckEvaluation:
    asset = AssetCheckKey(dg.AssetKey(ASSET[name]), name)
    job = dg.define_asset_job("one_check", selection=dg.AssetSelection.checks(asset))
    resolved = dg.Definitions(assets=defs.assets, asset_checks=defs.asset_checks, jobs=[job], resources={"gather": stage.gather()})
    if partition_key is not None:
        slug, project = partition_key.split("|")
        tags = {"dagster/partition": partition_key, "dagster/partition/department": slug, "dagster/partition/project": project}
    else:
        assert between is not None
        tags = {"dagster/asset_partition_range_start": between[0], "dagster/asset_partition_range_end": between[1]}
    result = resolved.resolve_job_def("one_check").execute_in_process(instance=stage.instance, tags=tags, raise_on_error=False)
    return result.get_asset_check_evaluations()[-1]


@pytest.mark.parametrize("name", BREAKS)
def test_a_sound_department_passes(filled: Stage, name: str) -> None:
    evaluation = run_check(filled, name, partition_key=key("story"))
    assert evaluation.passed
    assert evaluation.metadata["rows looked at"].value > 0


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_department_fails_and_the_failure_is_listed(filled: Stage, name: str) -> None:
    do_break, complaint = BREAKS[name]
    do_break(filled, "story")
    evaluation = run_check(filled, name, partition_key=key("story"))
    assert not evaluation.passed
    assert complaint in str(evaluation.metadata["what failed"].value.records[0].data["failure"])


@pytest.mark.parametrize("name", BREAKS)
def test_a_range_is_judged_partition_by_partition_and_fails_as_a_whole(filled: Stage, name: str) -> None:
    BREAKS[name][0](filled, "visual")
    assert not run_check(filled, name, between=(key("story"), key("music"))).passed
    asset = AssetCheckKey(dg.AssetKey(ASSET[name]), name)
    records = filled.instance.event_log_storage.get_asset_check_partition_info([asset])
    found = {record.partition_key: record.latest_execution_status for record in records if record.partition_key}
    passed, failed = AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED
    assert found == {key("story"): passed, key("visual"): failed, key("music"): passed}
    current = [record for record in records if record.partition_key and record.is_current]
    assert len(current) == 3


def steps(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(event.step_key) for event in result.all_events if event.is_step_success}


def test_a_stored_duplicate_keeps_everything_downstream_from_running(filled: Stage) -> None:
    break_duplicate(filled, "story")
    result = filled.materialize(*BY_DEPARTMENT, partition_key=key("story"))
    assert not result.success
    assert "gather_items" in steps(result)
    assert not {"embeddings", "quality_scores", "drafts"} & steps(result)


def test_a_score_that_does_not_add_up_keeps_the_draft_from_running(filled: Stage) -> None:
    break_score(filled, "story")
    result = filled.materialize("quality_scores", "drafts", partition_key=key("story"))
    assert not result.success
    assert "quality_scores" in steps(result)
    assert "drafts" not in steps(result)


def test_a_missing_provenance_is_shown_and_blocks_nothing(filled: Stage) -> None:
    break_provenance(filled, "story")
    result = filled.materialize(*BY_DEPARTMENT, partition_key=key("story"))
    assert result.success
    assert [found.passed for found in result.get_asset_check_evaluations() if found.check_name == "every_item_has_provenance"] == [False]
