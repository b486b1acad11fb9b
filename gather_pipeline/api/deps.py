"""What routes are given: the services, who asks, and a project that they may see."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from gather_pipeline.api.access import Access
from gather_pipeline.domain.projects import check_project_id
from gather_pipeline.services import Services


def _services(connection: HTTPConnection) -> Services:
    services = connection.app.state.services
    assert isinstance(services, Services)
    return services


def _access(connection: HTTPConnection) -> Access:
    access = connection.state.access
    assert isinstance(access, Access)
    return access


GivenServices = Annotated[Services, Depends(_services)]
GivenAccess = Annotated[Access, Depends(_access)]


def _project(project_id: Annotated[str, Path(examples=["salt-ledger"])], access: GivenAccess) -> str:
    access.check(check_project_id(project_id))
    return project_id


def _for_all(access: GivenAccess) -> None:
    access.check(None)


# The `{project_id}` of a path, which the caller may see: 403 where the token is for another project.
GivenProject = Annotated[str, Depends(_project)]
# For routes that concern more than one project (`dependencies=[ForAll]`): 403 for a token of one project.
ForAll = Depends(_for_all)
