"""Gather items in people's hands: list, read, add, edit, delete, restore, and why each is as it is; dropped texts and their matches.

What a person wrote, edited or restored is never overwritten, generated anew or dropped as a duplicate. Every version is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from gather_pipeline.api.deps import After, Body, GivenAuthor, GivenProject, GivenRecords, GivenRevision, GivenServices, Limit, link_to_next
from gather_pipeline.api.routes.projects import SEEN, Moment, ProjectIdField, Slug
from gather_pipeline.domain.executions import Message
from gather_pipeline.domain.items import Item, Origin, Overruled, Revision, State
from gather_pipeline.domain.ledger import State as EntryState
from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.people.history import Drop, DroppedText, UsedItem, history_of, item_document
from gather_pipeline.people.listing import drops_page, items_page
from gather_pipeline.people.why import why

router = APIRouter(prefix="/api/projects/{project_id}", tags=["items"])

Id = Annotated[str, Field(description="24 hexadecimal digits", examples=["5d0c7a0e9f3b4c2d8a1e6f70"])]
Content = Annotated[
    str, Field(description="The note itself", examples=["The mayor has the only key to the tower."], json_schema_extra=SEEN)
]
Summary = Annotated[str, Field(description="One line", examples=["The mayor has the key."])]
Context = Annotated[str, Field(description="Where the note belongs", examples=["Before the first snow."])]
Aspect = Annotated[str, Field(description="Aspect of the department that it covers", examples=["story conflict"])]
Department = Annotated[str | None, Query(description="Only this department", examples=["story"])]
ItemId = Annotated[str, Path(description="Id of an item, or of a dropped text", examples=["5d0c7a0e9f3b4c2d8a1e6f70"])]


class NewTexts(Body):
    """New texts of an item; what is left out stays. A new content without a summary gets its first sentence as one."""

    content: Annotated[str | None, Field(examples=["The mayor has one of two keys to the tower."])] = None
    summary: Annotated[str | None, Field(description="The first sentence of a new content where left out")] = None
    context: str | None = None
    aspect: str | None = None


class NewNote(NewTexts):
    """A note that a person wrote."""

    department: Slug
    content: Content


class OtherItem(Body):
    """The item that stays."""

    other: Id


class ShownItem(BaseModel):
    """A gather item."""

    id: Id
    content: Content
    summary: Summary
    context: Context
    department: Slug
    iteration: Annotated[int, Field(description="Iteration that made it; 0 where a person wrote it")]
    task_id: Annotated[str, Field(description="Run that made it; empty where a person wrote it")]
    project_id: ProjectIdField
    user_id: Annotated[str | None, Field(description="Who asked for the run")]
    aspect: Aspect
    created_at: Moment
    origin: Origin
    state: Annotated[State, Field(description="Only active items are seen by prompts, duplicates and scores")]
    revision: Annotated[int, Field(description="Number of its present version; its ETag", examples=[1])]
    written_by: Annotated[str | None, Field(description="Who wrote, edited or restored it last; null where no person ever did")]
    generated_by: Annotated[str | None, Field(examples=["vendor/model"])]
    model: str | None
    injection: Annotated[str | None, Field(description="Words in it that seem meant for a model; empty or null where there are none")]
    automation: Annotated[dict[str, Any], Field(description="How it came about: task, prompt, model, execution")]


@dataclass(frozen=True, kw_only=True)
class ShownVersion(Revision):
    """A version of an item, with its texts as they were after it, and the names of those that it changed."""

    changed: Sequence[str]


class ShownHistory(ShownItem):
    """An item with everything that is kept of it."""

    history: Annotated[list[ShownVersion], Field(description="Every version in order, the present one last")]
    context_items: Annotated[list[UsedItem], Field(description="What the prompt that made it had of other items")]
    overruled: list[Overruled]
    drops: Annotated[list[Drop], Field(description="When its text was dropped")]


@dataclass(frozen=True, kw_only=True)
class ShownDroppedText(Drop):
    """A text that was dropped before it became an item."""

    project_id: str
    state: Literal["dropped"]


class ShownEntry(BaseModel):
    """What became of one text that was offered to the prompt, and why."""

    id: str
    kind: str
    layer: str
    priority: str
    hash: str
    state: EntryState
    tokens: int
    full_tokens: int
    limit: int
    rank: int
    reason: str
    flag: str


class ShownLedger(BaseModel):
    """The account of the prompt's context."""

    budget: int
    query: str
    aspects: list[str]
    unlisted: int
    included_tokens: int
    elements: list[ShownEntry]


class ShownWhy(BaseModel):
    """How an item, or a text that was dropped before it was one, came about; null stands for what is not known."""

    id: str
    project_id: ProjectIdField
    department: Slug
    iteration: int
    told: Annotated[str, Field(description="One sentence", examples=["ana wrote it, so that there is no prompt, model or cost"])]
    execution: str | None
    task: str | None
    task_version: str | None
    model: str | None
    parameters: dict[str, Any] | None
    prompt_id: str | None
    prompt_hash: str | None
    prompt: Annotated[list[Message] | None, Field(description="Made again from the record")]
    prompt_rebuilt: Annotated[bool | None, Field(description="Whether that is byte for byte what was sent")]
    ledger: ShownLedger | None
    verdicts: list[Verdict]
    calls: int | None
    tokens: int | None
    cost: Annotated[float | None, Field(description="US dollars")]
    seconds: float | None


@router.get("/items")
def list_items(
    records: GivenRecords,
    request: Request,
    response: Response,
    department: Department = None,
    deleted: Annotated[bool, Query(description="Those that people deleted instead")] = False,
    limit: Limit = 50,
    after: After = None,
) -> list[ShownItem]:
    """List a project's items in order, a page at a time."""
    page = items_page(records.view(), department, "deleted" if deleted else "active", limit=limit, after=after)
    link_to_next(request, response, page.last)
    return [ShownItem(**item_document(item)) for item in page.rows]


@router.get("/drops")
def list_drops(
    records: GivenRecords, request: Request, response: Response, department: Department = None, limit: Limit = 50, after: After = None
) -> Sequence[Drop]:
    """List what was dropped, each text with its match, similarity and rule. One that was restored since is marked."""
    page = drops_page(records.view(), department, limit=limit, after=after)
    link_to_next(request, response, page.last)
    return page.rows


@router.post("/items", status_code=201)
def add_item(project_id: GivenProject, given: NewNote, services: GivenServices, author: GivenAuthor, response: Response) -> ShownItem:
    """Add an item that you wrote."""
    texts = Texts(content=given.content, summary=given.summary, context=given.context, aspect=given.aspect)
    added = People(services).add(project_id, given.department, texts, author)
    response.headers["Location"] = f"/api/projects/{project_id}/items/{added.id}"
    return _shown(added, response)


@router.get("/items/{item_id}")
def show_item(project_id: GivenProject, item_id: ItemId, services: GivenServices, response: Response) -> ShownHistory | ShownDroppedText:
    """Show an item with every version of it and where it came from, or a dropped text by the id that its item would have had."""
    found = history_of(services, item_id, project_id)
    if isinstance(found, DroppedText):
        return ShownDroppedText(**found.to_document())
    response.headers["ETag"] = f'"{found.item.revision}"'
    return ShownHistory(**found.to_document())


@router.patch("/items/{item_id}")
def edit_item(
    project_id: GivenProject,
    item_id: ItemId,
    given: NewTexts,
    services: GivenServices,
    author: GivenAuthor,
    revision: GivenRevision,
    response: Response,
) -> ShownItem:
    """Give an item new texts; the old ones are kept. With `If-Match`, a later version of somebody else makes it a conflict."""
    texts = Texts(**given.model_dump())
    return _shown(People(services).edit(item_id, texts, author, revision=revision, project_id=project_id), response)


@router.delete("/items/{item_id}")
def delete_item(
    project_id: GivenProject, item_id: ItemId, services: GivenServices, author: GivenAuthor, revision: GivenRevision, response: Response
) -> ShownItem:
    """Take an item out of prompts, duplicates and scores; every version of it is kept."""
    return _shown(People(services).delete(item_id, author, revision=revision, project_id=project_id), response)


@router.post("/items/{item_id}/restore")
def restore_item(
    project_id: GivenProject, item_id: ItemId, services: GivenServices, author: GivenAuthor, revision: GivenRevision, response: Response
) -> ShownItem:
    """Bring back a deleted item, or a dropped text: what it was held to repeat is not held against it again."""
    return _shown(People(services).restore(item_id, author, revision=revision, project_id=project_id), response)


@router.post("/items/{item_id}/same")
def mark_same(
    project_id: GivenProject, item_id: ItemId, given: OtherItem, services: GivenServices, author: GivenAuthor, response: Response
) -> ShownItem:
    """Say that an item repeats another one: it is set aside, and the rules learn from the pair. Restore brings it back."""
    return _shown(People(services).mark_same(item_id, given.other, author, project_id=project_id), response)


@router.get("/items/{item_id}/why")
def explain_item(project_id: GivenProject, item_id: ItemId, services: GivenServices) -> ShownWhy:
    """Show how an item, or a dropped text, came about: model, prompt, ledger, verdicts and cost."""
    return ShownWhy.model_validate(why(services, item_id, project_id).to_document())


def _shown(item: Item, response: Response) -> ShownItem:
    response.headers["ETag"] = f'"{item.revision}"'
    return ShownItem(**item_document(item))
