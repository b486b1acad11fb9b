"""What routes are given: the services, who asks, a project that they may see, and what lists and changes have in common.

Those that wait for nothing are coroutines, for FastAPI takes a plain function to a thread.
"""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.requests import HTTPConnection

from gather_pipeline.api.access import Access
from gather_pipeline.domain.projects import ID, ID_EXPECTED, check_project_id
from gather_pipeline.domain.texts import NAME_LIMIT, checked_name
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.project import ProjectRecords
from gather_pipeline.services import Services


async def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


async def _access(connection: HTTPConnection) -> Access:
    access: Access = connection.state.access
    return access


TAG = re.compile(r'(?:W/)?"?([1-9][0-9]{0,8})(?:[-;]+[a-z]+)?"?')  # what proxies make of an ETag where they pack an answer: W/"3", "3-gzip"


class Body(BaseModel):
    """A request's body, in JSON's own types; an unknown field is refused, for it may be a slip of a known one."""

    model_config = ConfigDict(extra="forbid", strict=True)


GivenServices = Annotated[Services, Depends(_services)]
GivenAccess = Annotated[Access, Depends(_access)]


async def _project(
    project_id: Annotated[str, Path(description=ID_EXPECTED, examples=["salt-ledger"], json_schema_extra={"pattern": f"^{ID.pattern}$"})],
    access: GivenAccess,
) -> str:
    access.check(check_project_id(project_id, "project_id"))
    return project_id


async def _for_all(access: GivenAccess) -> None:
    access.check(None)


# The `{project_id}` of a path, which the caller may see: 403 where the token is for another project.
GivenProject = Annotated[str, Depends(_project)]
# For routes that concern more than one project (`dependencies=[ForAll]`): 403 for a token of one project.
ForAll = Depends(_for_all)


def _records(project_id: GivenProject, services: GivenServices) -> ProjectRecords:
    return services.project(services.projects.get(project_id).id)


# The records of `GivenProject`: 404 where there is no such project.
GivenRecords = Annotated[ProjectRecords, Depends(_records)]


async def _author(
    access: GivenAccess,
    by: Annotated[
        str | None,
        Query(
            description="Who does it; the token's name where left out",
            examples=["ana"],
            json_schema_extra={"minLength": 1, "maxLength": NAME_LIMIT},  # only documented: `checked_name` refuses
        ),
    ] = None,
) -> str:
    return checked_name("by", by) if by is not None else access.name


async def _revision(
    if_match: Annotated[
        str | None,
        Header(
            description="The version that the change was made from: the ETag that it was read with",
            examples=['"3"'],
            json_schema_extra={"pattern": '^((W/)?"[1-9][0-9]{0,8}"|[*])$'},
        ),
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    if (found := TAG.fullmatch(if_match.strip())) is None:
        raise InvalidInput.field("If-Match", if_match, 'an ETag as it was read, such as "3"')
    return int(found[1])


# Whose name a change is kept under.
GivenAuthor = Annotated[str, Depends(_author)]
# The revision that a change was made from, None where none is named: another person's later one makes the change a conflict.
GivenRevision = Annotated[int | None, Depends(_revision)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most rows")]
After = Annotated[str | None, Query(description="Begin behind this id, the last of the page before")]


def link_to_next(request: Request, response: Response, last: str | None) -> None:
    """Names the page after this one (RFC 8288), where there is one."""
    if last is not None:
        query = urlencode([*((name, value) for name, value in request.query_params.multi_items() if name != "after"), ("after", last)])
        response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
