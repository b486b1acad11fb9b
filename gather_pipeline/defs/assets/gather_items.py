"""Asset `gather_items`: the loop itself, for one department, a range or a whole project."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import department_asset, shown
from gather_pipeline.defs.partitions import real_partitions
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.running import GatherConfig, automate_partitions, task_of


@department_asset(kinds={"ai"})
def gather_items(context: dg.AssetExecutionContext, config: GatherConfig, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Distinct, scored production notes of a department. A finished department with unchanged inputs makes no model call."""
    with gather.services() as services:
        by_project = real_partitions(services, context.partition_keys)
        automate_partitions(context, services, config, by_project)
        return shown(context, services, "gather_items", task_id=lambda project_id: task_of(context.run.run_id, project_id, by_project))
