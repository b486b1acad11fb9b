from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from gather_pipeline.defs.partitions import RANGE_END, RANGE_START, partition_key, range_tags, real_partitions, split_key, stretches
from gather_pipeline.defs.queue import missing_range, project_of
from gather_pipeline.errors import InvalidInput
from gather_pipeline_tests.defs.conftest import Opener, Stage, key
from gather_pipeline_tests.harness import PROJECT, department_row


def test_a_key_reads_department_then_project_for_dagster_sorts_dimensions_by_name() -> None:
    assert partition_key("p1", "story") == "story|p1"
    assert split_key("story|p1") == ("p1", "story")


def test_keys_are_grouped_by_project_in_the_order_of_departments(stage: Stage) -> None:
    services = stage.studio.services
    services.projects.create("Other", "A brief.", "other")
    keys = [key("music"), key("story"), key("visual", "other")]
    found = real_partitions(services, keys)
    slugs = {project_id: [department.slug for department in departments] for project_id, departments in found.items()}
    assert slugs == {PROJECT: ["story", "music"], "other": ["visual"]}


@pytest.mark.parametrize("unreal", ["story|nobody", f"catering|{PROJECT}", "story"])
def test_a_combination_that_does_not_exist_is_refused_by_name(stage: Stage, unreal: str) -> None:
    with pytest.raises(InvalidInput, match="is not there, expected a department of story, visual, music and a project of"):
        real_partitions(stage.studio.services, [key("story"), unreal])


def test_an_inactive_department_is_no_partition(open_stage: Opener) -> None:
    stage = open_stage([department_row("story", 1), department_row("visual", 2, isActive=False)])
    with pytest.raises(InvalidInput, match=f"partition visual.{PROJECT} is not there"):
        real_partitions(stage.studio.services, [key("visual")])


def test_the_refusal_of_many_keys_stays_short(stage: Stage) -> None:
    keys = [key("story", f"p{number}") for number in range(100)]
    with pytest.raises(InvalidInput, match="and 97 more is not there"):
        real_partitions(replace(stage.studio.services), keys)


def test_departments_are_cut_where_dagster_has_another_key_between_them(stage: Stage) -> None:
    assert stretches(stage.instance, {"music", "story"}) == [["story"], ["music"]]
    assert stretches(stage.instance, {"visual", "story", "retired"}) == [["story", "visual"]]
    assert range_tags(PROJECT, "story", "visual")["gather/project"] == PROJECT


@pytest.mark.parametrize(
    ("tags", "project"),
    [
        ({"dagster/partition": "story|p1", "dagster/partition/project": "p1", "dagster/partition/department": "story"}, "p1"),
        ({"dagster/asset_partition_range_start": "story|p1", "dagster/asset_partition_range_end": "music|p1"}, "p1"),
        ({"dagster/asset_partition_range_start": "story|p1", "dagster/asset_partition_range_end": "music|p2"}, None),
        ({}, None),
    ],
    ids=["one partition", "a range", "two projects", "none"],
)
def test_the_queue_knows_a_run_s_project_by_its_partitions(tags: dict[str, str], project: str | None) -> None:
    assert project_of(tags) == project


def range_for(stage: Stage, kind: str | None = None, tags: dict[str, str] | None = None, **run: Any) -> tuple[str, ...]:
    """First and last key that the queue gives to a run."""
    given = (tags or {}) | ({"gather/kind": kind} if kind else {})
    found = missing_range(stage.instance, dg.DagsterRun(job_name="any", tags=given, **run))
    return tuple(found[tag] for tag in (RANGE_START, RANGE_END) if tag in found)


def named(project_id: str) -> dict[str, Any]:
    return {"ops": {"gather_items": {"config": {"project_id": project_id}}}}


def test_a_run_that_names_no_partitions_gets_those_of_the_only_project_or_of_the_one_that_is_named(stage: Stage) -> None:
    assert range_for(stage, "automation") == range_for(stage, "refresh") == (key("story"), key("music"))
    stage.instance.add_dynamic_partitions("projects", ["other"])
    assert range_for(stage, "automation", run_config=named("other")) == (key("story", "other"), key("music", "other"))
    nothing: dict[str, Any] = {"ops": {"gather_items": {"config": None}}}
    several = f"{PROJECT}, other; it may be empty where there is one project"
    with pytest.raises(InvalidInput, match=f"project_id is '', expected {several}"):
        range_for(stage, "automation", run_config=nothing)
    with pytest.raises(InvalidInput, match=f"project_id is 'ghost', expected {several}"):
        range_for(stage, "automation", run_config=named("ghost"))
    assert range_for(stage, "report") == (PROJECT, "other")


def test_checks_alone_get_every_partition_and_other_runs_what_they_named(stage: Stage) -> None:
    stage.instance.add_dynamic_partitions("projects", ["other"])
    check = dg.AssetCheckKey(dg.AssetKey("gather_items"), "no_duplicate_stored")
    assert range_for(stage, asset_check_selection={check}, asset_selection=set()) == (key("story"), key("music", "other"))
    assert range_for(stage, asset_check_selection={check}, asset_selection={dg.AssetKey("gather_items")}) == ()
    assert range_for(stage, "automation", tags={"dagster/partition": key("story")}) == ()
