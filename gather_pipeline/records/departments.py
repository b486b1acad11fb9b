"""A project's departments: asked from their source, kept in the project's database as they were when last asked."""

from __future__ import annotations

from gather_pipeline.domain.departments import Department, to_automate, to_row
from gather_pipeline.errors import UnknownEntity
from gather_pipeline.records.project import DEPARTMENTS, GatherRepository
from gather_pipeline.services import Services


def query_departments_for_automation(services: Services) -> list[Department]:
    """Departments with gatherCheck and isActive, in codeDepNumber order (S001-PAY-02, S001-ORCH-01: none is hard-coded).

    Raises:
        InvalidInput: The source is wrong, or leaves no department to run.
    """
    return to_automate(services.departments.departments())


def refresh_departments(services: Services, project_id: str) -> list[Department]:
    """Asks the source and stores the rows with their place; a row whose department left is marked inactive, never deleted (C20)."""
    chosen = query_departments_for_automation(services)
    repository = GatherRepository(services.store, project_id)
    known = {row["_id"]: row for row in repository.rows(DEPARTMENTS)}
    for place, department in enumerate(chosen):
        wanted = {"_id": department.slug, **to_row(department), "place": place, "retired": False}
        stored = {key: value for key, value in known.pop(department.slug, {}).items() if key in wanted}
        if stored != wanted:
            repository.record(DEPARTMENTS, wanted)
    for slug, row in known.items():
        if not row.get("retired"):
            repository.record(
                DEPARTMENTS, {**{key: value for key, value in row.items() if key != "_version"}, "_id": slug, "retired": True}
            )
    return chosen


def department_of(services: Services, slug: str) -> Department:
    """The department with that slug, active or not.

    Raises:
        UnknownEntity: The source has none.
    """
    departments = services.departments.departments()
    for department in departments:
        if department.slug == slug:
            return department
    known = ", ".join(department.slug for department in departments)
    raise UnknownEntity.field("department", slug, f"one of {known}")
