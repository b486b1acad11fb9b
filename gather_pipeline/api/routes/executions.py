"""The log of executions: find and read them, say what an output was worth, and how models rank by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from gather_pipeline.api.deps import Body, ForAll, GivenAuthor, GivenServices, Limit
from gather_pipeline.api.routes.projects import Moment
from gather_pipeline.domain.rankings import Ranking
from gather_pipeline.domain.texts import typed
from gather_pipeline.tasks.execution import Execution, Feedback

router = APIRouter(prefix="/api", tags=["executions"], dependencies=[ForAll])

ExecutionId = Annotated[str, Path(description="Id of an execution", examples=["0f8c2f0e6d0b4d429d7e2f5f0c1f7c55"])]


class ShownExecution(BaseModel):
    """The record of one execution of a task; beside these it has input, output, calls, verdicts, tokens and cost."""

    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(examples=["0f8c2f0e6d0b4d429d7e2f5f0c1f7c55"])]
    task_id: Annotated[str, Field(description="Id of its definition", examples=["judge_duplicate"])]
    task_version: Annotated[str, Field(examples=["1.0.0"])]
    status: Literal["succeeded", "failed", "cancelled"]
    timestamp: Moment
    model: str | None
    error: str | None
    accepted: Annotated[bool | None, Field(description="Whether people accept its output; null where none did say")]


class NewFeedback(Body):
    """What an output was worth; at least one of these."""

    accepted: Annotated[bool | None, Field(description="Whether the output can be used")] = None
    rating: Annotated[float | None, Field(description="1, of no use, to 5, as good as can be", examples=[4])] = None
    note: Annotated[str, Field(max_length=20_000, examples=["Two skills are one."])] = ""


class ShownFeedback(BaseModel):
    """What was said of an execution's output."""

    execution: str
    accepted: bool | None
    rating: Annotated[float | None, Field(description="Mean of all ratings")]
    feedback: Sequence[Feedback]


@router.get("/executions")
def list_executions(
    services: GivenServices,
    task: Annotated[str | None, Query(description="Id of the definition", examples=["judge_duplicate"])] = None,
    status: Literal["succeeded", "failed", "cancelled"] | None = None,
    model: Annotated[str | None, Query(description="One of the models asked")] = None,
    limit: Limit = 50,
) -> list[ShownExecution]:
    """List executions that have all that is named, of all projects and of none, the newest first."""
    return [_shown(one) for one in services.executions.find(task=task, status=status, model=model, limit=limit)]


@router.get("/executions/{execution_id}")
def show_execution(execution_id: ExecutionId, services: GivenServices) -> ShownExecution:
    """Show one execution in full."""
    return _shown(services.executions.get(execution_id))


@router.post("/executions/{execution_id}/feedback")
def give_feedback(execution_id: ExecutionId, given: NewFeedback, services: GivenServices, author: GivenAuthor) -> ShownFeedback:
    """Say what an output was worth. Rankings of models count it before any check's verdict."""
    said = Feedback(by=author, at=services.clock.now(), accepted=given.accepted, rating=given.rating, note=typed(given.note))
    execution = services.executions.feedback(execution_id, said)
    return ShownFeedback(execution=execution.id, accepted=execution.accepted, rating=execution.rating, feedback=execution.feedback)


@router.get("/rankings")
def list_rankings(services: GivenServices) -> list[Ranking]:
    """List how models rank at each task, and in each department that has enough executions, the best first."""
    return services.rankings.all()


def _shown(execution: Execution) -> ShownExecution:
    document = execution.to_document()
    return ShownExecution(id=document.pop("_id"), **document)
