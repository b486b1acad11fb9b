"""Projects: create, list, show and change them; how each and its departments stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, JsonValue

from gather_pipeline.api.deps import Body, ForAll, GivenAccess, GivenAuthor, GivenProject, GivenServices
from gather_pipeline.domain.departments import CoordinationSettings
from gather_pipeline.domain.iterations import EndedBy
from gather_pipeline.domain.projects import ID, ID_EXPECTED, EarlierBrief, Project, check_brief
from gather_pipeline.domain.texts import clean
from gather_pipeline.errors import GatherError, InvalidInput
from gather_pipeline.services import Services
from gather_pipeline.upkeep.runs import RunStatus
from gather_pipeline.upkeep.standing import Stage, made_stale, project_rows, project_status, source_rows, stale_of

router = APIRouter(prefix="/api", tags=["projects"])

SEEN: dict[str, JsonValue] = {"pattern": r"\S"}  # only documented: the rooms that keep the text refuse an empty one
ProjectIdField = Annotated[str, Field(description="24 hexadecimal digits, or a short name", examples=["salt-ledger"])]
Slug = Annotated[str, Field(description="Slug of a department", examples=["story"])]
Moment = Annotated[str, Field(description="UTC, ISO 8601", examples=["2026-03-02T09:15:00.000000+00:00"])]
Score = Annotated[float | None, Field(description="0 to 100; null where it was never scored", examples=[81.5])]


class NewProject(Body):
    """A project to create."""

    name: str = Field(examples=["The Salt Ledger"], json_schema_extra=SEEN)
    brief: str = Field(description="Markdown", examples=["Ada Brandt repairs clocks in Lindau."], json_schema_extra=SEEN)
    id: str | None = Field(
        None,
        description=f"{ID_EXPECTED}; made up where left out",
        examples=["salt-ledger"],
        json_schema_extra={"pattern": f"^{ID.pattern}$"},
    )


class ProjectChange(Body):
    """What is to change; what is left out stays."""

    name: Annotated[str | None, Field(examples=["The Salt Ledger, second try"])] = None
    brief: Annotated[str | None, Field(examples=["Ada Brandt repairs clocks in Lindau, and sells them."])] = None


@dataclass(frozen=True, kw_only=True)
class ShownProject(Project):
    """A project with the names and briefs that it had before, oldest first."""

    earlier: Sequence[EarlierBrief]


class StaleDepartment(BaseModel):
    """A department whose notes were made of something that has changed since."""

    department: Slug
    reason: Annotated[str, Field(examples=["the brief has changed"])]


@dataclass(frozen=True, kw_only=True)
class ChangedProject(Project):
    """A project after a change: whether anything differed, and what the change made stale.

    `stale` is null where the list of departments cannot be had.
    """

    changed: bool
    stale: list[StaleDepartment] | None


class Progress(BaseModel):
    """How far a department has come."""

    state: Stage
    ended_by: Annotated[EndedBy | None, Field(description="Why its last iteration was its last; null where it may go on")]
    quality: Score
    judged: Annotated[bool, Field(description="Whether a judge had a part in the quality; text statistics alone claim less")]
    iterations: Annotated[int, Field(description="Over all runs", examples=[4])]
    items: Annotated[int, Field(description="Active items, people's included", examples=[20])]


class StandingDepartment(Progress):
    """How a department stands, and whether it is behind."""

    department: Slug
    threshold: Annotated[float, Field(examples=[80])]
    stale: Annotated[bool, Field(description="Whether the next run adds to it; `stale` of the project says why")]
    unscored: Annotated[bool, Field(description="Whether its score or its draft is of other items or by other rules than now")]


class ShownStatus(BaseModel):
    """How a project stands."""

    project_id: ProjectIdField
    run: Annotated[RunStatus | None, Field(description="The run at work, else the last one")]
    departments: Annotated[list[StandingDepartment], Field(description="In the order in which they run, those that left the list last")]
    stale: list[StaleDepartment]
    unscored: Annotated[list[str], Field(description="Departments whose score or draft is behind")]


class ShownDepartment(BaseModel):
    """A department in the CMS's own fields, with what they come to."""

    id: str | None
    slug: Slug
    name: Annotated[str, Field(examples=["Story Department"])]
    description: str
    codeDepNumber: Annotated[int | None, Field(description="Departments run in this order", examples=[1])]
    gatherCheck: bool
    isActive: bool
    defaultModel: Annotated[str | None, Field(examples=["vendor/model"])]
    coordinationSettings: CoordinationSettings
    threshold: Annotated[float, Field(description="Quality at which it is good enough", examples=[80])]
    maxIterations: int | None
    automated: Annotated[bool, Field(description="Whether runs take it")]


class ProjectDepartment(ShownDepartment, Progress):
    """A department of a project, and how far it has come."""


@router.get("/projects")
def list_projects(services: GivenServices, access: GivenAccess) -> list[Project]:
    """List the projects that you may see, oldest first."""
    return [one for one in services.projects.all() if access.project_id in (None, one.id)]


@router.post("/projects", status_code=201, dependencies=[ForAll])
def create_project(given: NewProject, services: GivenServices, response: Response) -> Project:
    """Create a project from a brief."""
    created = services.projects.create(given.name, _checked(given.brief), given.id)
    response.headers["Location"] = f"/api/projects/{created.id}"
    return created


@router.get("/projects/{project_id}")
def show_project(project_id: GivenProject, services: GivenServices) -> ShownProject:
    """Show a project's brief, and the names and briefs that it had before."""
    return ShownProject(**vars(services.projects.get(project_id)), earlier=services.projects.earlier(project_id))


@router.patch("/projects/{project_id}")
def update_project(project_id: GivenProject, given: ProjectChange, services: GivenServices, author: GivenAuthor) -> ChangedProject:
    """Give a project another brief or name; what it had before is kept. The next run adds to what is stale and deletes nothing."""
    if given.name is None and given.brief is None:
        raise InvalidInput("neither name nor brief is given, expected what is to change")
    brief = None if given.brief is None else _checked(given.brief)
    updated, changed = services.projects.update(project_id, name=given.name, brief=brief, by=author)
    return ChangedProject(**vars(updated), changed=changed, stale=_stale(services, project_id) if changed else [])


@router.get("/projects/{project_id}/status")
def show_status(project_id: GivenProject, services: GivenServices) -> ShownStatus:
    """Show a project's last run, how its departments stand, and which of them are stale and why."""
    return ShownStatus.model_validate(project_status(services, project_id).to_document())


@router.get("/projects/{project_id}/departments")
def list_project_departments(project_id: GivenProject, services: GivenServices) -> list[ProjectDepartment]:
    """List a project's departments as its last run found them, in the order in which they run, and how far each has come."""
    return [ProjectDepartment(**row) for row in project_rows(services, project_id)]


@router.get("/departments")
def list_departments(services: GivenServices) -> list[ShownDepartment]:
    """List the departments of the source (the CMS, or the file that `GATHER_DEPARTMENTS` names); all of them are checked first."""
    return [ShownDepartment(**row) for row in source_rows(services)]


def _checked(brief: str) -> str:
    return check_brief(clean(brief).encode(), "of the request")


def _stale(services: Services, project_id: str) -> list[StaleDepartment] | None:
    try:
        return [StaleDepartment(**one) for one in stale_of(made_stale(services, project_id))]
    except GatherError:  # the change is made, whatever is wrong with the list of departments
        return None
