"""Asset `departments`: a project's departments as their source has them."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import OWNERS
from gather_pipeline.defs.metadata import VERSION, departments_metadata
from gather_pipeline.defs.partitions import projects
from gather_pipeline.defs.resources import Gather
from gather_pipeline.records.departments import refresh_departments


@dg.asset(partitions_def=projects, group_name="gather", owners=OWNERS, kinds={"yaml"}, code_version="1")
def departments(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Departments to automate, in codeDepNumber order, with thresholds and aspects."""
    with gather.services() as services:
        chosen = refresh_departments(services, context.partition_key)
    metadata = departments_metadata(chosen)
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(str(metadata[VERSION])))
