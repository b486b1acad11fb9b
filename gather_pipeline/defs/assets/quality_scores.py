"""Asset `quality_scores`: how good a department is, with reasons."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import bring_up, department_asset
from gather_pipeline.defs.resources import Gather
from gather_pipeline.services import Services
from gather_pipeline.upkeep.evaluate import evaluate_department


@department_asset(kinds={"python"})
def quality_scores(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Coverage, depth, coherence and actionability of a department's items; left alone where items and scorer are unchanged."""
    run_id = context.run.run_id

    def evaluate(services: Services, project_id: str, slug: str) -> dict[str, Any]:
        return evaluate_department(services, project_id, slug, auto_triggered=False, task_id=run_id)

    with gather.services() as services:
        return bring_up(context, services, "quality_scores", evaluate)
