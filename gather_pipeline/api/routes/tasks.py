"""`/api/tasks`: what seed S000 asks of an API: execute, status, types and cancel, for the automation and every definition."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from starlette.concurrency import run_in_threadpool

from gather_pipeline.api.access import Access
from gather_pipeline.api.deps import GivenAccess, GivenServices
from gather_pipeline.api.executing import Executing
from gather_pipeline.api.problems import faults_in
from gather_pipeline.defs.tasks import cancel_task, task_status
from gather_pipeline.domain.automation import MAX_ITERATIONS, AutomationRequest
from gather_pipeline.domain.departments import select, to_automate
from gather_pipeline.domain.iterations import digest
from gather_pipeline.errors import EditConflict, InvalidInput, StoreError, StoreUnavailable
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.submissions import Submission
from gather_pipeline.services import Services
from gather_pipeline.tasks.executor import TaskExecutor
from gather_pipeline.tasks.options import ExecutionOptions
from gather_pipeline.tasks.runner import check_given
from gather_pipeline.upkeep.tasks import AUTOMATION, TaskStatus

router = APIRouter(prefix="/api/tasks", tags=["tasks"])
KEYS = uuid.UUID("6f0c8a52-5d0e-4a53-9d8e-0b5f3f2a7c11")  # the namespace of task ids that are made of idempotency keys


class Given(BaseModel):
    """What a request says; null counts as left out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: object) -> object:
        return {name: value for name, value in given.items() if value is not None} if isinstance(given, Mapping) else given


class Automation(Given):
    """Parameters of `automated_gather_creation`, in the words of seed S001 or in camel case."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=AliasGenerator(validation_alias=to_camel), validate_by_name=True, loc_by_alias=False
    )

    project_id: str = Field(description="The project.", examples=["salt-ledger"])
    user_id: str | None = Field(None, min_length=1, max_length=200, description="Who asks; kept with every item.")
    max_iterations: int = Field(50, ge=1, le=MAX_ITERATIONS, description="Most iterations, shared between departments.")
    enable_auto_evaluation: bool = Field(True, description="Evaluate a department when it ends.")
    webhook_url: str | None = Field(None, description="Gets every event by POST.")
    departments: Annotated[tuple[str, ...], BeforeValidator(lambda given: [given] if isinstance(given, str) else given)] = Field(
        (), description="Slugs to work on; empty for all."
    )
    max_tokens: int | None = Field(None, ge=1, description="Stop, with all work saved, when this many tokens are spent.")
    max_cost: float | None = Field(None, gt=0, description="Stop, with all work saved, when this many US dollars are spent.")


class Execute(Given):
    """What is to be done."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"task_type": AUTOMATION, "parameters": {"project_id": "salt-ledger", "max_iterations": 10}, "priority": 1},
                {"task_type": "skill_decomposition", "parameters": {"skill_name": "Sound editing"}},
            ]
        },
    )

    task_type: str = Field(min_length=1, max_length=100, description="The automation, or the id of a definition: see /api/tasks/types.")
    parameters: dict[str, JsonValue] = Field({}, description="The task's input.")
    priority: int = Field(1, ge=1, le=10, description="1 comes first; counts in Dagster's queue.")
    version: str | None = Field(None, description="Version of a definition; the newest where left out.")
    options: ExecutionOptions | None = Field(None, description="Of a definition: model, draw, limits and the like.")


class Accepted(BaseModel):
    """The task is on its way."""

    task_id: str
    task_type: str
    status: Literal["pending"] = "pending"


class TaskType(BaseModel):
    """Something that can be executed."""

    task_type: str
    kind: Literal["automation", "definition"]
    version: str
    description: str
    parameters: dict[str, JsonValue] = Field(description="JSON Schema of its parameters.")
    result: dict[str, JsonValue] | None = Field(description="JSON Schema of its result, where there is one.")


TaskId = Annotated[str, Path(max_length=200, examples=["0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55"])]
Key = Annotated[str | None, Header(min_length=1, max_length=200, description="The same key with the same body is done once.")]


@router.post("/execute", status_code=202, openapi_extra={"x-problems": [404]})
def execute(
    body: Execute,
    request: Request,
    response: Response,
    services: GivenServices,
    access: GivenAccess,
    idempotency_key: Key = None,
) -> Accepted:
    """Begin a task and answer its id at once."""
    task_type = body.task_type.replace("-", "_")
    task = uuid.uuid4() if idempotency_key is None else uuid.uuid5(KEYS, f"{access.token_id}\n{idempotency_key}")
    answer = Accepted(task_id=str(task) if task_type == AUTOMATION else task.hex, task_type=task_type)
    response.headers["Location"] = f"{router.prefix}/status/{answer.task_id}"
    submission = Submission(
        task_id=answer.task_id,
        task_type=task_type,
        project_id=access.project_id,
        priority=body.priority,
        place="server",
        owner=Owner.this_process(answer.task_id),
        request=digest(body.model_dump(mode="json")),
    )
    if task_type == AUTOMATION:
        _begin_automation(services, access, body, submission)
    else:
        _begin_definition(services, request.app.state.executing, body, submission)
    return answer


def _begin_automation(services: Services, access: Access, body: Execute, submission: Submission) -> None:
    try:
        given = Automation.model_validate(body.parameters)
    except ValidationError as error:
        raise faults_in(error, "body", "parameters") from None
    if body.version is not None or body.options is not None:
        raise InvalidInput(f"version or options are given, expected none of them for {AUTOMATION}")
    asked = AutomationRequest(**given.model_dump())
    access.check(asked.project_id)
    services.projects.get(asked.project_id)
    select(to_automate(services.departments.departments()), asked.departments)
    if not _add(services, replace(submission, project_id=asked.project_id)):
        return
    from gather_pipeline.defs.starting import begin_run  # Dagster takes seconds to load

    try:
        place, owner = begin_run(services, asked, submission.task_id, submission.priority)
    except Exception:
        services.submissions.withdraw(submission.task_id)  # so that the same key may ask again
        raise
    services.submissions.placed(submission.task_id, place, owner)


def _begin_definition(services: Services, executing: Executing, body: Execute, submission: Submission) -> None:
    executor = TaskExecutor(submission.task_type, body.version, services=services)
    options = body.options or ExecutionOptions()
    check_given(executor.definition, body.parameters)
    for model in services.task_models(executor.definition, options):
        services.check_reach(model)
    if _add(services, submission):
        executing.begin(submission.task_id, executor, body.parameters, options)


def _add(services: Services, submission: Submission) -> bool:
    """Stores a submission; False where it was stored before, by a request of the same key and body.

    Raises:
        InvalidInput: The key was used with another body.
        EditConflict: The request that came first with the key has not come so far that its answer is known.
    """
    submissions, task = services.submissions, uuid.UUID(submission.task_id)
    used = InvalidInput("Idempotency-Key was used with another body, expected a key of its own for every body")
    if (earlier := submissions.add(submission)) is None:
        if submissions.find(task.hex if submission.task_type == AUTOMATION else str(task)) is not None:
            submissions.withdraw(submission.task_id)
            raise used
        return True
    if earlier.request != submission.request:
        raise used
    if earlier.task_type == AUTOMATION and earlier.place == "server" and not earlier.is_abandoned:
        raise EditConflict(f"task {earlier.task_id} is being begun for another request with this Idempotency-Key: ask again")
    return False


@router.get("/status/{task_id}")
async def status(task_id: TaskId, services: GivenServices, access: GivenAccess) -> TaskStatus:
    """Say how a task is going, whoever began it."""
    return await run_in_threadpool(shown, services, access, task_id)  # asked most, and the answer of a plain function costs a second thread


@router.post("/cancel/{task_id}")
def cancel(task_id: TaskId, services: GivenServices, access: GivenAccess) -> TaskStatus:
    """Ask a task to save its work and end; answers at once. One that has ended is left as it is."""
    shown(services, access, task_id)
    cancel_task(services, task_id)
    return shown(services, access, task_id)


@router.get("/types")
def types(services: GivenServices) -> list[TaskType]:
    """List what can be executed: the automation and every definition in its newest version."""
    automation = TaskType(
        task_type=AUTOMATION,
        kind="automation",
        version="1.0.0",  # S001-TASK-17
        description="Fills a project's departments with scored, duplicate-free notes, each until it is good enough.",
        parameters=Automation.model_json_schema(by_alias=False),
        result=None,
    )
    newest = {definition.id: definition for definition in services.catalogue}
    return [
        automation,
        *(
            TaskType(
                task_type=one.id,
                kind="definition",
                version=one.version,
                description=one.description,
                parameters=one.input.json_schema,
                result=one.output.json_schema,
            )
            for one in newest.values()
        ),
    ]


def shown(services: Services, access: Access, task_id: str) -> TaskStatus:
    """A task as it stands; where a run's process is gone, its end is noted in the store and in Dagster first."""
    found = task_status(services, task_id)
    access.check(found.project_id)
    if found.ended_at is None and found.status in ("failed", "cancelled") and _is_open(services, task_id):
        from gather_pipeline.defs.launch import settle_runs

        with suppress(StoreError, StoreUnavailable):  # its end cannot be noted now: the next look does it, and what is known is told
            settle_runs(services)
            found = task_status(services, task_id)
    return found


def _is_open(services: Services, task_id: str) -> bool:
    return any(one.task_id == task_id and one.is_of_this_machine for one in services.open_runs.all())
