"""Asset `drafts`: a department's summary, proposed for review."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import bring_up, department_asset
from gather_pipeline.defs.resources import Gather
from gather_pipeline.upkeep.draft import draft_department


@department_asset(kinds={"markdown"})
def drafts(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """The department's items as one summary with status pending; left alone where the items are unchanged, none without items."""
    with gather.services() as services:
        return bring_up(context, services, "drafts", draft_department)
