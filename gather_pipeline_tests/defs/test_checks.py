"""The asset checks on a store that is broken on purpose: each fails, says why, and the first two block what stands downstream."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_spec import AssetCheckKey
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from gather_pipeline.defs.checks import CHECKS
from gather_pipeline_tests.defs.conftest import BY_DEPARTMENT, Opener, Stage, key
from gather_pipeline_tests.harness import department_row

FAMILY = {check.name: check.family for check in CHECKS}


def break_duplicate(stage: Stage, slug: str) -> None:
    repository = stage.studio.repository
    first, second = repository.items(slug)[:2]
    repository.store.update(repository.database, "gather", second.id, {"content": first.content.upper() + "!"})


def break_provenance(stage: Stage, slug: str) -> None:
    repository = stage.studio.repository
    repository.store.update(repository.database, "gather", repository.items(slug)[0].id, {"automation": {}})


def break_score(stage: Stage, slug: str) -> None:
    repository = stage.studio.repository
    repository.store.update(repository.database, "quality_scores", slug, {"value": 12.3})


def break_embeddings(stage: Stage, slug: str) -> None:
    repository = stage.studio.repository
    row = repository.rows("embeddings", {"department": slug})[0]
    repository.store.delete(repository.database, "embeddings", {"_id": row["_id"]})


BREAKS = {
    "no_duplicate_stored": (break_duplicate, "says the same as"),
    "every_item_has_provenance": (break_provenance, "has no automation.task, automation.model, automation.generated_by"),
    "score_in_range_and_parts_add_up": (break_score, "but the score is 12.3"),
    "embedding_count_equals_item_count": (break_embeddings, "has 0 embeddings"),
}


ROWS = [department_row(slug, number, most=1) for number, slug in enumerate(("story", "visual", "music"))]


@pytest.fixture
def filled(open_stage: Opener) -> Stage:
    stage = open_stage(ROWS)
    assert stage.materialize("gather_items", between=(key("story"), key("music"))).success
    return stage


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Three departments, of which `visual` is broken in every way that a check looks for; tests only check it."""
    stage = Stage.open(tmp_path_factory.mktemp("broken"), ROWS)
    assert stage.materialize("gather_items", between=(key("story"), key("music"))).success
    for do_break, _ in BREAKS.values():
        do_break(stage, "visual")
    yield stage
    stage.close()


def run_check(
    stage: Stage, name: str, *, partition_key: str | None = None, between: tuple[str, str] | None = None
) -> dg.AssetCheckEvaluation:
    from gather_pipeline.definitions import defs

    asset = AssetCheckKey(dg.AssetKey(FAMILY[name]), name)
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
def test_a_sound_department_passes(broken: Stage, name: str) -> None:
    evaluation = run_check(broken, name, partition_key=key("story"))
    assert evaluation.passed
    assert evaluation.metadata["rows looked at"].value > 0


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_department_fails_and_the_failure_is_listed(broken: Stage, name: str) -> None:
    evaluation = run_check(broken, name, partition_key=key("visual"))
    assert not evaluation.passed
    failures = [str(record.data["failure"]) for record in evaluation.metadata["what failed"].value.records]
    assert any(BREAKS[name][1] in failure for failure in failures), failures


@pytest.mark.parametrize("name", BREAKS)
def test_a_range_is_judged_partition_by_partition_and_fails_as_a_whole(broken: Stage, name: str) -> None:
    assert not run_check(broken, name, between=(key("story"), key("music"))).passed
    asset = AssetCheckKey(dg.AssetKey(FAMILY[name]), name)
    records = broken.instance.event_log_storage.get_asset_check_partition_info([asset])
    found = {record.partition_key: record.latest_execution_status for record in records if record.partition_key}
    passed, failed = AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED
    assert found == {key("story"): passed, key("visual"): failed, key("music"): passed}
    current = [record for record in records if record.partition_key and record.is_current]
    assert len(current) == 3


def steps(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(event.step_key) for event in result.all_events if event.is_step_success}


def test_a_stored_duplicate_keeps_everything_downstream_from_running(filled: Stage) -> None:
    break_duplicate(filled, "story")
    result = filled.materialize(*BY_DEPARTMENT, partition_key=key("story"), checks=True)
    assert not result.success
    assert "gather_items" in steps(result)
    assert not {"embeddings", "quality_scores", "drafts"} & steps(result)


def test_a_score_that_does_not_add_up_keeps_the_draft_from_running(filled: Stage) -> None:
    break_score(filled, "story")
    result = filled.materialize("quality_scores", "drafts", partition_key=key("story"), checks=True)
    assert not result.success
    assert "quality_scores" in steps(result)
    assert "drafts" not in steps(result)


def test_a_missing_provenance_is_shown_and_blocks_nothing(filled: Stage) -> None:
    break_provenance(filled, "story")
    result = filled.materialize(*BY_DEPARTMENT, partition_key=key("story"), checks=True)
    assert result.success
    assert [found.passed for found in result.get_asset_check_evaluations() if found.check_name == "every_item_has_provenance"] == [False]


def test_an_uncommitted_row_is_not_held_against_the_embeddings(filled: Stage) -> None:
    repository = filled.studio.repository
    row = repository.rows("embeddings", {"department": "story"})[0]
    orphan = {name: value for name, value in row.items() if not name.startswith("_")}
    repository.record("embeddings", {**orphan, "_id": "orphan", "item_id": "nobody", "iteration": 99})
    assert run_check(filled, "embedding_count_equals_item_count", partition_key=key("story")).passed
