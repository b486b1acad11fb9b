"""A run whose process ended before the store and Dagster said the same of it: the next process that looks writes one end into both.

| the store says      | Dagster says                        | both say then                                          |
| ------------------- | ----------------------------------- | ------------------------------------------------------ |
| nothing of the run  | at work                             | failed: it ended before it began                       |
| nothing of the run  | ended by an interrupt               | cancelled                                              |
| running             | at work, or nothing of the run      | failed                                                 |
| running             | ended by request or by an interrupt | cancelled; the same where a cancel was asked for       |
| how it ended        | at work, or ended by an interrupt   | what the store says                                    |
| how it ended        | failed, in a step of its own        | as before: that step came after the automation's end   |

Events that a killed run had stored and not sent are sent then too, and that of its end.

A run that only refreshes departments is never in the store.
"""

import logging

import dagster as dg

from gather_pipeline.defs.cancel import ENDING
from gather_pipeline.domain.automation import Run, Status
from gather_pipeline.errors import GatherError, ProjectBusy, UnknownEntity
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.services import Services
from gather_pipeline.upkeep import deliver
from gather_pipeline.upkeep.events import complete_events

logger = logging.getLogger(__name__)

INTERRUPTED = {"dagster/failure_reason": "UNEXPECTED_TERMINATION"}  # Dagster's tag of a run that a signal ended
SAME = {"completed": dg.DagsterRunStatus.SUCCESS, "cancelled": dg.DagsterRunStatus.CANCELED, "failed": dg.DagsterRunStatus.FAILURE}


def settle(services: Services, instance: dg.DagsterInstance) -> list[str]:
    """Settles every run whose process is gone, or goes on with others; a clause for each whose Dagster run was changed."""
    said = []
    for one in services.open_runs.all():
        noted, shown = _told(services, instance, one.task_id)
        has_ended = (noted is None or noted.status != "running") and shown is not None and shown.is_finished
        if has_ended or one.is_over(services.leases):
            said += _settle(services, instance, one.task_id, noted, shown)
            if shown is not None or one.is_of_this_machine:
                _announce(services, one.project_id, one.task_id)
                services.open_runs.close(one.task_id)
    return said


def settle_own(services: Services, instance: dg.DagsterInstance, task_id: str) -> None:
    """Settles a run of this process at its end; where the store does not answer, the next process that looks does it."""
    try:
        noted, shown = _told(services, instance, task_id)
        _settle(services, instance, task_id, noted, shown)
        if noted is not None and noted.status == "running":
            _announce(services, noted.project_id, task_id)
        services.open_runs.close(task_id)
    except GatherError as error:
        logger.warning("[AutoGather] How run %s ended could not be noted everywhere: %s", task_id, error)


def truth(noted: Run | None, shown: dg.DagsterRun | None) -> Status | None:
    """How a run ended that no process works on any more; None where both sides are to stay as they are."""
    if noted is not None and noted.status != "running":
        return noted.status
    if noted is None and (shown is None or (shown.is_finished and not _was_interrupted(shown))):
        return None
    if shown is not None and (shown.status in ENDING or _was_interrupted(shown)):
        return "cancelled"
    return "cancelled" if noted is not None and noted.cancel_requested else "failed"


def shown_as(task_id: str, ended: Status, shown: dg.DagsterRun) -> Status | None:
    """What the Dagster run has to be told; None where it is to stay as it is.

    One that works on several projects is none of its automations: it ends as one of them does only where it was not completed.
    """
    if shown.is_finished and (task_id != shown.run_id or SAME[ended] == shown.status):
        return None
    if shown.status == dg.DagsterRunStatus.FAILURE and not _was_interrupted(shown):
        return None
    return "failed" if task_id != shown.run_id and ended == "completed" else ended


def _was_interrupted(shown: dg.DagsterRun) -> bool:
    return shown.status == dg.DagsterRunStatus.FAILURE and INTERRUPTED.items() <= shown.tags.items()


def _told(services: Services, instance: dg.DagsterInstance, task_id: str) -> tuple[Run | None, dg.DagsterRun | None]:
    """What the store and Dagster know of a run."""
    shown = instance.get_run_by_id(task_id.partition("_")[0])
    try:
        return services.runs.get(task_id), shown
    except UnknownEntity:
        return None, shown


def _announce(services: Services, project_id: str, task_id: str) -> None:
    """Sends what a run that is over could not send any more, and its end; where another run holds the project, that one does it."""
    lease = services.leases.lease(project_id, Owner.this_process(task_id), services.settings.lease_s)
    try:
        with holding(lease):
            owed = complete_events(services.view(project_id), services.runs.of_project(project_id), lease)
            bus = deliver.bus(services, project_id, None) if owed else deliver.Everyone()
            for event in owed:
                bus.publish(event)
    except ProjectBusy:
        return
    bus.close()


def _settle(services: Services, instance: dg.DagsterInstance, task_id: str, noted: Run | None, shown: dg.DagsterRun | None) -> list[str]:
    """Settles one run; a clause where its Dagster run was changed."""
    ended = truth(noted, shown)
    if ended is None:
        return []
    if noted is not None and noted.status == "running":
        services.runs.end_gone(task_id, cancelled=ended == "cancelled")
    told = None if shown is None else shown_as(task_id, ended, shown)
    if shown is None or told is None:
        return []
    message = f"Its process ended without a word; the run counts as {told}, and the next one of the project goes on from what was stored."
    match told:
        case "completed":
            event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, job_name=shown.job_name, message="All of it is stored.")
            instance.report_dagster_event(event, run_id=shown.run_id)
        case "cancelled":
            instance.report_run_canceled(shown, message=message)
        case _:
            instance.report_run_failed(shown, message=message)
    return [f"run {shown.run_id} is marked {told}, for its process is gone"]
