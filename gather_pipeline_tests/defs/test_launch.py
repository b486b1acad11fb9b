"""A run of the command line: a real Dagster run in its own process, that ends well however it is ended."""

import logging
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from _pytest.capture import FDCapture
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from gather_pipeline.bootstrap import build_services
from gather_pipeline.defs.launch import INSTANCE_FILE, open_instance, prepare_home, report_metrics, run_in_process
from gather_pipeline.domain.automation import AutomationRequest, AutomationResult
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import InvalidInput, ModelRefused, ProjectBusy, StoreError, UnknownEntity
from gather_pipeline.ports import IngestReport
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.services import Services
from gather_pipeline.settings import Settings
from gather_pipeline_tests.defs.conftest import BY_DEPARTMENT, key
from gather_pipeline_tests.forks import FORKS
from gather_pipeline_tests.harness import PROJECT, Studio, department_row, make_settings

ONE = (department_row("story", 1, most=1),)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    Studio.open(tmp_path, ONE).close()
    return make_settings(tmp_path, ONE)


def run(settings: Settings, **request: Any) -> AutomationResult:
    return run_in_process(settings, AutomationRequest(project_id=PROJECT, **request))


@dataclass(frozen=True)
class Done:
    """A run that many tests look at."""

    settings: Settings
    result: AutomationResult
    seen: list[Event]
    services: list[Services]
    environment_changed: bool
    out: str
    err: str

    def logs(self, of_type: dg.DagsterEventType | None = None) -> list[dg.EventLogEntry]:
        with open_instance(self.settings) as instance:
            return list(instance.all_logs(self.result.task_id, of_type=of_type))


SECRET = "http://127.0.0.1:9/hook?token=abc123secret"


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    home = tmp_path_factory.mktemp("done")
    Studio.open(home, ONE).close()
    settings = make_settings(home, ONE)
    seen: list[Event] = []
    services: list[Services] = []
    request = AutomationRequest(project_id=PROJECT, user_id="user-1", webhook_url=SECRET)
    before = dict(os.environ)
    capture = FDCapture(1), FDCapture(2)
    for stream in capture:
        stream.start()
    try:
        result = run_in_process(settings, request, progress=seen.append, on_services=services.append)
    finally:
        out, err = (stream.snap() for stream in capture)
        for stream in capture:
            stream.done()
    return Done(settings, result, seen, services, dict(os.environ) != before, out, err)


def test_a_run_shows_as_one_of_the_job_in_the_code_location(done: Done) -> None:
    assert (done.result.status, done.result.departments_processed) == ("completed", 1)
    with open_instance(done.settings) as instance:
        record = instance.get_run_by_id(done.result.task_id)
    assert record is not None
    assert (record.job_name, record.status) == ("automated_gather_creation", dg.DagsterRunStatus.SUCCESS)
    assert record.remote_job_origin is not None
    assert record.remote_job_origin.location_name == "gather_pipeline"
    assert record.remote_job_origin.repository_origin.repository_name == "__repository__"
    assert record.tags["gather/project"] == PROJECT
    assert record.tags["dagster/max_runtime"] == "720"
    assert record.run_config["ops"]["gather_items"]["config"]["user_id"] == "user-1"


def test_its_partitions_are_events_of_the_run_in_its_timeline_with_their_checks(done: Done) -> None:
    entries = [entry.dagster_event for entry in done.logs(dg.DagsterEventType.ASSET_MATERIALIZATION)]
    found = [(str(event.asset_key and event.asset_key.to_user_string()), event.partition) for event in entries if event]
    assert found == [(asset, key("story")) for asset in BY_DEPARTMENT]
    evaluated = [entry.dagster_event for entry in done.logs(dg.DagsterEventType.ASSET_CHECK_EVALUATION)]
    checks = [event.asset_check_evaluation_data for event in evaluated if event]
    assert {check.check_name for check in checks} == {
        "no_duplicate_stored",
        "every_item_has_provenance",
        "embedding_count_equals_item_count",
        "score_in_range_and_parts_add_up",
        "score_reaches_threshold",
    }
    assert {check.check_name for check in checks if not check.passed} == {"score_reaches_threshold"}
    of_partition = [check for check in checks if check.partition == key("story")]
    assert len(of_partition) == 5
    assert all(check.target_materialization_data for check in of_partition)


def test_each_iteration_and_each_end_is_a_line_in_the_log_of_the_run(done: Done) -> None:
    lines = [entry.user_message for entry in done.logs()]
    (iteration,) = [line for line in lines if line.startswith("story: iteration 1, quality ")]
    assert re.search(r" kept, \d+ dropped, [\d,]+ tokens$", iteration), "as a terminal says it"
    assert any(line.startswith("story: ends, ") for line in lines)


def test_progress_and_services_reach_the_caller(done: Done) -> None:
    events = [event.type for event in done.seen if event.sequence]
    assert (events[0], events[-1]) == ("department_started", "automation_complete")
    assert len(done.services) == 1


def test_dagster_writes_nothing_to_standard_output_and_error(done: Done) -> None:
    """Standard output carries JSON, standard error the progress."""
    assert done.out == ""
    assert not [line for line in done.err.splitlines() if "AutoGather" not in line]


def test_the_webhook_address_is_stored_nowhere(done: Done) -> None:
    files = [path for path in done.settings.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert not [path for path in files if b"abc123secret" in path.read_bytes()]


def test_the_environment_is_left_alone(done: Done) -> None:
    assert not done.environment_changed


def test_a_second_run_makes_nothing_and_keeps_versions(done: Done) -> None:
    def versions(instance: dg.DagsterInstance) -> set[str]:
        records = [record for asset in BY_DEPARTMENT for record in instance.fetch_materializations(dg.AssetKey(asset), limit=9).records]
        return {(record.event_log_entry.tags or {})["dagster/data_version"] for record in records}

    with open_instance(done.settings) as instance:
        before = versions(instance)
    assert run(done.settings).items_created == 0
    with open_instance(done.settings) as instance:
        assert list(instance.get_dynamic_partitions("projects")) == [PROJECT]
        assert list(instance.get_dynamic_partitions("departments")) == ["story"]
        assert versions(instance) == before
        rows = instance.fetch_materializations(dg.AssetKey("departments"), limit=9).records
        briefs = instance.fetch_observations(dg.AssetKey("briefs"), limit=9).records
    assert ([record.partition_key for record in rows], [record.partition_key for record in briefs]) == (["story"], [PROJECT])


def test_the_measurements_of_a_run_show_as_the_asset_metrics(done: Done) -> None:
    with open_instance(done.settings) as instance:
        record = instance.fetch_materializations(dg.AssetKey("metrics"), limit=9, ascending=True).records[0]
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["rows ingested"].value > 0


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (AutomationRequest(project_id="nobody"), UnknownEntity),
        (AutomationRequest(project_id=PROJECT, departments=("catering",)), UnknownEntity),
    ],
    ids=["project", "department"],
)
def test_what_is_not_there_is_refused_before_dagster_makes_a_file(settings: Settings, request_: AutomationRequest, error: type) -> None:
    with pytest.raises(error):
        run_in_process(settings, request_)
    assert not settings.dagster_home.exists()


def test_a_wrong_list_of_departments_is_refused_before_dagster_makes_a_file(settings: Settings) -> None:
    settings.departments.write_text("- name: nothing else", encoding="utf-8")
    with pytest.raises(InvalidInput, match="row 1, field slug is missing"):
        run(settings)
    assert not settings.dagster_home.exists()


def test_a_retired_department_does_not_stand_in_the_range_of_a_later_run(tmp_path: Path) -> None:
    rows = [department_row(slug, number, most=1) for number, slug in enumerate(("story", "visual", "music"))]
    Studio.open(tmp_path, rows).close()
    run(make_settings(tmp_path, rows))
    settings = make_settings(tmp_path, [rows[0], rows[2]])
    result = run(settings)
    with open_instance(settings) as instance:
        assert list(instance.get_dynamic_partitions("departments")) == ["story", "music"]
        record = instance.get_run_by_id(result.task_id)
    assert record is not None
    assert record.run_config["ops"]["gather_items"]["config"]["departments"] == []


def test_a_busy_project_is_refused_and_the_run_says_so(settings: Settings) -> None:
    with closing(build_services(settings)) as services:
        lease = services.leases.lease(PROJECT, Owner.this_process("other-run"), 30)
        with holding(lease), pytest.raises(ProjectBusy, match="end it with gather cancel other-run, or with Terminate in Dagster's UI"):
            run(settings)
    with open_instance(settings) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]


def test_a_run_whose_model_refuses_returns_failed_and_fails_in_dagster(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: object, request: object) -> None:
        raise ModelRefused("the key is not valid")

    monkeypatch.setattr("gather_pipeline.adapters.models.scripted.ScriptedModel.complete", refuse)
    result = run(settings)
    assert (result.status, "the key is not valid" in result.reason) == ("failed", True)
    with open_instance(settings) as instance:
        record = instance.get_run_by_id(result.task_id)
        assert record is not None
        assert record.status == dg.DagsterRunStatus.FAILURE


def test_a_fault_of_our_own_reaches_the_caller_as_it_is(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("gather_pipeline.defs.running.run_automation", broken)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        run(settings)


def test_a_line_that_dagsters_database_refuses_is_left_out_and_no_statement_reaches_the_terminal(
    settings: Settings, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk: Dagster's own handler writes the INSERT with all of its parameters to standard error."""

    @dg.op
    def talks(context: dg.OpExecutionContext) -> None:
        context.log.info("a line that is refused")

    @dg.graph
    def alone() -> None:
        talks()

    job = alone.to_job(config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}})
    with open_instance(settings) as instance, caplog.at_level(logging.INFO):
        takes = instance.handle_new_event

        def refuse(event: dg.EventLogEntry, **options: Any) -> None:
            if event.user_message == "a line that is refused":
                raise OperationalError("INSERT INTO event_logs", {}, sqlite3.OperationalError("database or disk is full"))
            takes(event, **options)

        instance.handle_new_event = refuse  # type: ignore[method-assign]
        assert job.execute_in_process(instance=instance).success
    assert "Dagster's log of the run lacks a line: database or disk is full" in caplog.text
    assert "INSERT" not in caplog.text + "".join(capfd.readouterr())


def test_measurements_that_a_command_took_in_show_as_the_asset_metrics_too(settings: Settings) -> None:
    report_metrics(settings, IngestReport(rows=7))
    with open_instance(settings) as instance:
        (record,) = instance.fetch_materializations(dg.AssetKey("metrics"), limit=9).records
    assert record.asset_materialization is not None
    assert record.asset_materialization.metadata["rows ingested"].value == 7


def test_the_instance_file_is_put_in_place_and_renewed_where_it_differs(settings: Settings) -> None:
    target = prepare_home(settings) / "dagster.yaml"
    assert target.read_bytes() == INSTANCE_FILE.read_bytes()
    target.write_text("telemetry: {enabled: true}", encoding="utf-8")
    with target.open() as reader:
        prepare_home(settings)
        assert reader.read() == "telemetry: {enabled: true}", "another process never reads half a file"
    assert target.read_bytes() == INSTANCE_FILE.read_bytes()


@pytest.mark.parametrize("name", ["My%20Project", "what?", "100%"])
def test_a_state_folder_whose_name_an_address_cannot_hold_is_opened_by_another_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = make_settings(tmp_path / name)
    assert prepare_home(settings) == prepare_home(settings)
    with open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    assert (settings.dagster_home / "history" / "runs.db").is_file()


def test_what_is_measured_under_a_path_that_duckdb_takes_for_two_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Studio.open(tmp_path / "what?", ONE).close()
    settings = make_settings(tmp_path / "what?", ONE)
    assert run(settings).status == "completed"
    with closing(build_services(settings)) as services:
        assert len(services.metrics.query("SELECT * FROM run")) == 1


def test_a_dagster_folder_that_cannot_be_made_is_one_sentence(settings: Settings) -> None:
    settings.dagster_home.write_text("a file in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="the Dagster folder .* cannot be written"):
        run(settings)


def test_a_dagster_database_that_is_none_is_one_sentence(settings: Settings) -> None:
    prepare_home(settings)
    (settings.dagster_home / "history").mkdir()
    (settings.dagster_home / "history" / "runs.db").write_bytes(b"no database" * 500)
    with pytest.raises(StoreError, match="the Dagster instance in .* cannot be opened"):
        run(settings)


def test_what_a_dagster_database_refuses_to_any_command_is_one_sentence(settings: Settings) -> None:
    with pytest.raises(StoreError, match="the Dagster instance in .* cannot be written: database or disk is full"), open_instance(settings):
        raise OperationalError("INSERT INTO runs", {}, sqlite3.OperationalError("database or disk is full"))


class Child:
    """`run_in_process` in a process of its own, whose model takes a second for a call."""

    def __init__(self, home: Path) -> None:
        self.told, telling = FORKS.Pipe(duplex=False)
        self.process = FORKS.Process(target=_run_as_child, args=(make_settings(home, script_latency_s=1.0), telling))
        self.process.start()
        telling.close()

    def wait_for(self, kind: str) -> None:
        """Reads types of events until one of the kind."""
        while self.told.recv() != kind:
            pass

    def end(self) -> AutomationResult:
        """Reads to the last thing it tells, its result, and waits for its end."""
        told: Any = None
        with suppress(EOFError):
            while True:
                told = self.told.recv()
        self.process.join(60)
        assert self.process.exitcode == 0
        assert isinstance(told, AutomationResult)
        return told


def _run_as_child(settings: Settings, telling: Connection) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    telling.send(run_in_process(settings, AutomationRequest(project_id=PROJECT), progress=lambda event: telling.send(event.type)))


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    Studio.open(tmp_path).close()
    child = Child(tmp_path)
    yield child
    child.process.kill()
    child.process.join()


def status_in_dagster(home: Path, run_id: str) -> dg.DagsterRunStatus:
    with open_instance(make_settings(home)) as instance:
        record = instance.get_run_by_id(run_id)
        assert record is not None
        return record.status


def end_by_signal(child: Child, tmp_path: Path) -> None:
    assert child.process.pid is not None
    os.kill(child.process.pid, signal.SIGINT)


def end_in_the_ui(child: Child, tmp_path: Path) -> None:
    """Terminate asks the launcher, which has no server to ask for this run, after marking it CANCELING."""
    with open_instance(make_settings(tmp_path)) as instance:
        (record,) = instance.get_runs()
        instance.run_launcher.terminate(record.run_id)


@pytest.mark.parametrize("end", [end_by_signal, end_in_the_ui])
def test_a_run_that_is_asked_to_end_saves_its_work_and_is_canceled(child: Child, tmp_path: Path, end: Any) -> None:
    child.wait_for("iteration_complete")
    end(child, tmp_path)
    result = child.end()
    assert (result.status, result.items_created > 0) == ("cancelled", True)
    assert status_in_dagster(tmp_path, result.task_id) == dg.DagsterRunStatus.CANCELED
    with open_instance(make_settings(tmp_path)) as instance:
        said = [entry.user_message for entry in instance.all_logs(result.task_id) if entry.user_message.startswith("Ended on request")]
    assert said[0] == f"Ended on request; {result.items_created} new items are saved, and a run of the same goes on from there."
    with closing(build_services(make_settings(tmp_path))) as services:
        records = services.project(PROJECT)
        assert records.events()[-1].type == "automation_cancelled"
        assert len(records.view().items) == result.items_created


def test_a_second_signal_ends_it_at_once_and_the_store_and_dagster_say_cancelled(child: Child, tmp_path: Path) -> None:
    child.wait_for("iteration_complete")
    for _ in range(2):
        end_by_signal(child, tmp_path)
    child.process.join(60)
    with closing(build_services(make_settings(tmp_path))) as services:
        (noted,) = services.runs.of_project(PROJECT)
        assert noted.status == "cancelled"
        assert services.open_runs.all() == []
    assert status_in_dagster(tmp_path, noted.task_id) == dg.DagsterRunStatus.CANCELED


def test_a_killed_run_is_marked_failed_by_the_next_which_goes_on_from_what_is_stored(child: Child, tmp_path: Path) -> None:
    child.wait_for("iteration_complete")
    child.process.kill()
    child.process.join()
    settings = make_settings(tmp_path)
    with open_instance(settings) as instance:
        (dead,) = instance.get_runs()
    assert dead.status == dg.DagsterRunStatus.STARTED
    result = run(settings)
    assert (result.status, result.departments_processed) == ("completed", 3)
    assert result.iterations < 6
    with open_instance(settings) as instance:
        record = instance.get_run_by_id(dead.run_id)
        assert record is not None
        assert record.status == dg.DagsterRunStatus.FAILURE
        lines = [entry.message for entry in instance.all_logs(dead.run_id)]
        assert any("Its process ended without a word; the run counts as failed" in line for line in lines)


def test_two_processes_may_make_the_instance_at_once(tmp_path: Path) -> None:
    processes = [FORKS.Process(target=_open_instance, args=(make_settings(tmp_path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def _open_instance(settings: Settings) -> None:
    with open_instance(settings) as instance:
        instance.get_runs_count()


def test_databases_whose_creation_was_cut_short_are_created_anew(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, ONE)
    home = prepare_home(settings)
    for half in ("fresh/history", "fresh/schedules", "schedules"):
        (home / half).mkdir(parents=True)
    (home / "fresh" / "history" / "runs.db").write_bytes(b"SQLite format 3\0")
    with open_instance(settings) as instance:
        assert instance.get_runs_count() == 0
    assert {"history", "schedules"} <= {path.name for path in home.iterdir()} and not (home / "fresh").exists()


def test_the_databases_of_events_are_opened_once_and_let_go_at_the_end(tmp_path: Path) -> None:
    """Dagster's own event log opens one for each statement. Another process reads and writes them meanwhile."""
    settings, opened, departments = make_settings(tmp_path), list[object](), "departments"

    def count(connection: object, record: object) -> None:
        opened.append(connection)

    event.listen(Engine, "connect", count)
    try:
        with open_instance(settings) as instance, open_instance(settings) as other:
            for number in range(9):
                instance.add_dynamic_partitions(departments, [f"a-{number}"])
                other.add_dynamic_partitions(departments, [f"b-{number}"])
                instance.report_runless_asset_event(dg.AssetMaterialization("metrics", metadata={"number": number}))
                assert instance.get_dynamic_partitions(departments) == other.get_dynamic_partitions(departments)
                if number == 0:
                    opened.clear()
            (record,) = other.fetch_materializations(dg.AssetKey("metrics"), limit=1).records
            assert record.asset_materialization is not None and record.asset_materialization.metadata["number"].value == 8
    finally:
        event.remove(Engine, "connect", count)
    assert not opened
    assert not [path.name for path in settings.dagster_home.rglob("*.db-wal")]
