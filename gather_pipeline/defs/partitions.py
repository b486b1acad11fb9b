"""Partitions: a department of a project (D3).

Department keys are the slugs of the source, shared by all projects, so that the cross product stays small. It still holds combinations that
do not exist; `real_partitions` refuses them before any work. Dagster sorts dimensions by name: a key reads ``department|project``.
"""

import warnings
from collections.abc import Iterable, Sequence

import dagster as dg

from gather_pipeline.domain.departments import in_order
from gather_pipeline.errors import InvalidInput
from gather_pipeline.records.registry import Projects
from gather_pipeline.services import Services

PROJECT, DEPARTMENT = "project", "department"

projects = dg.DynamicPartitionsDefinition(name="projects")
departments = dg.DynamicPartitionsDefinition(name="departments")
project_departments = dg.MultiPartitionsDefinition({PROJECT: projects, DEPARTMENT: departments})

with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)
    of_its_project = dg.MultiToSingleDimensionPartitionMapping(PROJECT)


def partition_key(project_id: str, slug: str) -> dg.MultiPartitionKey:
    """The key of a department of a project."""
    return dg.MultiPartitionKey({PROJECT: project_id, DEPARTMENT: slug})


def split_key(key: str) -> tuple[str, str]:
    """Project id and slug of a key ``department|project``; neither can contain the bar."""
    slug, _, project_id = key.partition("|")
    return project_id, slug


def real_partitions(services: Services, keys: Sequence[str]) -> dict[str, list[str]]:
    """Slugs by project of the keys asked for, in the order in which they are worked on.

    Raises:
        InvalidInput: A key names a project that is not there or a department that is not automated; names all such keys.
    """
    known = {project.id for project in Projects(services.store, services.main_database, services.clock).all()}
    slugs = [department.slug for department in in_order(services.departments.departments())]
    wanted = [split_key(key) for key in keys]
    unreal = [f"{slug}|{project_id}" for project_id, slug in wanted if project_id not in known or slug not in slugs]
    if unreal:
        places = f"a department of {_first(slugs, 12)} and a project of {_first(sorted(known), 12)}"
        raise InvalidInput(f"partition {_first(unreal)} is not there, expected {places}")
    return {project_id: [slug for slug in slugs if (project_id, slug) in wanted] for project_id in dict.fromkeys(id for id, _ in wanted)}


def _first(names: Iterable[str], limit: int = 3) -> str:
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return (", ".join(names[:limit]) or "none") + more
