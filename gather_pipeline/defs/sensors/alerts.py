"""The sensors that tell people: a run that failed, a department below its threshold. Off until somebody switches them on.

Each says so in the log of its tick, and posts an event to the address of `GATHER_WEBHOOK_URL` where there is one. What that address did
not take, and what runs left behind, the sensor `deliveries` brings there.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from gather_pipeline.defs.partitions import PROJECT_TAG, split_key
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import LOOK_S, Cursor, read_cursor
from gather_pipeline.domain.events import Event
from gather_pipeline.services import Services
from gather_pipeline.upkeep import remember
from gather_pipeline.upkeep.deliver import deliver_alerts, resume

SCORES = "quality_scores"
EVENTS = 200  # read in a tick


@dg.run_failure_sensor(
    name="failed_runs",
    description="Says which run failed and why, in its log and to the webhook of `GATHER_WEBHOOK_URL`.",
)
def failed_runs(context: dg.RunFailureSensorContext, gather: dg.ResourceParam[Gather]) -> None:
    run = context.dagster_run
    errors = [event.step_failure_data for event in context.get_step_failure_events()]
    reasons = [one.user_failure_data.description for one in errors if one.user_failure_data and one.user_failure_data.description]
    reasons += [one.error.message.strip() for one in errors if one.error and not reasons]
    reason = "; ".join(reasons) or context.failure_event.message or "the event log says why"
    project_id = run.tags.get(PROJECT_TAG, "")
    context.log.error(f"Run {run.run_id} of {run.job_name}{f' for {project_id}' if project_id else ''} failed: {reason}")
    with gather.services() as services:
        event = Event(type="automation_failed", fields={"error": reason}, project_id=project_id, task_id=run.run_id)
        _post(services, [event], context.log)


class SeenScores(Cursor):
    """How far the events of `quality_scores` were read, by storage id; None before the first look."""

    scores: int | None = None


@dg.sensor(
    name="below_threshold",
    asset_selection=[SCORES],
    minimum_interval_seconds=30,
    description="Says which department is scored below its threshold, and what it lacks most, in its log and to the webhook of "
    "`GATHER_WEBHOOK_URL`. Starts no run.",
)
def below_threshold(context: dg.SensorEvaluationContext, gather: dg.ResourceParam[Gather]) -> dg.SensorResult:
    """One tick: the newest score of each partition that was scored since the last; an unchanged score is told once."""
    seen = read_cursor(SeenScores, context.cursor)
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(SCORES), after_storage_id=seen.scores)
    records = context.instance.fetch_materializations(wanted, limit=EVENTS, ascending=seen.scores is not None).records
    by_key = {str(one.partition_key): one for one in sorted(records, key=lambda record: record.storage_id)}
    found = [event for key, one in by_key.items() if (event := _below(context.instance, key, one)) is not None]
    for event in found:
        context.log.warning("{department} of {project}: {error}".format(project=event.project_id, **event.fields))
    if found:
        with gather.services() as services:
            _post(services, found, context.log)
    last = max((one.storage_id for one in records), default=seen.scores or 0)
    told = f"{len(found)} of {len(by_key)} scores are below their thresholds" if by_key else "Nothing was scored since the last look"
    return dg.SensorResult(skip_reason=told, cursor=SeenScores(scores=last).model_dump_json())


def _below(instance: dg.DagsterInstance, key: str, record: dg.EventLogRecord) -> Event | None:
    """What to tell of a score; None where it reaches its threshold, or where the one before it said the same."""
    now, earlier = _shown(record), dg.AssetRecordsFilter(dg.AssetKey(SCORES), asset_partitions=[key], before_storage_id=record.storage_id)
    before = [_shown(one) for one in instance.fetch_materializations(earlier, limit=1).records]
    if now.get("threshold reached") is not False or any(one.get("data version") == now["data version"] for one in before):
        return None
    project_id, slug = split_key(key)
    verb = "fell" if any(one.get("threshold reached") for one in before) else "is"
    lacks = f"; weakest is {now['weakest part']}: {now['what it lacks']}" if "weakest part" in now else ""
    score = {"department": slug, "quality_score": now["quality score"], "threshold": now["threshold"]}
    error = f"quality {now['quality score']:g} {verb} below the threshold {now['threshold']:g}{lacks}"
    return Event(type="below_threshold", fields={**score, "error": error}, project_id=project_id, task_id=record.run_id)


def _shown(record: dg.EventLogRecord) -> Mapping[str, Any]:
    materialized = record.asset_materialization
    return {name: value.value for name, value in materialized.metadata.items()} if materialized is not None else {}


def _post(services: Services, events: Sequence[Event], log: logging.Logger) -> None:
    if said := deliver_alerts(services, [replace(event, at=services.clock.now()) for event in events]):
        log.warning(said)


@dg.sensor(
    name="deliveries",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Brings to `GATHER_WEBHOOK_URL` the events that it did not take before, and to the Brain what it lacks. Starts no run.",
)
def deliveries(gather: dg.ResourceParam[Gather]) -> dg.SkipReason:
    try:
        with gather.services() as services:
            until = time.monotonic() + LOOK_S
            return dg.SkipReason("; ".join([*resume(services, until), *remember.resume(services, until)]) or "Every event was delivered")
    except dg.Failure as unreadable:
        return dg.SkipReason(f"Nothing was delivered: {unreadable.description}")
