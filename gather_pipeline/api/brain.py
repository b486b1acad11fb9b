"""`gather brain serve`: the local index over the four calls of S001-BRAIN, for the machines of a studio to share.

An application of its own beside the API's. Its contract is docs/brain-openapi.yaml; `python -m gather_pipeline.api.brain` prints it.
"""

from __future__ import annotations

import hmac
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import yaml
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from gather_pipeline.api.limits import check_size
from gather_pipeline.api.problems import Problem, add_handlers, problem_of
from gather_pipeline.bootstrap import build_services, served_brain
from gather_pipeline.domain.departments import Department, parse_departments
from gather_pipeline.domain.nodes import Node
from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.domain.tokens import is_loopback
from gather_pipeline.errors import GatherError, NotAllowed, NotSignedIn
from gather_pipeline.ports import LocalBrain, Remembered
from gather_pipeline.records.nodes import Nodes

VERSION = "1.0.0"
BODY_BYTES = 20_000_000
TEXT = 100_000  # most characters of one text
MOST = 1_000  # items of a batch
PROJECT = "507f1f77bcf86cd799439011"
BEARER = HTTPBearer(auto_error=False, description="BRAIN_SERVICE_API_KEY")
ProjectId = Annotated[str, Field(description="Id of the project: 24 hexadecimal digits or a slug", min_length=1, examples=[PROJECT])]


class DepartmentName(BaseModel):
    """The department that items belong to."""

    slug: str = Field(min_length=1, max_length=200, examples=["story"])
    name: str = Field("", max_length=500, examples=["Story"])


class GivenItem(BaseModel):
    """A gather item; id and version together are indexed once, however often they come."""

    id: str = Field(min_length=1, max_length=200, examples=["9f2c1a0b7d3e4f5061728394"])
    version: int = Field(1, ge=1, le=2**53, description="Number of the item's version; an older one than the known changes nothing")
    content: str = Field("", max_length=TEXT, examples=["Ada finds the lost hour in the tower clock."])
    summary: str = Field("", max_length=TEXT, examples=["The lost hour"])
    context: str = Field("", max_length=TEXT)
    deleted: bool = Field(False, description="The item is gone and is to be forgotten")

    def node(self, department: str) -> Node:
        """The item as a node."""
        texts = {"content": self.content, "summary": self.summary, "context": self.context}
        return Node(id=self.id, version=self.version, department=department, is_active=not self.deleted, **texts)


class Batch(BaseModel):
    """Items of one department to index."""

    project_id: ProjectId
    department: DepartmentName
    items: list[GivenItem] = Field(max_length=MOST)


class Indexed(BaseModel):
    """What became of a batch."""

    indexed: int = Field(description="Items that are new, by id and version", examples=[12])
    unchanged: int = Field(description="Items that were known", examples=[0])


class FoundItem(BaseModel):
    """An item that was found."""

    id: str = Field(examples=["9f2c1a0b7d3e4f5061728394"])
    department: str = Field(examples=["story"])
    content: str = Field(examples=["Ada finds the lost hour in the tower clock."])
    summary: str = Field(examples=["The lost hour"])
    similarity: float = Field(ge=-1, le=1, examples=[0.94])


class DuplicateSearch(BaseModel):
    """A text that may say what a known item says."""

    content: str = Field(min_length=1, max_length=TEXT, examples=["In the tower clock Ada discovers the hour that was lost."])
    project_id: ProjectId
    threshold: float = Field(0.90, ge=0, le=1, description="Least similarity, as the probability that both say the same")


class Duplicates(BaseModel):
    """Items that say the same, the likeliest first."""

    duplicates: list[FoundItem]


class Context(BaseModel):
    """Items near to the question, the nearest first."""

    project_id: str
    department: str
    context: list[FoundItem]


class AskedDepartment(DepartmentName):
    """The department whose coverage is asked for."""

    description: str = Field("", max_length=TEXT, examples=["What happens, and why"])
    aspects: list[str] = Field([], max_length=200, examples=[["opening", "conflict"]])

    def department(self) -> Department:
        """The department as the scorer takes it."""
        row = {"slug": self.slug, "name": self.name or self.slug, "description": self.description}
        settings = {"aspects": self.aspects} if self.aspects else {}
        return parse_departments([{**row, "gatherCheck": True, "isActive": True, "coordinationSettings": settings}], "department")[0]


class CoverageQuestion(BaseModel):
    """A department with its items."""

    project_id: ProjectId
    department: AskedDepartment
    items: list[GivenItem] | None = Field(None, description="Its items; those that are indexed where left out")


class CoverageAnswer(BaseModel):
    """How far a department is covered."""

    coverage_score: float = Field(ge=0, le=100, examples=[62.5])
    least_covered: list[str] = Field(description="Aspects, the least covered first", examples=[["conflict", "opening"]])


class Health(BaseModel):
    """That the service is up."""

    status: str = Field(examples=["ok"])
    version: str = Field(examples=[VERSION])


def create_brain_app(brain: LocalBrain, nodes: Nodes, key: str, secrets: Secrets) -> FastAPI:
    """The application.

    Args:
        brain: The local index.
        nodes: Where what it is told is kept.
        key: That a request must carry as a bearer token; empty for none, which serves this machine alone.
        secrets: What no answer may show.
    """
    app = FastAPI(
        title="Brain service",
        version=VERSION,
        description="A project's memory, asked by meaning: what seed S001 asks of its Brain.",
        responses={"default": {"model": Problem, "description": "What went wrong (RFC 9457)"}},
        redoc_url=None,
    )
    lock = threading.Lock()

    def check_key(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]) -> None:
        if key and (given is None or not hmac.compare_digest(given.credentials.encode(), key.encode())):
            raise NotSignedIn("the request has not the key that BRAIN_SERVICE_API_KEY is here, expected Authorization: Bearer and it")
        if not key and (request.headers.get("origin") or not is_loopback(request.url.hostname or "")):
            raise NotAllowed("BRAIN_SERVICE_API_KEY is not set here, expected a request from this machine")

    router = APIRouter(prefix="/api/v1", dependencies=[Depends(check_key)])

    @app.middleware("http")
    async def bounded(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        try:
            check_size(int(length) if length.isdecimal() else BODY_BYTES + 1, BODY_BYTES)
        except GatherError as error:
            return problem_of(error, secrets)
        return await answer(request)

    @app.get("/health", operation_id="health")
    def health() -> Health:
        """Says that the service is up; needs no key."""
        return Health(status="ok", version=VERSION)

    @router.post("/nodes/batch", operation_id="index")
    def index(batch: Batch) -> Indexed:
        """Indexes items, over older versions of the same ids; the same again changes nothing."""
        project_id = check_project_id(batch.project_id)
        with lock:
            fresh = nodes.put(project_id, [item.node(batch.department.slug) for item in batch.items])
            brain.index(project_id, fresh)
        return Indexed(indexed=len(fresh), unchanged=len(batch.items) - len(fresh))

    @router.post("/search/duplicates", operation_id="duplicates")
    def duplicates(search: DuplicateSearch) -> Duplicates:
        """Finds items that say the same as a text."""
        found = brain.duplicates(check_project_id(search.project_id), search.content, threshold=search.threshold)
        return Duplicates(duplicates=_shown(found))

    @router.get("/context/department", operation_id="context")
    def context(
        project_id: Annotated[str, Query(min_length=1, examples=[PROJECT])],
        department: Annotated[str, Query(description="Slug of the department that asks", examples=["music"])],
        previous_depts: Annotated[list[str], Query(description="Slugs whose items are looked at; all where left out")] = [],  # noqa: B006
        query: Annotated[str, Query(max_length=TEXT, description="The question; the department's slug where left out")] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 10,
    ) -> Context:
        """Gives the items nearest to a question."""
        found = brain.context(
            check_project_id(project_id), query or department, department=department, previous=previous_depts, limit=limit
        )
        return Context(project_id=project_id, department=department, context=_shown(found))

    @router.post("/analyze/coverage", operation_id="coverage")
    def coverage(question: CoverageQuestion) -> CoverageAnswer:
        """Says how far a department's aspects are covered."""
        project_id, department = check_project_id(question.project_id), question.department.department()
        if question.items is None:
            known = [node for node in nodes.all(project_id)[0] if node.department == department.slug]
        else:
            known = [item.node(department.slug) for item in question.items if not item.deleted]
        found = brain.coverage(project_id, department, known)
        return CoverageAnswer(coverage_score=found.score, least_covered=list(found.least_covered))

    app.include_router(router)
    add_handlers(app, secrets, app.routes)
    return app


def from_environment() -> FastAPI:
    """The application that `gather brain serve` hands to uvicorn; what it opened is closed at its end."""
    services = build_services()
    key = services.settings.brain_api_key
    app = create_brain_app(*served_brain(services), key.get_secret_value() if key else "", services.secrets)

    @asynccontextmanager
    async def closing(app: FastAPI) -> AsyncIterator[None]:
        yield
        services.close()

    app.router.lifespan_context = closing
    return app


def contract() -> str:
    """The OpenAPI document as YAML."""
    services = build_services()
    document = create_brain_app(*served_brain(services), "", services.secrets).openapi()
    services.close()
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _shown(found: Sequence[Remembered]) -> list[FoundItem]:
    return [
        FoundItem(
            id=one.id, department=one.department, content=one.content, summary=one.summary, similarity=min(1.0, max(-1.0, one.similarity))
        )
        for one in found
    ]


if __name__ == "__main__":
    sys.stdout.write(contract())
