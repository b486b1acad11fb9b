"""What has happened in a project: its stored events, and those that a webhook lacks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gather_pipeline.api.deps import GivenRecords, GivenServices, Limit
from gather_pipeline.api.routes.projects import Moment, ProjectIdField

router = APIRouter(prefix="/api/projects/{project_id}", tags=["events"])


class ShownEvent(BaseModel):
    """Something that happened in a run; beside these every type has fields of its own."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "department_complete",
                    "department": "story",
                    "department_name": "Story Department",
                    "quality_score": 81.5,
                    "iterations_used": 4,
                    "project_id": "salt-ledger",
                    "task_id": "0f8c2f0e-6d0b-4d42-9d7e-2f5f0c1f7c55",
                    "sequence": 12,
                    "at": "2026-03-02T09:15:00.000000+00:00",
                }
            ]
        },
    )

    type: Annotated[str, Field(description="What happened", examples=["department_complete"])]
    project_id: ProjectIdField
    task_id: str
    sequence: Annotated[int, Field(description="Number within the project, 1 for its first event")]
    at: Moment


class ShownLetter(BaseModel):
    """An event that a webhook does not have yet."""

    event_id: str
    sequence: int
    receiver: Annotated[str, Field(description="The receiver's host", examples=["hooks.example.com"])]
    state: Annotated[Literal["waiting", "dead"], Field(description="A dead one is sent again only on request")]
    attempts: int
    reason: Annotated[str | None, Field(description="Why the receiver did not take it the last time")]
    event: dict[str, Any]


Sequence = Annotated[int, Query(ge=0, lt=2**63, description="Only events with a higher sequence number", examples=[0])]


@router.get("/events/stored")
def list_events(records: GivenRecords, after: Sequence = 0, limit: Limit = 50) -> list[ShownEvent]:
    """List stored events in order, from a sequence number on; go on behind the last one's."""
    return [ShownEvent(**event.to_document()) for event in records.events(after, limit)]


@router.get("/events/undelivered")
def list_undelivered(records: GivenRecords, services: GivenServices, after: Sequence = 0, limit: Limit = 50) -> list[ShownLetter]:
    """List events that a webhook lacks: waiting, or dead, which are sent again only by `gather events --redeliver`.

    Where several receivers lack the last event of a page, the page has one more row for each.
    """
    letters = services.outbox.undelivered(records, after)
    page = [one for one in letters if one.event.sequence <= letters[:limit][-1].event.sequence]
    return [ShownLetter(**one.to_document()) for one in page]
