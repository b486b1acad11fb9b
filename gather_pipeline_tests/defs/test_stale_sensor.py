"""A changed brief or department requests what its prompts made stale, in department order, of projects that have begun."""

import json

import dagster as dg
import pytest

from gather_pipeline.defs.sensors.changes import stale_departments
from gather_pipeline.records.lease import Lease, Owner, holding
from gather_pipeline.records.registry import Projects
from gather_pipeline_tests.defs.conftest import Opener, Stage, configured, cursor_of, requests_of, skipped
from gather_pipeline_tests.harness import PROJECT, department_row

ROWS = (department_row("visual", 2, most=1), department_row("story", 1, most=1))
OTHER = "The clock keeper leaves Graz for good, and Ada has to wind the tower alone before the snow."


@pytest.fixture
def ran(open_stage: Opener) -> Stage:
    stage = open_stage(ROWS)
    stage.studio.run()
    return stage


def projects(stage: Stage) -> Projects:
    services = stage.studio.services
    return Projects(services.store, services.main_database, services.clock)


def test_a_changed_brief_requests_every_department_in_order_and_the_run_makes_them_fresh(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    projects(ran).update(PROJECT, brief=OTHER)
    (request,) = requests_of(first := ran.ask(stale_departments, cursor))
    assert request.job_name == "automated_gather_creation"
    assert configured(request) == (PROJECT, ["story", "visual"])
    assert request.tags == {"gather/project": PROJECT}
    calls = ran.studio.model.calls
    assert ran.execute(request).success
    assert ran.studio.model.calls > calls
    assert skipped(ran.ask(stale_departments, cursor_of(first))) == "No brief and no department changed since the last look"
    assert skipped(ran.ask(stale_departments, cursor)), "the same change read again finds nothing that is stale"


def test_model_calls_are_those_of_the_department_that_changed(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    ran.write_rows(ROWS[0], department_row("story", 1, most=1, description="Who wants what, and who is in the way."))
    (request,) = requests_of(ran.ask(stale_departments, cursor))
    assert configured(request) == (PROJECT, ["story"])
    before = len(ran.studio.model.requests)
    items = {slug: {item.id for item in ran.studio.repository.items(slug)} for slug in ("story", "visual")}
    assert ran.execute(request).success
    assert len(ran.studio.model.requests) > before
    assert {item.id for item in ran.studio.repository.items("visual")} == items["visual"]
    assert {item.id for item in ran.studio.repository.items("story")} > items["story"], "the run adds to what is there"


def test_nothing_changed_asks_for_nothing(ran: Stage) -> None:
    first = ran.ask(stale_departments)
    assert skipped(first) == "No brief and no department changed since the last look"
    second = ran.ask(stale_departments, cursor_of(first))
    assert skipped(second)
    assert cursor_of(second) == cursor_of(first)


def test_an_edit_alone_makes_no_department_run_again(ran: Stage) -> None:
    """That would cost model calls for a comma; the next run takes it up."""
    ran.edit("story", "The clock keeper counts the hour twice, because Ada asked him to.")
    projects(ran).create("Untouched", "A brief.", "never-run")
    assert skipped(ran.ask(stale_departments))


def test_a_brief_put_back_before_the_tick_asks_for_nothing_and_after_a_run_has_a_key_of_its_own(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    before = projects(ran).get(PROJECT).brief
    projects(ran).update(PROJECT, brief=OTHER)
    (there,) = requests_of(ran.ask(stale_departments, cursor))
    projects(ran).update(PROJECT, brief=before)
    assert skipped(ran.ask(stale_departments, cursor))
    projects(ran).update(PROJECT, brief=OTHER)
    (same,) = requests_of(ran.ask(stale_departments, cursor))
    assert same.run_key == there.run_key
    assert ran.execute(there).success
    projects(ran).update(PROJECT, brief=before)
    (back,) = requests_of(ran.ask(stale_departments, cursor))
    assert back.run_key != there.run_key


def test_a_new_department_counts_for_projects_that_have_begun(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    projects(ran).create("Untouched", "A brief.", "never-run")
    ran.write_rows(*ROWS, department_row("music", 3, most=1))
    (request,) = requests_of(ran.ask(stale_departments, cursor))
    assert configured(request) == (PROJECT, ["music"])
    assert ran.execute(request).success
    assert skipped(ran.ask(stale_departments, cursor))


def test_a_department_that_was_left_out_of_a_run_on_purpose_is_not_new(open_stage: Opener) -> None:
    stage = open_stage(ROWS)
    stage.studio.run(departments=("story",))
    assert skipped(stage.ask(stale_departments))


def test_a_retired_department_is_left_out_and_comes_back_when_it_comes_back(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    ran.write_rows({**ROWS[0], "isActive": False}, ROWS[1])
    projects(ran).update(PROJECT, brief=OTHER)
    (request,) = requests_of(result := ran.ask(stale_departments, cursor))
    assert configured(request) == (PROJECT, ["story"])
    assert ran.execute(request).success
    assert ran.studio.repository.items("visual"), "its items stay"
    ran.write_rows(*ROWS)
    (request,) = requests_of(ran.ask(stale_departments, cursor_of(result)))
    assert configured(request) == (PROJECT, ["visual"])


def test_a_busy_project_waits(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    projects(ran).update(PROJECT, brief=OTHER)
    services = ran.studio.services
    lease = Lease(services.store, services.main_database, PROJECT, Owner.this_process("other-run"), 30)
    with holding(lease, 30):
        held = ran.ask(stale_departments, cursor)
        assert skipped(held) == f"waiting for the run in flight of {PROJECT}"
    assert len(requests_of(ran.ask(stale_departments, cursor_of(held)))) == 1


def test_a_tick_that_fails_is_a_skip_and_a_lost_history_is_read_from_the_start(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(stale_departments))
    ran.studio.services.settings.departments.write_text("- slug: story\n", encoding="utf-8")
    result = ran.ask(stale_departments, cursor)
    assert isinstance(result, dg.SkipReason)
    assert skipped(result).startswith("Nothing was requested, for the sources cannot be read: ")
    ran.write_rows(*ROWS)
    other = json.dumps(json.loads(cursor) | {"projects": "0123456789abcdef.7.0123456789abcdef"})
    assert "read from the start" in skipped(ran.ask(stale_departments, other))
