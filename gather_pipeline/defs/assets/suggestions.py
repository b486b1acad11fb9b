"""Asset `prompt_suggestions`: what goes wrong at tasks, and better prompts that wait for a person."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import shared
from gather_pipeline.defs.metadata import Metadata
from gather_pipeline.defs.resources import Gather
from gather_pipeline.upkeep.suggesting import suggest_all


@dg.asset(code_version="1", deps=["gather_items"], **shared(layer="figures", kinds={"json"}, table="reviews"))
def prompt_suggestions(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Prompts of the last week's tasks that go wrong again and again, with suggestions tried on recorded inputs.

    Asks a model for each of them. Nothing is used before a person accepts it with `tlm review`.
    """
    with gather.services() as services:
        made = suggest_all(services)
    waiting = {one.task: one.review for one in made if one.review}
    metadata: Metadata = {
        "tasks": len(made),
        "suggestions": len(waiting),
        "reviews": dg.MetadataValue.json(waiting),
        "found": dg.MetadataValue.md("\n".join(f"- {one.task}: {one.told}" for one in made) or "no task was executed"),
    }
    return dg.MaterializeResult(metadata=metadata)
