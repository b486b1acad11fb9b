"""What seed S000 calls a task, seen from outside: a run of the automation or an execution of a definition, by one id."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from gather_pipeline.errors import InvalidInput, UnknownEntity
from gather_pipeline.records.submissions import Submission
from gather_pipeline.services import Services
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.upkeep.runs import RunStatus, run_status

AUTOMATION = "automated_gather_creation"  # S001-TASK-01
NEVER_BEGAN = "its process ended before it began"
CUT_SHORT = "its process ended without a word; nothing of it is stored"
CANCELLED, STOPPED = "cancelled on request", "its process was stopped"
BEFORE = "stopped before it began"
ENDED = {"succeeded": "completed", "failed": "failed", "cancelled": "cancelled"}
State = Literal["pending", "running", "completed", "failed", "cancelled"]
Queued = Callable[[str], tuple[State, str | None]]


@dataclass(frozen=True, kw_only=True)
class TaskStatus:
    """A task as it stands now.

    Attributes:
        reason: Why it ended as it did, or what it waits for.
        project_id: Whose it is; None for nobody's.
        priority: 1, first, to 10; None where it was not begun by the API.
        progress: Of the automation, what it has committed so far.
        result: The output of S001's task, or of the definition; None as long as there is none.
    """

    task_id: str
    task_type: str
    status: State
    reason: str | None
    project_id: str | None
    priority: int | None
    cancel_requested: bool
    submitted_at: str | None
    started_at: str | None
    ended_at: str | None = None
    progress: Mapping[str, Any] | None = None
    result: Any = None


def task_status(services: Services, task_id: str, queued: Queued) -> TaskStatus:
    """How a run or an execution is going, else `UnknownEntity`.

    `queued` says what Dagster knows of a run that waits in its queue, or has left it without a trace.
    """
    submission = services.submissions.find(task_id)
    if submission is None or submission.task_type == AUTOMATION:
        with suppress(UnknownEntity):
            return _of_run(run_status(services, task_id), submission)
    if submission is None or submission.task_type != AUTOMATION:
        with suppress(UnknownEntity):
            return _of_execution(services.executions.get(task_id), submission)
    if submission is None:
        raise _unknown(task_id)
    state, reason = _unnoted(submission, queued)
    same = ("task_id", "task_type", "project_id", "priority", "cancel_requested", "submitted_at", "started_at")
    return TaskStatus(status=state, reason=reason, **{name: getattr(submission, name) for name in same})


def cancel_task(services: Services, task_id: str) -> bool:
    """Asks a task, through the store, to save its work and end; one that has ended is left as it is. Raises as `task_status`.

    Returns:
        Whether it is a run that has not noted its beginning, so that Dagster may have to be told.
    """
    submission = services.submissions.find(task_id)
    if submission is not None:
        if submission.error is not None or (submission.task_type != AUTOMATION and _is_stored(services, task_id)):
            return False
        services.submissions.request_cancel(task_id)  # first: whoever notes a beginning looks at this afterwards
        if submission.task_type != AUTOMATION:
            return False
    try:
        services.runs.request_cancel(task_id)
        return False
    except UnknownEntity:
        if submission is None:
            if not _is_stored(services, task_id):
                raise _unknown(task_id) from None
            return False
    owner = submission.owner
    is_starting = submission.place == "process" and owner.is_of_this_machine and not owner.is_gone(submission.until)
    if is_starting and not submission.cancel_requested:  # a second signal would end it without saving
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(owner.pid, signal.SIGTERM)
    return submission.place == "queue"


def _is_stored(services: Services, execution_id: str) -> bool:
    """Whether an execution has ended, for it is stored at its end."""
    try:
        services.executions.get(execution_id)
    except UnknownEntity:
        return False
    return True


def _unknown(task_id: str) -> InvalidInput:
    return UnknownEntity.field("task id", task_id, "one that POST /api/tasks/execute, gather run or tlm execute gave")


def _unnoted(submission: Submission, queued: Queued) -> tuple[State, str | None]:
    """The state of a task that has noted neither its beginning nor its end."""
    if submission.error is not None:
        return "cancelled" if submission.cancel_requested else "failed", submission.error
    if submission.place == "server" and submission.cancel_requested and submission.started_at is None:
        return "cancelled", BEFORE
    if submission.place == "queue":
        return queued(submission.task_id)
    if submission.is_abandoned:
        if submission.started_at is not None:
            return "cancelled" if submission.cancel_requested else "failed", CUT_SHORT
        return ("cancelled", BEFORE) if submission.cancel_requested else ("failed", NEVER_BEGAN)
    return ("running" if submission.started_at else "pending"), None


def _of_run(run: RunStatus, submission: Submission | None) -> TaskStatus:
    counted = ("iterations", "departments_processed", "items_created", "tokens", "cost")
    counts = {name: getattr(run, name) for name in counted}
    result = {"status": run.status, **counts, "processing_time_ms": run.processing_time_ms, "summary": run.summary}
    same = ("task_id", "status", "reason", "project_id", "cancel_requested", "started_at", "ended_at")
    return TaskStatus(
        task_type=AUTOMATION,
        priority=submission.priority if submission else None,
        submitted_at=submission.submitted_at if submission else None,
        progress=counts,
        result=None if run.status == "running" else result,
        **{name: getattr(run, name) for name in same},
    )


def _of_execution(execution: Execution, submission: Submission | None) -> TaskStatus:
    ended_at = datetime.fromisoformat(execution.timestamp) + timedelta(seconds=execution.execution_time_s)
    tag = execution.tags.get("project_id")  # whatever its caller gave
    reason = execution.error
    if reason is None and execution.waiting and not execution.accepted:
        reason = f"{'the output waits for' if execution.accepted is None else 'it was rejected by'} a person: review {execution.waiting}"
    if execution.status == "cancelled":
        reason = CANCELLED if submission is not None and submission.cancel_requested else STOPPED
    return TaskStatus(
        task_id=execution.id,
        task_type=execution.task_id,
        status=ENDED[execution.status],  # type: ignore[arg-type]
        reason=reason,
        project_id=submission.project_id if submission else tag if isinstance(tag, str) else None,
        priority=submission.priority if submission else None,
        cancel_requested=submission is not None and submission.cancel_requested,
        submitted_at=submission.submitted_at if submission else None,
        started_at=execution.timestamp,
        ended_at=ended_at.isoformat(),
        result=None if execution.is_pending else execution.accepted_output() if execution.waiting else execution.output,
    )
