"""The review queue: whatever waits for a person, to be listed, shown and decided.

What was proposed never changes: a changed output stands beside it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, JsonValue

from gather_pipeline.api.deps import Body, ForAll, GivenAuthor, GivenServices
from gather_pipeline.api.routes.projects import Moment
from gather_pipeline.bootstrap import write_whole
from gather_pipeline.domain.reviews import Choice, Status, Step
from gather_pipeline.domain.texts import checked_name, typed
from gather_pipeline.upkeep.suggesting import decide

router = APIRouter(prefix="/api/reviews", tags=["reviews"], dependencies=[ForAll])

Note = Annotated[str, Field(description="Why, for whoever reads it later", max_length=20_000, examples=["two skills are the same"])]
ReviewId = Annotated[str, Path(description="Id of a review", examples=["r1f0c7a0e9f3b4c2d8a1e6f7"])]


class Decision(Body):
    """What a person decides."""

    choice: Choice
    changed: Annotated[JsonValue, Field(description="With edit: the output as it should be", examples=[None])] = None
    note: Note = ""


class Remark(Body):
    """Why something is done."""

    note: Note = ""


class Assignment(Remark):
    """Who shall decide."""

    assignee: Annotated[str, Field(examples=["Mara"])]


class ShownReview(BaseModel):
    """What waits for a person, and how it stands."""

    review: Annotated[str, Field(description="Its id", examples=["r1f0c7a0e9f3b4c2d8a1e6f7"])]
    kind: Annotated[str, Field(examples=["task_output"])]
    status: Status
    title: str
    assignee: str | None
    created_at: Moment
    expires_at: Annotated[str | None, Field(description="When it lapses; null for never")]
    sources: Annotated[list[str], Field(description="Executions that wait for it")]


class WholeReview(ShownReview):
    """A review with what is proposed, what it is for, what checks said of it, and what happened since."""

    content: JsonValue
    changed: JsonValue
    subject: dict[str, Any]
    shown: dict[str, Any]
    schema_: Annotated[dict[str, Any], Field(alias="schema", description="JSON Schema that a changed output must fit")]
    validations: list[str]
    history: list[Step]


@router.get("")
def list_reviews(
    services: GivenServices,
    status: Annotated[Status | Literal["all"], Query(description="Only those of this status")] = "open",
    kind: Annotated[str | None, Query(description="Only those of this kind", examples=["task_output"])] = None,
    assignee: Annotated[str | None, Query(description="Only those that this person is asked to decide")] = None,
) -> list[ShownReview]:
    """List what waits, the oldest first."""
    found = services.reviews.find(status=None if status == "all" else status, kind=kind, assignee=assignee)
    return [ShownReview(**one.to_row()) for one in found]


@router.get("/{review_id}")
def show_review(review_id: ReviewId, services: GivenServices) -> WholeReview:
    """Show what is proposed, what it is for, what checks said of it, and what happened since."""
    return WholeReview(**services.reviews.get(review_id).to_document())


@router.post("/{review_id}/decision")
def decide_review(review_id: ReviewId, given: Decision, services: GivenServices, author: GivenAuthor) -> WholeReview:
    """Accept, reject, or accept with changes. A changed output must fit the task's output schema and validations."""
    after, _ = decide(services, review_id, given.choice, by=author, note=given.note, changed=given.changed, write=write_whole)
    return WholeReview(**after.to_document())


@router.post("/{review_id}/assignment")
def reassign_review(review_id: ReviewId, given: Assignment, services: GivenServices, author: GivenAuthor) -> WholeReview:
    """Ask somebody else."""
    assignee = checked_name("assignee", given.assignee)
    return WholeReview(**services.reviews.reassign(review_id, assignee, by=author, note=typed(given.note)).to_document())


@router.post("/{review_id}/expiry")
def expire_review(review_id: ReviewId, given: Remark, services: GivenServices, author: GivenAuthor) -> WholeReview:
    """Let a question lapse without a decision. The same output, should it come again, is asked about anew."""
    return WholeReview(**services.reviews.expire(review_id, by=author, note=typed(given.note)).to_document())
