"""The sensors that tell people of failed runs and of departments below their thresholds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from gather_pipeline import bootstrap
from gather_pipeline.definitions import defs
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.alerts import below_threshold, deliveries, failed_runs
from gather_pipeline.settings import load_settings
from gather_pipeline.upkeep import rounds
from gather_pipeline_tests.defs.conftest import Opener, Stage, cursor_of, key, skipped
from gather_pipeline_tests.harness import PROJECT, department_row
from gather_pipeline_tests.listener import Listener, Said

ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1, threshold=1))
IDLE = "Nothing was scored since the last look"


@dataclass(frozen=True)
class Watched(Stage):
    """A stage whose alerts go to `listener`."""

    listener: Listener

    def gather(self) -> Gather:
        settings = load_settings(**{"_env_file": None} | self.studio.services.settings.model_dump() | {"webhook_url": self.listener.url})
        return Gather(build=lambda: bootstrap.build_services(settings))


@pytest.fixture
def watched(open_stage: Opener) -> Iterator[Watched]:
    stage = open_stage(ROWS)
    stage.studio.run()
    with Listener() as listener:
        watched = Watched(studio=stage.studio, instance=stage.instance, listener=listener)
        assert watched.materialize("quality_scores", between=(key("story"), key("visual"))).success
        yield watched


def test_a_department_below_its_threshold_is_told_once_with_what_it_lacks(watched: Watched) -> None:
    cursor = cursor_of(first := watched.ask(below_threshold))
    assert skipped(first) == "1 of 2 scores are below their thresholds"
    (event,) = watched.listener.events
    score = watched.studio.view.scores["story"]
    assert (event["type"], event["project_id"], event["department"]) == ("below_threshold", PROJECT, "story")
    assert (event["quality_score"], event["threshold"]) == (score.value, 99)
    weakest = score.quality.weakest
    assert weakest is not None
    assert event["error"].startswith(f"quality {score.value:g} is below the threshold 99; weakest is {weakest}, ")
    assert event["error"].endswith(" ".join(score.quality.parts[weakest].reasons))
    assert skipped(watched.ask(below_threshold, cursor)) == IDLE
    assert watched.materialize("quality_scores", partition_key=key("story")).success
    watched.ask(below_threshold, cursor)
    assert watched.listener.events == [event], "the same score once more is no news"


def test_it_fell_only_where_it_was_above(watched: Watched) -> None:
    cursor = cursor_of(watched.ask(below_threshold))
    watched.write_rows(ROWS[0], department_row("visual", 2, most=1, threshold=98))
    assert watched.materialize("quality_scores", partition_key=key("visual")).success
    watched.ask(below_threshold, cursor)
    assert " fell below the threshold 98" in watched.listener.events[-1]["error"]


def failed(stage: Watched) -> dg.RunFailureSensorContext:
    stage.instance.add_dynamic_partitions("projects", ["ghost"])
    result = stage.materialize("embeddings", between=(key("story", "ghost"), key("story", "ghost")))
    assert not result.success
    event = next(one for one in result.all_events if one.is_failure and one.event_type == dg.DagsterEventType.RUN_FAILURE)
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_instance=stage.instance,
        dagster_run=result.dagster_run,
        dagster_event=event,
        resources={"gather": stage.gather()},
    )
    return context.for_run_failure()


def test_a_failed_run_is_told_with_its_reason(watched: Watched) -> None:
    failed_runs(failed(watched))
    (event,) = watched.listener.events
    assert event["type"] == "automation_failed"
    assert event["error"].startswith("partition story|ghost is not there, expected a department of story")


def test_what_the_address_did_not_take_a_later_tick_brings_there(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "FIRST_WAIT_S", 0.005)
    watched.listener.by_event = lambda event: Said(503)
    watched.ask(below_threshold)
    watched.listener.by_event = None
    assert watched.listener.taken == []
    assert deliveries(gather=watched.gather()).skip_message == f"project {PROJECT}: 1 event delivered"
    assert deliveries(gather=watched.gather()).skip_message == "Every event was delivered"
    assert len({headers["webhook-id"] for headers in watched.listener.headers}) == len(watched.listener.taken) == 1


@pytest.mark.parametrize(
    "cursor", ["", "not json", "[]", '{"scores": "a word"}', json.dumps({"departments": {"story": "of another release"}})]
)
@pytest.mark.parametrize("sensor", [one for one in defs.sensors or () if type(one) is dg.SensorDefinition], ids=lambda one: str(one.name))
def test_a_cursor_of_another_release_is_read_as_none(stage: Stage, sensor: dg.SensorDefinition, cursor: str) -> None:
    def told(one: Any) -> Any:
        return one.skip_reason, one.run_requests, one.cursor

    first = stage.ask(sensor)
    if isinstance(first, dg.SkipReason):
        assert stage.ask(sensor, cursor) == first
    else:
        assert told(stage.ask(sensor, cursor)) == told(first)
