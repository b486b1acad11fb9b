"""The asset checks on a store that is broken on purpose: each fails, says why, and the first two block what stands downstream."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_spec import AssetCheckKey
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from gather_pipeline.definitions import defs
from gather_pipeline.defs.checks import CHECKS
from gather_pipeline.domain.projects import project_database
from gather_pipeline.upkeep import checks as rules
from gather_pipeline_tests.defs.conftest import BY_DEPARTMENT, Stage, key
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

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


ROWS = [department_row(slug, number, most=1) for number, slug in enumerate(("story", "visual", "music", "sound", "light"))]
RANGE = key("story"), key("light")


@dataclass(frozen=True)
class Judged:
    """A project whose checks have run twice over all departments: while it was sound, and with `visual` broken in every way.

    Each test that breaks more takes a department of its own.
    """

    stage: Stage
    sound: list[dg.AssetCheckEvaluation]
    broken: list[dg.AssetCheckEvaluation]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    studio = Studio.open(tmp_path_factory.mktemp("checks"), ROWS)
    with closing(studio), dg.DagsterInstance.ephemeral() as instance:
        stage = Stage(studio, instance)
        stage.follow()
        assert stage.materialize(*BY_DEPARTMENT, between=RANGE).success
        sound = run_checks(stage)
        for do_break, _ in BREAKS.values():
            do_break(stage, "visual")
        yield Judged(stage, sound, run_checks(stage))


def run_checks(stage: Stage, between: tuple[str, str] = RANGE) -> list[dg.AssetCheckEvaluation]:
    """All checks over all departments."""
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks(*defs.asset_checks))
    resolved = dg.Definitions(assets=defs.assets, asset_checks=defs.asset_checks, jobs=[job], resources={"gather": stage.gather()})
    tags = dict(zip(("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), between, strict=True))
    result = resolved.resolve_job_def("checks").execute_in_process(instance=stage.instance, tags=tags, raise_on_error=False)
    return result.get_asset_check_evaluations()


def outcomes(evaluations: list[dg.AssetCheckEvaluation], name: str) -> dict[str | None, bool]:
    """Whether a check passed, by partition; None is the run's whole range."""
    return {one.partition: one.passed for one in evaluations if one.check_name == name}


@pytest.mark.parametrize("name", BREAKS)
def test_a_sound_department_passes(judged: Judged, name: str) -> None:
    assert outcomes(judged.sound, name) == dict.fromkeys((*(key(str(row["slug"])) for row in ROWS), None), True)
    assert all(one.metadata["rows looked at"].value > 0 for one in judged.sound)


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_department_fails_and_the_failure_is_listed(judged: Judged, name: str) -> None:
    for partition in (key("visual"), None):
        (one,) = (one for one in judged.broken if (one.check_name, one.partition) == (name, partition))
        assert any(BREAKS[name][1] in str(record.data["failure"]) for record in one.metadata["what failed"].value.records)


@pytest.mark.parametrize("name", BREAKS)
def test_a_range_is_judged_partition_by_partition_and_fails_as_a_whole(judged: Judged, name: str) -> None:
    expected = {key(str(row["slug"])): row["slug"] != "visual" for row in ROWS}
    assert outcomes(judged.broken, name) == expected | {None: False}
    asset = AssetCheckKey(dg.AssetKey(ASSET[name]), name)
    records = judged.stage.instance.event_log_storage.get_asset_check_partition_info([asset])
    current = {record.partition_key: record.latest_execution_status for record in records if record.partition_key and record.is_current}
    assert {partition: status == AssetCheckExecutionRecordStatus.SUCCEEDED for partition, status in current.items()} == expected


def test_a_score_below_its_threshold_warns_with_what_the_weakest_part_lacks(judged: Judged) -> None:
    (found,) = (one for one in judged.sound if (one.check_name, one.partition) == ("score_reaches_threshold", key("light")))
    assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    shown, score = {name: value.value for name, value in found.metadata.items()}, judged.stage.studio.view.scores["light"]
    weakest = min(("coverage", "depth", "actionability"), key=lambda name: score.quality.parts[name].value or 0)
    assert (shown["score"], shown["threshold"]) == (score.value, 99)
    assert shown["weakest part"].startswith(f"{weakest}, ")
    assert shown["what it lacks"] == " ".join(score.quality.parts[weakest].reasons)
    assert rules.score_reaches_threshold(score, score.value).passed


def steps(result: dg.ExecuteInProcessResult) -> set[str]:
    return {str(event.step_key) for event in result.all_events if event.is_step_success}


def test_a_stored_duplicate_keeps_everything_downstream_from_running(judged: Judged) -> None:
    break_duplicate(judged.stage, "story")
    result = judged.stage.materialize(*BY_DEPARTMENT, partition_key=key("story"))
    assert not result.success
    assert "gather_items" in steps(result)
    assert not {"embeddings", "quality_scores", "drafts"} & steps(result)


def test_a_score_that_does_not_add_up_keeps_the_draft_from_running(judged: Judged) -> None:
    break_score(judged.stage, "music")
    result = judged.stage.materialize("quality_scores", "drafts", partition_key=key("music"))
    assert not result.success
    assert "quality_scores" in steps(result)
    assert "drafts" not in steps(result)


def test_a_missing_provenance_is_shown_and_blocks_nothing(judged: Judged) -> None:
    break_provenance(judged.stage, "sound")
    result = judged.stage.materialize(*BY_DEPARTMENT, partition_key=key("sound"))
    assert result.success
    assert [found.passed for found in result.get_asset_check_evaluations() if found.check_name == "every_item_has_provenance"] == [False]


def test_a_range_leaves_out_what_was_never_materialized(judged: Judged) -> None:
    """`Execute all` of the Checks tab is a range over every department of every project."""
    judged.stage.studio.services.projects.create("Untouched", "A brief.", "never-run")
    judged.stage.instance.add_dynamic_partitions("projects", ["never-run"])
    found = outcomes(run_checks(judged.stage, (RANGE[0], key("light", "never-run"))), "score_reaches_threshold")
    assert found.keys() == {*(key(str(row["slug"])) for row in ROWS), None}
