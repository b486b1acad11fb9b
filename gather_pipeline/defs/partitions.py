"""Partitions: a department of a project (D3), and the ranges of them that one run works on.

Department keys are the slugs of the source, shared by all projects, so that the cross product stays small. It still holds combinations that
do not exist; `real_partitions` refuses them before any work. Dagster sorts dimensions by name: a key reads ``department|project``.
"""

import warnings
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby

import dagster as dg

from gather_pipeline.domain.departments import Department, in_order
from gather_pipeline.errors import InvalidInput, listed
from gather_pipeline.services import Services

PROJECT, DEPARTMENT = "project", "department"
KIND_TAG = "gather/kind"  # of a job: automation, refresh or report
PROJECT_TAG = "gather/project"  # on every run of a project: the queue admits one run a value
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

projects = dg.DynamicPartitionsDefinition(name="projects")
departments = dg.DynamicPartitionsDefinition(name="departments")
project_departments = dg.MultiPartitionsDefinition({PROJECT: projects, DEPARTMENT: departments})

with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)
    of_its_project = dg.MultiToSingleDimensionPartitionMapping(PROJECT)
    of_its_department = dg.MultiToSingleDimensionPartitionMapping(DEPARTMENT)


def partition_key(project_id: str, slug: str) -> dg.MultiPartitionKey:
    """The key of a department of a project."""
    return dg.MultiPartitionKey({PROJECT: project_id, DEPARTMENT: slug})


def split_key(key: str) -> tuple[str, str]:
    """Project id and slug of a key ``department|project``; neither can contain the bar."""
    slug, _, project_id = key.partition("|")
    return project_id, slug


def by_project(keys: Iterable[str]) -> dict[str, list[str]]:
    """Slugs by project of keys ``department|project``."""
    found: dict[str, list[str]] = {}
    for project_id, slug in map(split_key, keys):
        found.setdefault(project_id, []).append(slug)
    return found


def real_partitions(services: Services, keys: Sequence[str], only: Collection[str] = ()) -> dict[str, list[Department]]:
    """Departments by project of a run's keys, in the order in which they are worked on; where `only` names slugs, without all others.

    Raises:
        InvalidInput: A key names a project that is not there or a department that is not automated; names all such keys.
    """
    known = {project.id for project in services.projects.all()}
    there = in_order(services.departments.departments())
    wanted = {project_id: [slug for slug in slugs if not only or slug in only] for project_id, slugs in by_project(keys).items()}
    slugs = [department.slug for department in there]
    unreal = [f"{slug}|{id}" for id, of_project in wanted.items() for slug in of_project if id not in known or slug not in slugs]
    if unreal:
        places = f"a department of {listed(slugs, 12) or 'none'} and a project of {listed(sorted(known), 12) or 'none'}"
        raise InvalidInput(f"partition {listed(unreal, 3)} is not there, expected {places}")
    return {project_id: [one for one in there if one.slug in of_project] for project_id, of_project in wanted.items()}


def stretches(instance: dg.DagsterInstance, slugs: Collection[str]) -> list[list[str]]:
    """Departments cut into stretches without a gap, in the order in which Dagster was given their keys: a range of keys goes by it."""
    order = instance.get_dynamic_partitions(str(departments.name))
    return [list(group) for is_wanted, group in groupby(order, key=lambda slug: slug in slugs) if is_wanted]


def range_tags(project_id: str, first: str, last: str) -> dict[str, str]:
    """Tags of a run over one project's keys, both ends included. The wrong way round it would silently get none."""
    return {
        RANGE_START: str(partition_key(project_id, first)),
        RANGE_END: str(partition_key(project_id, last)),
        PROJECT_TAG: project_id,
    }
