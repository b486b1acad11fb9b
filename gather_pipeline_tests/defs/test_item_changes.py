"""People's edits drive a refresh of what they touched, and nothing else: one run a project, no model call."""

import json
from pathlib import Path
from secrets import token_hex

import dagster as dg
import pytest

from gather_pipeline.defs.jobs.refresh import refresh_request
from gather_pipeline.defs.sensors.changes import item_changes
from gather_pipeline.defs.sensors.partitions import partitions
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.projects import project_database
from gather_pipeline.people.edit import Texts
from gather_pipeline.records.lease import Lease, Owner, holding
from gather_pipeline.records.marks import TOUCHED, Touched
from gather_pipeline.records.project import EMBEDDINGS, SCORES, GatherRepository
from gather_pipeline.records.registry import PROJECTS
from gather_pipeline_tests.defs.conftest import Opener, Stage, configured, cursor_of, failure_of, requests_of, skipped
from gather_pipeline_tests.harness import PROJECT, department_row
from gather_pipeline_tests.mongo_server import drop

WORDS = "The clock keeper counts the hour twice, because Ada asked him to, and nobody else hears the second bell."
ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1))


@pytest.fixture
def ran(open_stage: Opener) -> Stage:
    """A stage whose project has run, without a Dagster run of it."""
    stage = open_stage(ROWS)
    stage.studio.run()
    return stage


def test_an_edit_is_embedded_and_scored_again_and_nothing_else(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    before = {row["_id"]: row for row in ran.studio.repository.rows(SCORES)}
    embedded = {row["_id"]: row for row in ran.studio.repository.rows(EMBEDDINGS)}
    item, calls = ran.edit("story", WORDS), ran.studio.model.calls
    (request,) = requests_of(ran.ask(item_changes, cursor))
    assert configured(request) == (PROJECT, ["story"])
    assert request.tags == {"gather/project": PROJECT}
    result = ran.execute(request)
    assert result.success
    assert ran.studio.model.calls == calls
    after = {row["_id"]: row for row in ran.studio.repository.rows(SCORES)}
    assert after["story"] != before["story"]
    assert after["visual"] == before["visual"]
    changed = [row for row in ran.studio.repository.rows(EMBEDDINGS) if row != embedded.get(row["_id"])]
    assert [row["item_id"] for row in changed] == [item.id]
    assert {str(record.partition_key) for record in ran.events("quality_scores")} == {f"story|{PROJECT}"}


def test_no_change_asks_for_no_run(ran: Stage) -> None:
    first = ran.ask(item_changes)
    assert skipped(first) == "No item was changed by people since the last look"
    assert skipped(ran.ask(item_changes, cursor_of(first))) == "No item was changed by people since the last look"


def test_an_edit_taken_back_asks_for_no_run(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    before = ran.studio.repository.items("story")[0]
    ran.edit("story", WORDS)
    ran.people().edit(before.id, Texts(content=before.content, summary=before.summary), "ana")
    assert skipped(ran.ask(item_changes, cursor))


def test_the_same_state_has_one_key_and_one_that_comes_back_after_a_run_has_another(ran: Stage) -> None:
    """The key is what keeps Dagster from starting a run twice, so a state that was dealt with must not lend its key to a later one."""
    cursor = cursor_of(ran.ask(item_changes))
    before = ran.studio.repository.items("story")[0]
    ran.edit("story", WORDS)
    (first,) = requests_of(ran.ask(item_changes, cursor))
    (same,) = requests_of(ran.ask(item_changes, cursor))
    assert first.run_key == same.run_key
    assert ran.execute(first).success
    ran.people().edit(before.id, Texts(content=before.content, summary=before.summary), "ana")
    (back,) = requests_of(ran.ask(item_changes, cursor))
    assert ran.execute(back).success
    ran.edit("story", WORDS)
    (again,) = requests_of(ran.ask(item_changes, cursor))
    assert len({first.run_key, back.run_key, again.run_key}) == 3


def test_several_departments_are_one_run_in_department_order(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    ran.edit("visual", WORDS)
    ran.people().delete(ran.studio.repository.items("story")[0].id, "ben")
    (request,) = requests_of(ran.ask(item_changes, cursor))
    assert configured(request) == (PROJECT, ["story", "visual"])


def test_a_change_under_way_is_looked_at_again_until_it_is_over(ran: Stage) -> None:
    """A process that is killed between its mark and its write, or after it, is missed by nobody."""
    cursor = cursor_of(ran.ask(item_changes))
    services = ran.studio.services
    with Touched(services.store, services.main_database, services.clock).changing(PROJECT, "story"):
        cursor = cursor_of(ran.ask(item_changes, cursor))
        waiting = json.loads(cursor)["waiting"]
        assert waiting == {f"story|{PROJECT}": 29}
        repository = ran.studio.repository
        found = repository.item(repository.items("story")[0].id)
        assert found is not None
        repository.change_item(found[0].changed("edited", "ana", "now", content=WORDS), found[1])
        assert len(requests_of(ran.ask(item_changes, cursor))) == 1
    for _ in range(40):
        cursor = cursor_of(ran.ask(item_changes, cursor))
    assert json.loads(cursor)["waiting"] == {}


def test_a_busy_project_waits_and_is_asked_for_afterwards(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    ran.edit("story", WORDS)
    services = ran.studio.services
    lease = Lease(services.store, services.main_database, PROJECT, Owner.this_process("other-run"), 30)
    with holding(lease, 30):
        held = ran.ask(item_changes, cursor)
        assert skipped(held) == f"waiting for the run in flight of {PROJECT}"

    @dg.job
    def anything() -> None: ...

    run = ran.instance.create_run_for_job(anything, tags={"gather/project": PROJECT}, status="STARTED")
    held = ran.ask(item_changes, cursor_of(held))
    assert skipped(held) == f"waiting for the run in flight of {PROJECT}"
    ran.instance.report_run_failed(run)
    assert len(requests_of(ran.ask(item_changes, cursor_of(held)))) == 1


def test_a_tick_that_fails_is_a_skip_and_keeps_its_cursor(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    ran.edit("story", WORDS)
    departments = ran.studio.services.settings.departments
    rows = departments.read_text(encoding="utf-8")
    departments.write_text("- slug: story\n", encoding="utf-8")
    result = ran.ask(item_changes, cursor)
    assert isinstance(result, dg.SkipReason)
    assert "the sources cannot be read: " in skipped(result)
    assert "row 1, field name is missing" in skipped(result)
    departments.write_text(rows, encoding="utf-8")
    assert len(requests_of(ran.ask(item_changes, cursor))) == 1


def test_a_store_put_back_from_a_copy_is_read_from_the_start(ran: Stage) -> None:
    ran.edit("story", WORDS)
    (request,) = requests_of(first := ran.ask(item_changes))
    assert ran.execute(request).success
    other = json.dumps(json.loads(cursor_of(first)) | {"marks": "0123456789abcdef.7.0123456789abcdef"})
    result = ran.ask(item_changes, other)
    assert skipped(result) == "the store was put back from a copy or is another one, so its changes were read from the start"
    assert json.loads(cursor_of(result))["marks"] == json.loads(cursor_of(first))["marks"]
    assert skipped(ran.ask(item_changes, "not a cursor")) == "No item was changed by people since the last look"


def test_a_retired_department_is_left_out_and_its_items_stay_until_it_comes_back(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    ran.edit("story", WORDS)
    ran.write_rows({**ROWS[0], "isActive": False}, ROWS[1])
    result = ran.ask(item_changes, cursor)
    assert skipped(result)
    assert ran.execute(refresh_request(PROJECT, ["story"], "k")).success, "a run that was asked for before leaves it out, too"
    assert ran.studio.repository.rows(SCORES, {"_id": "story"})[0]["_version"] == 1
    assert ran.studio.repository.items("story")
    ran.write_rows(*ROWS)
    (request,) = requests_of(ran.ask(item_changes, cursor_of(result)))
    assert configured(request) == (PROJECT, ["story"])


def test_a_project_that_cannot_be_read_keeps_no_other_waiting(ran: Stage) -> None:
    cursor, settled = cursor_of(ran.ask(item_changes)), cursor_of(ran.ask(partitions))
    ran.break_a_project("aaa-broken")
    result = ran.ask(item_changes, cursor)
    assert skipped(result).startswith("project aaa-broken could not be looked at: ")
    ran.edit("story", WORDS)
    (request,) = requests_of(result := ran.ask(item_changes, cursor_of(result)))
    assert configured(request) == (PROJECT, ["story"])
    assert list(json.loads(cursor_of(result))["waiting"]) == ["story|aaa-broken"]
    settled = cursor_of(ran.ask(partitions, settled))
    assert ran.shown("gather_items", f"story|{PROJECT}")["changed by"] == "ana"
    ran.instance.add_dynamic_partitions("projects", ["aaa-broken"])
    assert "project aaa-broken could not be looked at: " in skipped(ran.ask(partitions, settled))


def test_a_retired_neighbour_that_loses_an_item_is_not_scored(open_stage: Opener) -> None:
    """Even one whose row has left the source altogether, which nobody could score."""
    stage = open_stage(ROWS)
    stage.studio.run()
    repeated = stage.studio.repository.items("visual")[0]
    stage.edit("story", repeated.content)
    stage.write_rows(ROWS[0])
    assert stage.execute(refresh_request(PROJECT, ["story"], "k")).success
    assert repeated.id not in stage.studio.state()
    assert stage.studio.repository.rows(SCORES, {"_id": "visual"})[0]["_version"] == 1


def test_a_project_that_is_gone_is_forgotten(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(item_changes))
    ran.edit("story", WORDS)
    services = ran.studio.services
    services.store.delete(services.main_database, PROJECTS, {"_id": PROJECT})
    assert json.loads(cursor_of(ran.ask(item_changes, cursor)))["waiting"] == {}
    assert "project id is 'ghost'" in failure_of(ran.execute(refresh_request("ghost", ["story"], "k")))


def test_a_storm_of_edits_is_one_run_a_project(ran: Stage, tmp_path: Path) -> None:
    """10,000 edits in 700 departments of 100 projects, all at once; a tenth of them through a later tick."""
    services, names = ran.studio.services, [f"p{number:03d}" for number in range(100)]
    slugs = [f"d{number}" for number in range(7)]
    ran.write_rows(*(department_row(slug, number) for number, slug in enumerate(slugs)))
    cursor = cursor_of(ran.ask(item_changes))
    rows = [{"_id": name, "name": name, "brief": "A brief.", "created_at": f"2031-{name}"} for name in names]
    services.store.insert_many(services.main_database, PROJECTS, rows)
    for name in names:
        written = [
            Item(
                id=f"{slug}-{place}", department=slug, iteration=0, task_id="", project_id=name, content=f"{WORDS} {place}", summary="s",
                context="", origin="person", written_by="ana",
            )
            for place in range(100)
            for slug in [slugs[place % 7]]
        ]  # fmt: skip
        GatherRepository(services.store, name).add_items(written)
    marks = [
        {"_id": f"{name}|{slug}", "project_id": name, "department": slug, "open": False, "at": "now"} for name in names for slug in slugs
    ]
    services.store.insert_many(services.main_database, TOUCHED, marks)
    result = ran.ask(item_changes, cursor)
    assert sorted(configured(request) for request in requests_of(result)) == [(name, slugs) for name in names]
    assert skipped(ran.ask(item_changes, cursor_of(result)))


def test_an_edit_in_mongodb_is_taken_up_as_in_sqlite(open_stage: Opener, mongo_uri: str, request: pytest.FixtureRequest) -> None:
    database = f"changes-{token_hex(4)}"
    drop(mongo_uri, project_database(PROJECT))
    request.addfinalizer(lambda: drop(mongo_uri, database, project_database(PROJECT)))
    stage = open_stage(ROWS, mongodb_uri=mongo_uri, mongodb_db=database)
    stage.studio.run()
    cursor = cursor_of(stage.ask(item_changes))
    item, calls = stage.edit("story", WORDS), stage.studio.model.calls
    (wanted,) = requests_of(stage.ask(item_changes, cursor))
    assert configured(wanted) == (PROJECT, ["story"])
    assert stage.execute(wanted).success
    assert stage.studio.model.calls == calls
    assert item.id in stage.studio.repository.vectors([item], stage.studio.services.embedder.name)
