"""The partitions sensor tick by tick, and the rule that it acts on."""

import json
from collections.abc import Sequence

import dagster as dg
import pytest
import yaml
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from gather_pipeline.defs.sensors.partitions import Changes, keys_in_flight, partition_changes, partitions
from gather_pipeline.records.registry import PROJECTS, Projects
from gather_pipeline_tests.defs.conftest import Stage, key
from gather_pipeline_tests.harness import PROJECT, department_row


@pytest.mark.parametrize(
    ("known", "wanted", "in_flight", "expected"),
    [
        ([], [], [], Changes()),
        ([], ["b", "a", "b"], [], Changes(add=("b", "a"))),
        (["a"], ["a"], [], Changes()),
        (["a", "b"], [], [], Changes(remove=("a", "b"))),
        (["a", "b"], [], ["a", "c"], Changes(remove=("b",), spared=("a",))),
        (["a", "b"], ["c"], None, Changes(add=("c",), spared=("a", "b"))),
        (["a"], ["a"], ["a"], Changes()),
    ],
    ids=["nothing", "add in order", "as it is", "remove", "spare what is in use", "spare all where unknown", "in use and wanted"],
)
def test_partition_changes(known: list[str], wanted: list[str], in_flight: Sequence[str] | None, expected: Changes) -> None:
    assert partition_changes(known, wanted, in_flight) == expected


@pytest.fixture
def empty(stage: Stage) -> Stage:
    """A stage whose instance has no partition yet."""
    stage.instance.delete_dynamic_partition("projects", PROJECT)
    for slug in stage.instance.get_dynamic_partitions("departments"):
        stage.instance.delete_dynamic_partition("departments", slug)
    return stage


def tick(stage: Stage, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    """One tick, with what it asks for done to the instance as the daemon does it."""
    context = dg.build_sensor_context(instance=stage.instance, cursor=cursor, resources={"gather": stage.gather()})
    result = partitions(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    if isinstance(result, dg.SensorResult):
        for request in result.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                stage.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
            else:
                for partition in request.partition_keys:
                    stage.instance.delete_dynamic_partition(request.partitions_def_name, partition)
    return result


def known(stage: Stage) -> tuple[list[str], list[str]]:
    return list(stage.instance.get_dynamic_partitions("projects")), list(stage.instance.get_dynamic_partitions("departments"))


def write_departments(stage: Stage, *slugs: str) -> None:
    rows = [department_row(slug, number) for number, slug in enumerate(slugs)]
    stage.studio.services.settings.departments.write_text(yaml.safe_dump(rows), encoding="utf-8")


def create(stage: Stage, id: str) -> None:
    services = stage.studio.services
    Projects(services.store, services.main_database, services.clock).create(id, "A brief.", id)


def delete(stage: Stage, id: str) -> None:
    services = stage.studio.services
    services.store.delete(services.main_database, PROJECTS, {"_id": id})


def cursor_of(result: dg.SensorResult | dg.SkipReason) -> str:
    assert isinstance(result, dg.SensorResult)
    assert result.cursor is not None
    return result.cursor


def test_partitions_follow_projects_and_departments_tick_by_tick(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    assert known(empty) == ([PROJECT], ["story", "visual", "music"])
    again = tick(empty, cursor)
    assert isinstance(again, dg.SensorResult)
    assert again.skip_reason is not None
    assert again.cursor == cursor
    create(empty, "second")
    write_departments(empty, "story", "sound")
    cursor = cursor_of(tick(empty, cursor))
    assert known(empty) == ([PROJECT, "second"], ["story", "sound"])
    delete(empty, "second")
    cursor = cursor_of(tick(empty, cursor))
    assert known(empty) == ([PROJECT], ["story", "sound"])
    assert json.loads(cursor)["projects"]


def test_a_tick_without_changes_does_not_look_at_the_projects_again(empty: Stage) -> None:
    """A tick costs what changed; a key that somebody deleted by hand comes back when all of them are compared again."""
    cursor = cursor_of(tick(empty, None))
    empty.instance.delete_dynamic_partition("projects", PROJECT)
    cursor = cursor_of(tick(empty, cursor))
    assert known(empty)[0] == []
    tick(empty, json.dumps(json.loads(cursor) | {"compared_at": 0}))
    assert known(empty)[0] == [PROJECT]


def test_a_first_tick_removes_keys_that_no_project_has(empty: Stage) -> None:
    empty.instance.add_dynamic_partitions("projects", ["left-over"])
    tick(empty, None)
    assert known(empty)[0] == [PROJECT]


def test_a_cursor_of_another_store_is_not_trusted(empty: Stage) -> None:
    tick(empty, json.dumps({"source": "gather_pipeline in MongoDB", "projects": "99999", "compared_at": 9e9}))
    assert known(empty)[0] == [PROJECT]


def test_a_clock_that_went_back_does_not_keep_the_next_comparison_waiting(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    empty.instance.delete_dynamic_partition("projects", PROJECT)
    tick(empty, json.dumps(json.loads(cursor) | {"compared_at": 9e9}))
    assert known(empty)[0] == [PROJECT]


def test_a_store_put_back_from_a_copy_is_compared_as_a_whole_and_says_so(empty: Stage) -> None:
    cursor = json.loads(cursor_of(tick(empty, None)))
    empty.instance.add_dynamic_partitions("projects", ["left-over"])
    other = "0123456789abcdef.7.0123456789abcdef"
    result = tick(empty, json.dumps(cursor | {"projects": other, "settled": cursor["settled"] | {"marks": other}}))
    assert known(empty)[0] == [PROJECT]
    again = json.loads(cursor_of(result))
    assert (again["projects"], again["settled"]["marks"]) == (cursor["projects"], cursor["settled"]["marks"])
    told = tick(empty, json.dumps(again | {"settled": again["settled"] | {"marks": other}}))
    assert isinstance(told, dg.SensorResult)
    assert "read from the start" in str(told.skip_reason)


def test_a_cursor_that_somebody_typed_begins_anew(empty: Stage) -> None:
    tick(empty, "no cursor of ours")
    assert known(empty) == ([PROJECT], ["story", "visual", "music"])


def test_more_projects_than_a_page_are_all_added(empty: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gather_pipeline.records.changes.PAGE", 3)
    for number in range(7):
        create(empty, f"p{number}")
    tick(empty, None)
    assert len(known(empty)[0]) == 8


def test_an_unreadable_source_is_a_skip_with_its_reason_and_removes_nothing(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    before = known(empty)
    empty.studio.services.settings.departments.write_text("- slug: story\n- slug: story\n", encoding="utf-8")
    result = tick(empty, cursor)
    assert isinstance(result, dg.SkipReason)
    assert result.skip_message is not None
    assert "row 1, field name is missing" in result.skip_message
    empty.studio.services.settings.departments.unlink()
    assert isinstance(tick(empty, cursor), dg.SkipReason)
    assert known(empty) == before


def run_in_flight(stage: Stage, **tags: str) -> dg.DagsterRun:
    @dg.job
    def anything() -> None: ...

    return stage.instance.create_run_for_job(
        anything, tags={name.replace("__", "/"): value for name, value in tags.items()}, status="STARTED"
    )


def test_a_project_with_a_run_in_flight_is_kept_and_removed_afterwards(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    run = run_in_flight(empty, gather__project=PROJECT)
    delete(empty, PROJECT)
    result = tick(empty, cursor)
    assert isinstance(result, dg.SensorResult)
    assert f"in use and therefore kept for now: {PROJECT}" in str(result.skip_reason)
    assert known(empty)[0] == [PROJECT]
    empty.instance.report_run_failed(run)
    tick(empty, result.cursor)
    assert known(empty)[0] == []


def test_a_department_with_a_run_in_flight_is_kept(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    run_in_flight(
        empty, **{"dagster/partition": key("music"), "dagster/partition/department": "music", "dagster/partition/project": PROJECT}
    )
    write_departments(empty, "story")
    tick(empty, cursor)
    assert known(empty)[1] == ["story", "music"]


def test_an_automation_in_flight_keeps_every_department(empty: Stage) -> None:
    cursor = cursor_of(tick(empty, None))
    run_in_flight(empty, gather__kind="automation", gather__project=PROJECT)
    write_departments(empty, "story")
    tick(empty, cursor)
    assert known(empty)[1] == ["story", "visual", "music"]


def test_a_range_in_flight_keeps_every_key(stage: Stage) -> None:
    run_in_flight(stage, **{"dagster/asset_partition_range_start": key("story"), "dagster/asset_partition_range_end": key("music")})
    busy = keys_in_flight(stage.instance)
    assert (busy.projects, busy.departments) == (None, None)


def test_a_requested_backfill_keeps_every_key(stage: Stage) -> None:
    stage.instance.add_backfill(
        PartitionBackfill(backfill_id="b", status=BulkActionStatus.REQUESTED, from_failure=False, tags={}, backfill_timestamp=0.0)
    )
    assert keys_in_flight(stage.instance).departments is None
