"""What prompts are made of: briefs, departments, and notes of other departments. Dagster is told of their versions (`reporting`)."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import OWNERS
from gather_pipeline.defs.metadata import department_row
from gather_pipeline.defs.partitions import departments as department_keys
from gather_pipeline.defs.partitions import project_departments, projects
from gather_pipeline.defs.reporting import department_version
from gather_pipeline.defs.resources import Gather
from gather_pipeline.domain.departments import in_order, select

briefs = dg.AssetSpec(
    "briefs",
    description="A project's name and brief, as `gather project` keeps them. Changed, they make all its departments stale.",
    partitions_def=projects,
    group_name="sources",
    owners=OWNERS,
    kinds={"markdown"},
)
context_notes = dg.AssetSpec(
    "context_notes",
    description="Notes of other departments that a department's prompts used. Edited or deleted, they make that department stale.",
    partitions_def=project_departments,
    group_name="sources",
    owners=OWNERS,
    kinds={"markdown"},
)


@dg.asset(partitions_def=department_keys, group_name="sources", owners=OWNERS, kinds={"yaml"}, code_version="1")
def departments(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """A department of the list that all projects share, with its threshold and aspects. Changed, it is stale in every project."""
    with gather.services() as services:
        there = in_order(services.departments.departments())
        (department,) = select(there, [context.partition_key])
        shown = department_row(department, there.index(department), department_version(services, department))
    return dg.MaterializeResult(metadata=shown.described, data_version=dg.DataVersion(shown.version))
