"""Asset `embeddings`: one vector for each stored item."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import bring_up, department_asset
from gather_pipeline.defs.resources import Gather
from gather_pipeline.upkeep.embed import embed_department


@department_asset(kinds={"numpy"})
def embeddings(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Embeddings of a department's items, of the present embedder; only missing ones are made."""
    with gather.services() as services:
        return bring_up(context, services, "embeddings", embed_department)
