"""The sensors that tell people of failed runs and of departments below their thresholds."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
import pytest

from gather_pipeline import bootstrap
from gather_pipeline.definitions import defs
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.alerts import below_threshold, failed_runs
from gather_pipeline.domain.events import Event
from gather_pipeline.ports import EventBus
from gather_pipeline.settings import load_settings
from gather_pipeline_tests.defs.conftest import Opener, Stage, cursor_of, key, skipped
from gather_pipeline_tests.harness import PROJECT, department_row

ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1, threshold=1))
IDLE = "Nothing was scored since the last look"


@dataclass
class Posted:
    """A bus that keeps what was posted to which address."""

    urls: list[str | None] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __call__(self, url: str | None) -> EventBus:
        self.urls.append(url)
        return self

    def publish(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Watched(Stage):
    """A stage whose alerts go to `posted`."""

    posted: Posted

    def gather(self) -> Gather:
        settings = load_settings(
            **{"_env_file": None} | self.studio.services.settings.model_dump() | {"webhook_url": "http://hook/?token=secret"}
        )
        return Gather(build=lambda: replace(bootstrap.build_services(settings), bus=self.posted))


@pytest.fixture
def watched(open_stage: Opener) -> Iterator[Watched]:
    stage = open_stage(ROWS)
    stage.studio.run()
    watched = Watched(studio=stage.studio, instance=stage.instance, posted=Posted())
    assert watched.materialize("quality_scores", between=(key("story"), key("visual"))).success
    yield watched


def test_a_department_below_its_threshold_is_told_once_with_what_it_lacks(watched: Watched) -> None:
    cursor = cursor_of(first := watched.ask(below_threshold))
    assert skipped(first) == "1 of 2 scores are below their thresholds"
    (event,) = watched.posted.events
    score = watched.studio.view.scores["story"]
    assert (event.type, event.project_id, event.fields["department"]) == ("below_threshold", PROJECT, "story")
    assert (event.fields["quality_score"], event.fields["threshold"]) == (score.value, 99)
    weakest = score.quality.weakest
    assert weakest is not None
    assert event.fields["error"].startswith(f"quality {score.value:g} is below the threshold 99; weakest is {weakest}, ")
    assert event.fields["error"].endswith(" ".join(score.quality.parts[weakest].reasons))
    assert watched.posted.urls == ["http://hook/?token=secret"]
    assert skipped(watched.ask(below_threshold, cursor)) == IDLE
    assert watched.materialize("quality_scores", partition_key=key("story")).success
    watched.ask(below_threshold, cursor)
    assert watched.posted.events == [event], "the same score once more is no news"


def test_it_fell_only_where_it_was_above(watched: Watched) -> None:
    cursor = cursor_of(watched.ask(below_threshold))
    watched.write_rows(ROWS[0], department_row("visual", 2, most=1, threshold=98))
    assert watched.materialize("quality_scores", partition_key=key("visual")).success
    watched.ask(below_threshold, cursor)
    assert " fell below the threshold 98" in watched.posted.events[-1].fields["error"]


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
    (event,) = watched.posted.events
    assert event.type == "automation_failed"
    assert event.fields["error"].startswith("partition story|ghost is not there, expected a department of story")


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
