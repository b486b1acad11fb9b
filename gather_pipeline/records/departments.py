"""A project's departments: asked from their source, kept in the project's database as they were when last asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gather_pipeline.domain.departments import Department, StoredDepartment
from gather_pipeline.records.view import ProjectView


def store_departments(view: ProjectView, chosen: Sequence[Department]) -> None:
    """Stores departments with their place; a row whose department left is marked retired, never deleted (C20)."""
    known = {stored.slug: stored for stored in view.departments}
    wanted = [StoredDepartment(department=department, place=place, retired=False) for place, department in enumerate(chosen)]
    wanted += [replace(stored, retired=True) for slug, stored in known.items() if slug not in {one.slug for one in chosen}]
    for stored in wanted:
        if known.get(stored.slug) != stored:
            view.records.save_department(stored)
