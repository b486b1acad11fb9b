"""What Dagster calls stale and fresh, decided by data version: nothing is stale without a reason, and what is behind is."""

import dagster as dg
import pytest

from gather_pipeline.definitions import defs
from gather_pipeline.defs import versions
from gather_pipeline.defs.jobs.refresh import refresh_request
from gather_pipeline.defs.sensors.changes import item_changes
from gather_pipeline.defs.sensors.partitions import partitions
from gather_pipeline.people.edit import Texts
from gather_pipeline.records.lease import Lease, Owner, holding
from gather_pipeline_tests.defs.conftest import BEHIND, BY_DEPARTMENT, FRESH, Opener, Stage, configured, cursor_of, key, requests_of
from gather_pipeline_tests.harness import PROJECT, department_row

WORDS = "The clock keeper counts the hour twice, because Ada asked him to, and nobody else hears the second bell."
ROWS = (department_row("story", 1), department_row("visual", 2))


@pytest.fixture
def ran(open_stage: Opener) -> Stage:
    """A stage whose project was run by the job, as the command line and the sensors do."""
    stage = open_stage(ROWS)
    assert stage.execute(automation()).success
    return stage


def automation(*slugs: str) -> dg.RunRequest:
    config = {"project_id": PROJECT, "departments": list(slugs)}
    return dg.RunRequest(job_name="automated_gather_creation", run_config={"ops": {"gather_project": {"config": config}}})


def test_the_families_say_of_their_assets_what_the_graph_says() -> None:
    graph = defs.resolve_asset_graph()
    for name, family in versions.FAMILIES.items():
        node = graph.get(dg.AssetKey(name))
        assert {parent.to_user_string() for parent in node.parent_keys} == set(family.upstream)
        assert node.code_version == family.code_version
    assert graph.get(dg.AssetKey("departments")).code_version == "1"


def test_everything_is_fresh_after_a_run_of_the_job_and_after_a_second_one(ran: Stage) -> None:
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)
    counts = {family: len(ran.events(family)) for family in BY_DEPARTMENT}
    assert ran.execute(automation()).success
    assert {family: len(ran.events(family)) for family in BY_DEPARTMENT} == counts
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)


def test_an_edit_shows_at_the_next_tick_and_is_fresh_after_the_sensor_s_run(ran: Stage) -> None:
    settled = ran.ask(partitions)
    watched = ran.ask(item_changes)
    ran.edit("story", WORDS)
    assert ran.status("story") == FRESH
    result = ran.ask(partitions, cursor_of(settled))
    assert isinstance(result, dg.SensorResult)
    assert "1 events were logged" in str(result.skip_reason)
    assert (ran.status("story"), ran.status("visual")) == (BEHIND, FRESH)
    shown = ran.shown("gather_items", key("story"))
    assert (shown["changed by"], shown["last change"], shown["items that people wrote or changed"]) == ("ana", "edited", 1)
    (request,) = requests_of(ran.ask(item_changes, cursor_of(watched)))
    assert configured(request) == (PROJECT, ["story"])
    assert ran.execute(request).success
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)
    again = ran.ask(partitions, cursor_of(result))
    assert isinstance(again, dg.SensorResult)
    assert "events were logged" not in str(again.skip_reason)


def test_an_edit_that_is_taken_back_leaves_nothing_stale(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(partitions))
    item = ran.studio.repository.items("story")[0]
    ran.people().edit(item.id, Texts(content=WORDS), "ana")
    cursor = cursor_of(ran.ask(partitions, cursor))
    assert ran.status("story") == BEHIND
    ran.people().edit(item.id, Texts(content=item.content, summary=item.summary), "ana")
    ran.ask(partitions, cursor)
    assert ran.status("story") == FRESH
    assert ran.version("gather_items", key("story")) == ran.studio.repository.data_version("story")


def test_a_range_gets_each_partition_s_own_versions_back(open_stage: Opener) -> None:
    """Dagster gives a run of many partitions one version; an edit taken back would otherwise stay stale for ever."""
    stage = open_stage(ROWS)
    cursor = cursor_of(stage.ask(partitions))
    assert stage.materialize(*BY_DEPARTMENT, between=(key("story"), key("visual"))).success
    assert stage.version("gather_items", key("story")) == stage.version("gather_items", key("visual"))
    before = stage.shown("gather_items", key("story"))
    cursor = cursor_of(stage.ask(partitions, cursor))
    for slug in ("story", "visual"):
        assert stage.version("gather_items", key(slug)) == stage.studio.repository.data_version(slug)
        assert stage.status(slug) == FRESH
    assert stage.shown("gather_items", key("story")) == before, "the event of the same state keeps what it shows"
    counts = {family: len(stage.events(family)) for family in BY_DEPARTMENT}
    stage.ask(partitions, cursor)
    assert {family: len(stage.events(family)) for family in BY_DEPARTMENT} == counts


def test_items_materialized_alone_leave_their_score_and_draft_fresh(open_stage: Opener) -> None:
    stage = open_stage(ROWS)
    cursor = cursor_of(stage.ask(partitions))
    assert stage.materialize("gather_items", partition_key=key("story")).success
    stage.ask(partitions, cursor)
    assert stage.status("story") == FRESH


def test_a_changed_department_leaves_only_its_own_items_stale(ran: Stage) -> None:
    """All departments of a project stand in one event of `departments`; the others' prompts used nothing of what changed."""
    cursor = cursor_of(ran.ask(partitions))
    ran.write_rows(department_row("story", 1, threshold=98), ROWS[1])
    assert ran.materialize("departments", partition_key=PROJECT).success
    assert (ran.status("story")["gather_items"], ran.status("visual")["gather_items"]) == ("STALE", "STALE")
    cursor = cursor_of(ran.ask(partitions, cursor))
    assert (ran.status("story")["gather_items"], ran.status("visual")) == ("STALE", FRESH)
    ran.edit("story", WORDS)
    ran.ask(partitions, cursor)
    assert ran.status("story")["gather_items"] == "STALE", "an edit is no run: the prompts still used the department as it was"
    assert ran.execute(automation("story")).success
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)


def test_a_changed_threshold_shows_with_the_score_and_whether_it_is_reached_after_a_refresh(ran: Stage) -> None:
    ran.write_rows(department_row("story", 1, threshold=1), ROWS[1])
    assert ran.execute(refresh_request(PROJECT, ["story"], "again")).success
    shown = ran.shown("quality_scores", key("story"))
    assert (shown["threshold"], shown["threshold reached"]) == (1, True)


def test_a_score_by_another_scorer_is_not_called_fresh(ran: Stage) -> None:
    stored = versions.Stored(services=ran.studio.services, project_id=PROJECT, slug="story", task_id="")
    repository = ran.studio.repository
    repository.store.update(repository.database, "quality_scores", "story", {"version": "0"})
    assert versions.due("quality_scores", stored, versions.Events(instance=ran.instance), again=True) is None


def test_a_score_that_was_left_out_is_not_called_fresh(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(partitions))
    ran.write_rows(department_row("story", 1, most=3), ROWS[1])
    config = {"project_id": PROJECT, "departments": ["story"], "enable_auto_evaluation": False}
    request = dg.RunRequest(job_name="automated_gather_creation", run_config={"ops": {"gather_project": {"config": config}}})
    assert ran.execute(request).success
    assert ran.studio.repository.iterations("story")[-1].number > 2
    ran.ask(partitions, cursor)
    assert ran.status("story") == FRESH | {"quality_scores": "STALE"}


def test_a_project_with_a_run_in_flight_is_looked_at_after_it(ran: Stage) -> None:
    cursor = cursor_of(ran.ask(partitions))
    ran.edit("story", WORDS)
    services = ran.studio.services
    lease = Lease(services.store, services.main_database, PROJECT, Owner.this_process("other-run"), 30)
    with holding(lease, 30):
        cursor = cursor_of(ran.ask(partitions, cursor))
        assert ran.status("story") == FRESH
    ran.ask(partitions, cursor)
    assert ran.status("story") == BEHIND


def test_a_person_s_item_in_a_department_that_never_ran_shows_and_is_scored(ran: Stage) -> None:
    ran.write_rows(*ROWS, department_row("music", 3))
    cursor = cursor_of(ran.ask(partitions))
    services = ran.studio.services
    ran.people().add(PROJECT, "music", Texts(content=WORDS), "ana", services.departments)
    ran.ask(partitions, cursor)
    assert ran.shown("gather_items", key("music"))["last change"] == "added"
    assert ran.status("music") == dict.fromkeys(BY_DEPARTMENT, "MISSING") | {"gather_items": "FRESH"}
    (request,) = requests_of(ran.ask(item_changes))
    assert configured(request) == (PROJECT, ["music"])
    assert ran.execute(request).success
    assert ran.status("music") == FRESH
