"""What a project's runs were measured to do: figures as JSON, and the report as one page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from gather_pipeline.api.deps import GivenProject, GivenRecords, GivenServices
from gather_pipeline.api.routes.projects import ProjectIdField
from gather_pipeline.ports import IngestReport
from gather_pipeline.records.view import ProjectView
from gather_pipeline.report.project import brought_up_to_date, project_page, project_tables
from gather_pipeline.report.tables import ReportTables
from gather_pipeline.services import Services

router = APIRouter(prefix="/api/projects/{project_id}", tags=["reports"])

Rows = list[dict[str, Any]]


class Report(BaseModel):
    """A project's figures over all its runs; null is unknown."""

    project_id: ProjectIdField
    departments: Annotated[Rows, Field(description="Quality, items kept and dropped, tokens, cost and minutes of each department")]
    iterations: Annotated[Rows, Field(description="Quality with its four parts after each iteration")]
    kept: Annotated[Rows, Field(description="What became of the texts that the models gave")]
    spending: Annotated[Rows, Field(description="Calls, tokens, cost and seconds by phase")]
    runs: Rows
    told: Annotated[str | None, Field(description="Why the newest measurements are not among them, where they are not")] = None


@router.get("/report")
def show_report(records: GivenRecords, services: GivenServices) -> Report:
    """Show a project's figures."""
    tables, told = _measured(services, records.view())
    return Report(**tables.to_dict(), told=told)


@router.get("/report/page", response_class=HTMLResponse)
def show_page(project_id: GivenProject, services: GivenServices) -> str:
    """Show a project's report as one HTML page with plots, which needs nothing else."""
    project, view = services.projects.get(project_id), services.project(project_id).view()
    tables, _ = _measured(services, view)
    return project_page(services, project, view, tables)


def _measured(services: Services, view: ProjectView) -> tuple[ReportTables, str | None]:
    told: list[str] = []
    with brought_up_to_date(services, _report, told.append):
        tables = project_tables(services, view)
    return tables, next(iter(told), None)


def _report(services: Services, done: IngestReport) -> None:
    """Tells Dagster of what was taken in; it is loaded only then."""
    from gather_pipeline.defs.launch import report_metrics

    report_metrics(services.settings, done)
