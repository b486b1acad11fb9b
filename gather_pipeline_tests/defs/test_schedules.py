"""What is done by the clock: scores that are behind every night, a page of every project every week."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from gather_pipeline.defs.schedules import in_turn, nightly_refresh, nightly_requests, weekly_report
from gather_pipeline.defs.sensors.following import Looks
from gather_pipeline.domain.projects import Project, project_database
from gather_pipeline_tests.defs.conftest import Opener, Stage, asked, failure_of, key
from gather_pipeline_tests.harness import PROJECT, department_row

ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1))
NIGHT = datetime(2031, 1, 6, 3, tzinfo=UTC)


@pytest.fixture
def ran(open_stage: Opener, tmp_path: Path) -> Iterator[Stage]:
    """A stage whose project has run; a schedule's context needs an instance that lasts."""
    stage = open_stage(ROWS)
    stage.studio.run()
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        lasting = replace(stage, instance=instance)
        lasting.follow()
        yield lasting


def night(stage: Stage) -> Sequence[dg.RunRequest] | str:
    """What one night asks for, or why it asks for nothing."""
    context = dg.build_schedule_context(instance=stage.instance, scheduled_execution_time=NIGHT, resources={"gather": stage.gather()})
    result = nightly_refresh(context)
    return str(result.skip_message) if isinstance(result, dg.SkipReason) else result


def test_a_night_refreshes_what_is_behind_and_skips_where_nothing_is(ran: Stage) -> None:
    assert night(ran) == "Every score and draft is of what is there now"
    ran.edit("visual", "The clock keeper counts the hour twice, because Ada asked him to.")
    (request,) = night(ran)
    assert isinstance(request, dg.RunRequest)
    assert asked(request) == (key("visual"), key("visual"))
    assert ran.execute(request).success
    assert night(ran) == "Every score and draft is of what is there now"


@pytest.mark.parametrize(("collection", "rules"), [("quality_scores", "version"), ("drafts", "draft_version")])
def test_a_night_takes_up_what_other_rules_scored_or_drafted(ran: Stage, collection: str, rules: str) -> None:
    store, database = ran.studio.services.store, project_database(PROJECT)
    store.update(database, collection, "visual", {rules: "0"})
    (request,) = night(ran)
    assert isinstance(request, dg.RunRequest)
    assert asked(request) == (key("visual"), key("visual"))
    assert ran.execute(request).success
    found = store.get(database, collection, "visual")
    assert found is not None
    assert found[rules] != "0"
    assert night(ran) == "Every score and draft is of what is there now"


def test_a_refresh_that_failed_is_asked_for_again_the_next_night(ran: Stage) -> None:
    ran.edit("visual", "The clock keeper counts the hour twice, because Ada asked him to.")
    services = ran.studio.services
    keys = [nightly_requests(services, ran.instance, day, Looks())[0][0].run_key for day in (1, 2)]
    assert len(set(keys)) == 2


def test_a_project_that_cannot_be_read_keeps_no_other_from_its_night(ran: Stage) -> None:
    ran.edit("visual", "The clock keeper counts the hour twice, because Ada asked him to.")
    ran.break_a_project("aaa-broken")
    (request,) = night(ran)
    assert isinstance(request, dg.RunRequest)
    assert asked(request) == (key("visual"), key("visual"))


def test_a_night_leaves_retired_departments_out(ran: Stage) -> None:
    ran.edit("visual", "The clock keeper counts the hour twice, because Ada asked him to.")
    ran.write_rows(ROWS[0], {**ROWS[1], "gatherCheck": False})
    assert night(ran) == "Every score and draft is of what is there now"


def test_a_night_whose_sources_cannot_be_read_is_a_skip_with_its_reason(ran: Stage) -> None:
    ran.studio.services.settings.departments.unlink()
    said = night(ran)
    assert isinstance(said, str)
    assert said.startswith("Nothing was requested, for the sources cannot be read: ")


def test_what_a_night_has_no_time_for_comes_first_in_another(ran: Stage) -> None:
    assert nightly_requests(ran.studio.services, ran.instance, 1, Looks(until=0.0)) == (
        [],
        ["1 projects were not looked at for want of time; other nights begin with them"],
    )
    projects = [Project(id=f"p{number}", name="", brief="") for number in range(14)]
    assert {in_turn(projects, day)[0].id for day in range(7)} == {"p0", "p2", "p4", "p6", "p8", "p10", "p12"}
    assert all(sorted(one.id for one in in_turn(projects, day)) == sorted(one.id for one in projects) for day in range(7))
    assert in_turn([], 3) == []


def report(stage: Stage) -> dg.ExecuteInProcessResult:
    job = stage.definitions().resolve_job_def("report_projects")
    projects = stage.instance.get_dynamic_partitions("projects")
    tags = {"dagster/asset_partition_range_start": projects[0], "dagster/asset_partition_range_end": projects[-1]}
    return job.execute_in_process(instance=stage.instance, tags=tags, raise_on_error=False)


def test_the_weekly_report_writes_a_page_for_each_project_that_ever_ran(ran: Stage) -> None:
    services = ran.studio.services
    services.projects.create("Untouched", "A brief.", "never-run")
    ran.follow()
    assert report(ran).success
    assert len(ran.events("metrics")) == 1
    (page,) = (services.settings.home / "reports").iterdir()
    assert page.name == f"{PROJECT}-{services.clock.now()[:10]}.html"
    text = page.read_text(encoding="utf-8")
    assert "The Lost Hour" in text
    assert "Story Department" in text
    (record,) = ran.events("reports")
    assert (record.partition_key, ran.shown("reports", PROJECT)["report"]) == (PROJECT, str(page))
    assert report(ran).success, "a second one of a day replaces the first"
    assert list((services.settings.home / "reports").iterdir()) == [page]


def test_a_report_that_cannot_be_written_fails_with_its_sentence(ran: Stage) -> None:
    folder: Path = ran.studio.services.settings.home / "reports"
    folder.write_text("a file in the way", encoding="utf-8")
    assert "cannot be written: File exists" in failure_of(report(ran))


def test_schedules_say_the_time_zone_that_they_keep() -> None:
    for schedule in (nightly_refresh, weekly_report):
        assert schedule.execution_timezone == "UTC"
        assert "(UTC)" in str(schedule.description)


def test_a_setting_gives_the_schedules_another_time_zone() -> None:
    code = "from gather_pipeline.defs.schedules import weekly_report as one; print(one.execution_timezone, '|', one.description)"
    environment = dict(os.environ) | {"GATHER_TIMEZONE": "Asia/Kathmandu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Asia/Kathmandu | At 6 every Monday (Asia/Kathmandu)")
