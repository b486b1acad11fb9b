"""The sensors that start runs: refreshes of what people changed, and runs of what a changed brief or department made stale."""

import json

import pytest

from gather_pipeline.defs.sensors.requests import item_changes, stale_departments
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline_tests.defs.conftest import Opener, Stage, asked, cursor_of, key, requests_of, skipped
from gather_pipeline_tests.harness import PROJECT, department_row

ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1))
WORDS = "The clock keeper counts the hour twice, because Ada asked him to, and nobody else hears the second bell."
OTHER = "The clock keeper leaves Graz for good, and Ada has to wind the tower alone before the snow."
IDLE = "No brief and no department changed since the last look"


@pytest.fixture
def ran(open_stage: Opener) -> Stage:
    """A stage whose project has run, without a Dagster run of it."""
    stage = open_stage(ROWS)
    stage.studio.run()
    return stage


def test_an_edit_is_embedded_and_scored_again_and_nothing_else(ran: Stage) -> None:
    cursor, before = ran.follow(), ran.studio.view
    scores, old = before.scores, {(one.item_id, one.content_hash) for one in before.embeddings}
    item, calls = ran.edit("story", WORDS), ran.studio.model.calls
    assert skipped(ran.ask(item_changes))
    ran.follow(cursor)
    (request,) = requests_of(first := ran.ask(item_changes))
    assert (request.job_name, asked(request)) == ("refresh_departments", (key("story"), key("story")))
    assert ran.execute(request).success
    after = ran.studio.view
    assert ran.studio.model.calls == calls
    assert after.scores["story"] != scores["story"]
    assert after.scores["visual"] == scores["visual"]
    assert [one.item_id for one in after.embeddings if (one.item_id, one.content_hash) not in old] == [item.id]
    assert {record.partition_key for record in ran.events("quality_scores")} == {key("story")}
    assert skipped(ran.ask(item_changes, cursor_of(first))) == "No item was changed by people since the last look"
    assert skipped(ran.ask(item_changes)), "read from the start, nothing is behind any more"


def test_edits_in_departments_beside_each_other_are_one_run(ran: Stage) -> None:
    cursor = ran.follow()
    ran.edit("visual", WORDS)
    ran.change(ran.studio.view.items_of("story")[0], "deleted", state="deleted")
    ran.follow(cursor)
    (request,) = requests_of(ran.ask(item_changes))
    assert asked(request) == (key("story"), key("visual"))


def test_a_changed_brief_requests_every_department_and_the_run_makes_them_fresh(ran: Stage) -> None:
    cursor, watched = ran.follow(), cursor_of(ran.ask(stale_departments))
    ran.studio.services.projects.update(PROJECT, brief=OTHER)
    ran.follow(cursor)
    (request,) = requests_of(first := ran.ask(stale_departments, watched))
    assert (request.job_name, asked(request)) == ("automated_gather_creation", (key("story"), key("visual")))
    calls = ran.studio.model.calls
    assert ran.execute(request).success
    assert ran.studio.model.calls > calls
    assert skipped(ran.ask(stale_departments, cursor_of(first))) == IDLE
    assert skipped(ran.ask(stale_departments, watched)), "the same change read again finds nothing that is stale"


def test_model_calls_are_those_of_the_department_that_changed(ran: Stage) -> None:
    cursor, watched = ran.follow(), cursor_of(ran.ask(stale_departments))
    ran.write_rows(department_row("story", 1, most=1, description="Who wants what, and who is in the way."), ROWS[1])
    ran.follow(cursor)
    (request,) = requests_of(ran.ask(stale_departments, watched))
    assert asked(request) == (key("story"), key("story"))


def test_switched_on_it_takes_up_what_is_stale_already(ran: Stage) -> None:
    ran.studio.services.projects.update(PROJECT, brief=OTHER)
    assert len(requests_of(ran.ask(stale_departments))) == 1
    assert len(requests_of(ran.ask(stale_departments, '{"departments": {"story": "a cursor of an earlier release"}}'))) == 1


def test_an_edit_alone_makes_no_department_run_again(ran: Stage) -> None:
    """That would cost model calls for a comma; the next run takes it up."""
    cursor, watched = ran.follow(), cursor_of(ran.ask(stale_departments))
    ran.edit("story", WORDS)
    ran.studio.services.projects.create("Untouched", "A brief.", "never-run")
    ran.follow(cursor)
    assert skipped(ran.ask(stale_departments, watched)) == IDLE


def test_a_new_department_counts_for_projects_that_have_begun(ran: Stage) -> None:
    cursor, watched = ran.follow(), cursor_of(ran.ask(stale_departments))
    ran.write_rows(*ROWS, department_row("music", 3, most=1))
    ran.follow(cursor)
    (request,) = requests_of(ran.ask(stale_departments, watched))
    assert asked(request) == (key("music"), key("music"))


def test_a_department_that_dagster_does_not_know_yet_waits_for_its_key(ran: Stage) -> None:
    cursor = ran.follow()
    ran.write_rows(*ROWS, department_row("music", 3, most=1))
    held = ran.ask(stale_departments)
    assert skipped(held) == f"waiting for the sensor changes to add departments of {PROJECT}"
    ran.follow(cursor)
    (request,) = requests_of(ran.ask(stale_departments, cursor_of(held)))
    assert asked(request) == (key("music"), key("music"))


def test_a_busy_project_waits(ran: Stage) -> None:
    cursor, watched, services = ran.follow(), cursor_of(ran.ask(stale_departments)), ran.studio.services
    services.projects.update(PROJECT, brief=OTHER)
    ran.follow(cursor)
    with holding(services.leases.lease(PROJECT, Owner.this_process("other-run"), 30)):
        held = ran.ask(stale_departments, watched)
        assert skipped(held) == f"waiting for the run in flight of {PROJECT}"
        assert json.loads(cursor_of(held))["waiting"] == [PROJECT]
    assert len(requests_of(ran.ask(stale_departments, cursor_of(held)))) == 1


def test_a_tick_that_fails_is_a_skip(ran: Stage) -> None:
    ran.studio.services.settings.departments.write_text("- slug: story\n", encoding="utf-8")
    assert skipped(ran.ask(stale_departments)).startswith("Nothing was requested, for the sources cannot be read: ")
