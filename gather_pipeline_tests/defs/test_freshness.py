"""What Dagster calls stale, fresh and missing: nothing is stale without a reason, what is behind is, and what nobody began is missing."""

from typing import Any

import dagster as dg
import pytest

from gather_pipeline.adapters.models.scripted import ScriptedModel
from gather_pipeline.defs.jobs import gather_request, refresh_requests
from gather_pipeline.defs.sensors.requests import item_changes
from gather_pipeline.domain.items import Item
from gather_pipeline.errors import ModelRefused
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline_tests.defs.conftest import BEHIND, BY_DEPARTMENT, FRESH, MISSING, Opener, Stage, asked, key, requests_of
from gather_pipeline_tests.harness import PROJECT, department_row

WORDS = "The clock keeper counts the hour twice, because Ada asked him to, and nobody else hears the second bell."
OTHER = "The clock keeper leaves Graz for good, and Ada has to wind the tower alone before the snow."
ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1))


@pytest.fixture
def ran(open_stage: Opener) -> Stage:
    """A stage whose project was run by the job, as the command line and the sensors do."""
    stage = open_stage(ROWS)
    assert stage.execute(automation(stage, "story", "visual")).success
    return stage


def automation(stage: Stage, *slugs: str) -> dg.RunRequest:
    return gather_request(stage.instance, PROJECT, slugs, "k")


def test_everything_is_fresh_after_a_run_of_the_job_and_after_a_second_one(ran: Stage) -> None:
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)
    versions = {asset: ran.version(asset, key("story")) for asset in BY_DEPARTMENT}
    calls = ran.studio.model.calls
    assert ran.execute(automation(ran, "story", "visual")).success
    assert ran.studio.model.calls == calls
    assert {asset: ran.version(asset, key("story")) for asset in BY_DEPARTMENT} == versions, "unchanged partitions keep their version"
    assert ran.materialize("gather_items", partition_key=key("story")).success
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH), "looked at alone and unchanged: nothing downstream is stale"


def test_one_materialization_is_one_event_of_its_run_with_its_checks_and_ticks_log_none_anew(ran: Stage) -> None:
    counts = ran.counts()
    assert counts == dict.fromkeys(BY_DEPARTMENT, 2)
    cursor = ran.follow()
    for _ in range(4):
        cursor = ran.follow(cursor)
    assert ran.counts() == counts
    (run,) = ran.instance.get_runs()
    assert {record.run_id for asset in BY_DEPARTMENT for record in ran.events(asset)} == {run.run_id}


def test_an_asset_sensor_of_a_user_fires_once_a_materialization(open_stage: Opener) -> None:
    @dg.asset_sensor(asset_key=dg.AssetKey("quality_scores"), job_name="anything")
    def on_score(context: dg.SensorEvaluationContext, event: dg.EventLogEntry) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.cursor)

    stage, fired, cursor, followed = open_stage(ROWS), 0, None, None
    assert stage.materialize(*BY_DEPARTMENT, partition_key=key("story")).success
    for _ in range(4):
        followed = stage.follow(followed)
        context = dg.build_sensor_context(instance=stage.instance, cursor=cursor, repository_def=_users(on_score))
        fired += len(on_score.evaluate_tick(context).run_requests or [])
        cursor = context.cursor
    assert fired == 1


def _users(sensor: dg.SensorDefinition) -> dg.RepositoryDefinition:
    @dg.job
    def anything() -> None: ...

    return dg.Definitions(jobs=[anything], sensors=[sensor]).get_repository_def()


def test_what_nobody_began_is_missing(open_stage: Opener) -> None:
    stage = open_stage(ROWS)
    assert stage.materialize("departments", partition_key="story").success
    assert stage.execute(automation(stage, "visual")).success
    cursor = stage.follow()
    for _ in range(3):
        cursor = stage.follow(cursor)
    assert (stage.status("story"), stage.status("visual")) == (MISSING, FRESH)
    assert stage.materialize("embeddings", "quality_scores", "drafts", partition_key=key("story")).success
    assert stage.status("story") == MISSING, "asked for by itself, it is missing too: there is nothing to embed"


def test_a_run_that_stops_early_leaves_missing_what_it_did_not_begin(open_stage: Opener) -> None:
    stage = open_stage([department_row("story", 1), department_row("visual", 2)])
    result = stage.materialize(*BY_DEPARTMENT, between=(key("story"), key("visual")), max_iterations=1)
    assert result.success
    assert [record.partition_key for record in stage.events("gather_items")] == [key("story")]
    assert (stage.status("story"), stage.status("visual")) == (FRESH, MISSING)
    assert stage.materialize(*BY_DEPARTMENT, between=(key("story"), key("visual"))).success
    assert (stage.status("story"), stage.status("visual")) == (FRESH, FRESH)


def test_departments_with_others_between_them_are_run_and_shown_without_those(open_stage: Opener) -> None:
    stage = open_stage([*ROWS, department_row("music", 3, most=1)])
    assert stage.execute(automation(stage, "story", "music")).success
    assert {item.department for item in stage.studio.view.items} == {"story", "music"}
    assert [stage.status(slug) for slug in ("story", "visual", "music")] == [FRESH, MISSING, FRESH]


def test_a_failed_automation_fails_the_run_with_its_reason_and_shows_what_ended_before(open_stage: Opener) -> None:
    class Refusing(ScriptedModel):
        async def complete(self, request: Any) -> Any:
            if "visual" in str(request.messages).lower().split("story")[0]:
                raise ModelRefused("the key is not valid")
            return await super().complete(request)

    stage = open_stage(ROWS, body=Refusing())
    result = stage.materialize(*BY_DEPARTMENT, between=(key("story"), key("visual")))
    assert not result.success
    assert (stage.status("story"), stage.status("visual")) == (FRESH, MISSING)


def test_an_edit_shows_at_the_next_tick_and_is_fresh_after_the_sensor_s_run(ran: Stage) -> None:
    cursor = ran.follow()
    ran.edit("visual", WORDS)
    assert ran.status("visual") == FRESH
    cursor = ran.follow(cursor)
    assert (ran.status("visual"), ran.status("story")) == (BEHIND, FRESH)
    shown = ran.shown("gather_items", key("visual"))
    assert (shown["changed by"], shown["last change"], shown["items that people wrote or changed"]) == ("ana", "edited", 1)
    (request,) = requests_of(ran.ask(item_changes))
    assert asked(request) == (key("visual"), key("visual"))
    assert ran.execute(request).success
    assert (ran.status("visual"), ran.status("story")) == (FRESH, FRESH)
    counts = ran.counts()
    for _ in range(4):
        cursor = ran.follow(cursor)
    assert ran.counts() == counts


def test_an_edit_that_is_taken_back_is_one_event_more_and_its_content_has_the_version_of_its_content(ran: Stage) -> None:
    cursor = ran.follow()
    item = ran.studio.view.items_of("story")[0]
    edited = ran.edit("story", WORDS)
    cursor = ran.follow(cursor)
    ran.change(edited, "edited", content=item.content)
    ran.follow(cursor)
    assert ran.version("gather_items", key("story")) == ran.studio.view.version("story")
    assert len(ran.events("gather_items", key("story"))) == 3


def test_a_changed_brief_shows_as_stale_and_one_put_back_does_not(ran: Stage) -> None:
    cursor, projects = ran.follow(), ran.studio.services.projects
    before = projects.get(PROJECT).brief
    projects.update(PROJECT, brief=OTHER)
    cursor = ran.follow(cursor)
    assert (ran.status("story"), ran.status("visual")) == (FRESH | {"gather_items": "STALE"},) * 2
    projects.update(PROJECT, brief=before)
    cursor = ran.follow(cursor)
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)
    projects.update(PROJECT, brief=OTHER)
    ran.follow(cursor)
    assert ran.execute(automation(ran, "story", "visual")).success
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)


def test_a_changed_department_leaves_only_its_own_items_stale(ran: Stage) -> None:
    cursor = ran.follow()
    ran.write_rows(ROWS[0], department_row("visual", 2, most=1, threshold=98))
    cursor = ran.follow(cursor)
    assert (ran.status("visual"), ran.status("story")) == (FRESH | {"gather_items": "STALE"}, FRESH)
    ran.edit("visual", WORDS)
    ran.follow(cursor)
    assert ran.status("visual")["gather_items"] == "STALE", "an edit is no run: the prompts still used the department as it was"
    assert ran.execute(automation(ran, "visual")).success
    assert (ran.status("visual"), ran.status("story")) == (FRESH, FRESH)


def test_a_note_of_another_department_that_the_prompts_used_leaves_them_stale(ran: Stage) -> None:
    cursor = ran.follow()
    used = set(ran.studio.view.history("visual")[-1].inputs.context)
    note = next(item for item in ran.studio.view.items_of("story") if item.id in used)
    ran.change(note, "edited", content=WORDS)
    cursor = ran.follow(cursor)
    assert ran.status("visual") == FRESH | {"gather_items": "STALE"}
    assert ran.execute(automation(ran, "story", "visual")).success
    ran.follow(cursor)
    assert (ran.status("story"), ran.status("visual")) == (FRESH, FRESH)


def test_a_changed_threshold_shows_with_the_score_and_whether_it_is_reached_after_a_refresh(ran: Stage) -> None:
    ran.write_rows(department_row("story", 1, most=1, threshold=1), ROWS[1])
    (request,) = refresh_requests(ran.instance, PROJECT, ["story"], "again")
    assert ran.execute(request).success
    shown = ran.shown("quality_scores", key("story"))
    assert (shown["threshold"], shown["threshold reached"]) == (1, True)


def test_a_project_with_a_run_in_flight_is_looked_at_after_it(ran: Stage) -> None:
    cursor, services = ran.follow(), ran.studio.services
    ran.edit("story", WORDS)
    with holding(services.leases.lease(PROJECT, Owner.this_process("other-run"), 30)):
        for _ in range(4):
            cursor = ran.follow(cursor)
        assert ran.status("story") == FRESH
    ran.follow(cursor)
    assert ran.status("story") == BEHIND


def test_a_person_s_item_in_a_department_that_never_ran_shows_and_is_scored(ran: Stage) -> None:
    ran.write_rows(*ROWS, department_row("music", 3))
    cursor, services = ran.follow(), ran.studio.services
    services.marks.set(PROJECT, "music")
    written = Item(id="m", department="music", iteration=0, task_id="", project_id=PROJECT, content=WORDS, summary="s", context="",
                   origin="person", written_by="ana", created_at="2031")  # fmt: skip
    ran.studio.records.add_items([written])
    ran.follow(cursor)
    assert ran.shown("gather_items", key("music"))["last change"] == "added"
    assert ran.status("music") == MISSING | {"gather_items": "FRESH"}
    (request,) = requests_of(ran.ask(item_changes))
    assert asked(request) == (key("music"), key("music"))
    assert ran.execute(request).success
    assert ran.status("music") == FRESH
