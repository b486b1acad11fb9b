"""The sensor `changes` tick by tick."""

import json
from dataclasses import replace

import dagster as dg
import pytest

from gather_pipeline import bootstrap
from gather_pipeline.adapters.cms import payload
from gather_pipeline.defs.sensors.changes import changes
from gather_pipeline.defs.sensors.requests import stale_departments
from gather_pipeline.records.kept_departments import KeptDepartments
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.settings import load_settings
from gather_pipeline_tests.cms_server import KEY, CmsServer, department
from gather_pipeline_tests.defs.conftest import Opener, Stage, cursor_of, key, skipped
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

WORDS = "The clock keeper counts the hour twice, because Ada asked him to, and nobody else hears the second bell."


def known(stage: Stage) -> tuple[list[str], list[str]]:
    return list(stage.instance.get_dynamic_partitions("projects")), list(stage.instance.get_dynamic_partitions("departments"))


def write_departments(stage: Stage, *slugs: str) -> None:
    stage.write_rows(*(department_row(slug, number) for number, slug in enumerate(slugs)))


def a_run(stage: Stage, **tags: str) -> dg.DagsterRun:
    @dg.job
    def anything() -> None: ...

    return stage.instance.create_run_for_job(
        anything, tags={name.replace("__", "/"): value for name, value in tags.items()}, status="STARTED"
    )


def test_partitions_follow_projects_and_departments_tick_by_tick(stage: Stage) -> None:
    assert known(stage) == ([PROJECT], ["story", "visual", "music"])
    cursor = stage.follow()
    assert stage.follow(cursor) == cursor
    stage.studio.services.projects.create("second", "A brief.", "second")
    write_departments(stage, "story", "sound")
    stage.follow(cursor)
    assert known(stage) == ([PROJECT, "second"], ["story", "sound"])


def test_a_first_tick_removes_keys_that_no_project_has_and_waits_while_a_run_is_in_flight(stage: Stage) -> None:
    stage.instance.add_dynamic_partitions("projects", ["left-over"])
    run = a_run(stage, gather__project=PROJECT)
    result = stage.ask(changes)
    assert "in use and therefore kept for now: left-over" in skipped(result)
    assert known(stage)[0] == [PROJECT, "left-over"]
    stage.instance.report_run_failed(run)
    stage.follow(cursor_of(result))
    assert known(stage)[0] == [PROJECT]


def test_a_department_stays_while_a_run_is_in_flight(stage: Stage) -> None:
    cursor, run = stage.follow(), a_run(stage)
    write_departments(stage, "story")
    cursor = stage.follow(cursor)
    assert known(stage)[1] == ["story", "visual", "music"]
    stage.instance.report_run_failed(run)
    stage.follow(cursor)
    assert known(stage)[1] == ["story"]


@pytest.mark.parametrize(
    "cursor",
    ["no json", "[]", '{"source": "gather_pipeline in SQLite", "compared_at": 9e9}', '{"store": "elsewhere", "projects": "99"}'],
    ids=["no json", "a list", "of an earlier release", "of another store"],
)
def test_a_cursor_of_any_other_shape_or_store_is_read_as_none(stage: Stage, cursor: str) -> None:
    stage.instance.delete_dynamic_partition("projects", PROJECT)
    stage.follow(cursor)
    assert known(stage)[0] == [PROJECT]


def test_an_unreadable_source_is_a_skip_with_its_reason_and_removes_nothing(stage: Stage) -> None:
    before, departments = known(stage), stage.studio.services.settings.departments
    departments.write_text("- slug: story\n- slug: story\n", encoding="utf-8")
    assert "row 1, field name is missing" in skipped(stage.ask(changes))
    departments.unlink()
    assert isinstance(stage.ask(changes), dg.SkipReason)
    assert known(stage) == before


def test_briefs_and_departments_are_reported_once_a_change(stage: Stage) -> None:
    cursor, projects = stage.follow(), stage.studio.services.projects
    projects.update(PROJECT, brief="Another brief.")
    projects.update(PROJECT, brief="A third brief.")
    stage.follow(stage.follow(cursor))
    briefs = stage.instance.fetch_observations(dg.AssetKey("briefs"), limit=9).records
    assert [record.partition_key for record in briefs] == [PROJECT, PROJECT]
    assert sorted(str(record.partition_key) for record in stage.events("departments")) == ["music", "story", "visual"]


def test_a_marked_department_is_looked_at_three_times_for_its_change_may_be_on_its_way(open_stage: Opener) -> None:
    stage = open_stage([department_row("story", 1, most=1)])
    stage.studio.run()
    cursor = stage.follow()
    stage.studio.services.marks.set(PROJECT, "story")
    cursor = stage.follow(cursor)
    assert json.loads(cursor)["looks"] == {key("story"): 2}
    found = stage.studio.records.item(stage.studio.view.items[0].id)
    assert found is not None
    stage.studio.records.change_item(found[0].changed("edited", "ana", "2031", content=WORDS), found[1])
    cursor = stage.follow(cursor)
    assert stage.shown("gather_items", key("story"))["changed by"] == "ana"
    cursor = stage.follow(cursor)
    assert json.loads(cursor)["looks"] == {}


def test_a_retired_department_waits_until_it_comes_back(stage: Stage) -> None:
    cursor = stage.follow()
    stage.studio.services.marks.set(PROJECT, "music")
    write_departments(stage, "story")
    for _ in range(4):
        cursor = stage.follow(cursor)
    assert json.loads(cursor)["looks"] == {key("music"): 3}
    write_departments(stage, "story", "music")
    assert json.loads(stage.follow(cursor))["looks"] == {key("music"): 2}


def test_a_project_that_cannot_be_read_keeps_no_other_waiting(open_stage: Opener) -> None:
    stage = open_stage([department_row("story", 1, most=1)])
    stage.studio.run()
    cursor = stage.follow()
    stage.break_a_project("aaa-broken")
    cursor = stage.follow(cursor)
    stage.edit("story", WORDS)
    result = stage.ask(changes, cursor)
    assert "project aaa-broken could not be looked at: " in skipped(result)
    assert stage.shown("gather_items", key("story"))["changed by"] == "ana"


def test_a_run_whose_process_is_gone_gives_its_place_in_the_queue_back(stage: Stage) -> None:
    dead, alive = a_run(stage, gather__project=PROJECT), a_run(stage, gather__project="other")
    services = stage.studio.services
    gone = Owner(task_id=dead.run_id, host=Owner.this_process("x").host, pid=2**22 + 1, started=0.0)
    services.leases.lease(PROJECT, gone, 30).take()
    for project_id, owner in ((PROJECT, gone), ("other", Owner.this_process(alive.run_id))):
        services.open_runs.note(project_id, owner, 30)
    with holding(services.leases.lease("other", Owner.this_process(alive.run_id), 30)):
        assert f"run {dead.run_id} is marked failed" in skipped(stage.ask(changes))
    statuses = {run.run_id: run.status for run in stage.instance.get_runs()}
    assert statuses == {dead.run_id: dg.DagsterRunStatus.FAILURE, alive.run_id: dg.DagsterRunStatus.STARTED}


def test_departments_follow_the_cms_at_one_request_a_tick_and_stay_while_it_is_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload, "ATTEMPTS", 1)
    with CmsServer(department("story", 1), department("visual", 2), department("music", 3)) as cms:
        settings = load_settings(_env_file=None, home=stage.studio.services.settings.home, cms_url=cms.url, payload_api_key=KEY)
        services = bootstrap.build_services(settings)
        there = replace(stage, studio=Studio(services=services, model=stage.studio.model))
        cursor, watched = there.follow(), cursor_of(there.ask(stale_departments))
        seen = len(there.events("departments"))
        cms.paths.clear()
        cms.rows[1]["updatedAt"] = "2031-01-01T00:00:00.000Z"
        cursor, watched = there.follow(cursor), cursor_of(there.ask(stale_departments, watched))
        watched = cursor_of(there.ask(stale_departments, watched))
        assert len(cms.paths) == 1
        assert len(there.events("departments")) == seen
        cms.rows[1]["isActive"] = False
        cms.rows[2]["name"] = {"en": "Score"}
        cms.rows.append(department("sound", 4, id=4))
        cursor = there.follow(cursor)
        assert known(there)[1] == ["story", "music", "sound"]
        assert [str(record.partition_key) for record in there.events("departments")][seen:] == ["music", "sound"]
        cms.faults.append(500)
        cursor = there.follow(cursor)
        assert known(there)[1] == ["story", "music", "sound"]
        monkeypatch.setattr(payload, "PATH", "/api/nothing")
        KeptDepartments._outages.clear()
        assert "HTTP 404: Route not found" in skipped(there.ask(changes, cursor))
        assert known(there)[1] == ["story", "music", "sound"]
        services.close()
