"""What prompts are made of: briefs, departments, and notes of other departments. Dagster is told of their versions (`reporting`)."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import shared
from gather_pipeline.defs.metadata import department_row
from gather_pipeline.defs.partitions import departments as department_keys
from gather_pipeline.defs.partitions import project_departments, projects
from gather_pipeline.defs.reporting import department_version
from gather_pipeline.defs.resources import Gather
from gather_pipeline.domain.departments import in_order, select
from gather_pipeline.domain.items import Item
from gather_pipeline.domain.projects import Project

briefs = dg.AssetSpec(
    "briefs",
    description="The name and brief of each project, as `gather project create` and `gather project update` keep them. Nothing is run "
    "for it here: the sensor `changes` tells of a new or edited brief, and all departments of its project show as unsynced.",
    partitions_def=projects,
    **shared(layer="sources", kinds={"file"}, row=Project, table="gather_pipeline.projects"),
)
context_notes = dg.AssetSpec(
    "context_notes",
    description="The notes of other departments that were shown to the model when a department's notes were written. One of them "
    "edited or deleted makes that department show as unsynced. Nothing is run for it here: the sensor `changes` tells of it.",
    partitions_def=project_departments,
    **shared(layer="sources", kinds={"table"}, row=Item),
)


@dg.asset(partitions_def=department_keys, code_version="1", **shared(layer="sources", kinds={"yaml"}))
def departments(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """The departments that all projects share, in the order in which they work: each with its threshold, aspects and model.

    They come from the file that `GATHER_DEPARTMENTS` names, or from the CMS. One that is changed there shows as unsynced in every
    project; the sensor `changes` tells of it without a run, so there is no need to materialize this before anything else.
    """
    with gather.services() as services:
        there = in_order(services.departments.departments())
        (department,) = select(there, [context.partition_key])
        shown = department_row(department, there.index(department), department_version(services, department))
        place = services.departments.place
        source = dg.MetadataValue.url(place) if "://" in place else dg.MetadataValue.path(place)
    return dg.MaterializeResult(metadata=shown.described | {"source": source}, data_version=dg.DataVersion(shown.version))
