"""Assets `task_executions`, `model_rankings` and `prompt_suggestions`: what tasks were executed, which models are best, what goes wrong."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import shared
from gather_pipeline.defs.assets.metrics import WRITER
from gather_pipeline.defs.metadata import Metadata
from gather_pipeline.defs.reporting import metrics_metadata
from gather_pipeline.defs.resources import Gather
from gather_pipeline.upkeep.rankings import update_rankings
from gather_pipeline.upkeep.suggesting import suggest_all

COUNTS = """
SELECT task_id, count(*) AS executions, count(*) FILTER (status = 'succeeded') AS succeeded, count(*) FILTER (passed) AS verified,
    count(*) FILTER (accepted) AS accepted, sum(cost) AS cost
FROM task_executions GROUP BY task_id ORDER BY task_id
"""


@dg.asset(
    code_version="1",
    pool=WRITER,
    deps=["gather_items"],
    **shared(layer="figures", kinds={"duckdb"}, table="metrics.main.task_executions"),
)
def task_executions(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Every execution of every task, of runs and of `tlm`, with its models, verdicts, time, tokens, cost and feedback.

    The records lie in the store; this brings their copy up to date, to be asked with `gather sql`.
    """
    with gather.services() as services:
        shown = metrics_metadata(services.metrics.ingest(), services.settings)
        counts = services.metrics.query(COUNTS) if services.settings.metrics_database.exists() else None
        lines = [] if counts is None else [" | ".join(map(str, row)) for row in counts.itertuples(index=False)]
        heading = ["task | executions | succeeded | verified | accepted | cost in US$", "--- | --- | --- | --- | --- | ---"]
        return dg.MaterializeResult(metadata={**shown, "by task": dg.MetadataValue.md("\n".join([*heading, *lines]))})


@dg.asset(
    code_version="1",
    deps=["task_executions"],
    **shared(layer="figures", kinds={"duckdb"}, table="metrics.main.model_rankings"),
)
def model_rankings(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Which model is best at each task, by quality and speed, with the reason of each change and of each that was not made.

    Two models change places only where enough executions make it probable enough. Tasks run with `tlm execute` ask the first.
    """
    with gather.services() as services:
        made = update_rankings(services)
        orders = {f"{one.task_id} {one.department or ''}".strip(): ", ".join(model.model for model in one.models) for one in made}
        said = [f"- {one.task_id}: {reason}" for one in made for reason in one.reasons]
        metadata: Metadata = {
            "rankings": len(made),
            "changed": sum(one.changed for one in made),
            "orders": dg.MetadataValue.json(orders),
            "reasons": dg.MetadataValue.md("\n".join(said) or "nothing was near to a change"),
        }
        return dg.MaterializeResult(metadata=metadata)


@dg.asset(code_version="1", deps=["task_executions"], **shared(layer="figures", kinds={"json"}))
def prompt_suggestions(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Prompts of the last week's tasks with which something goes wrong again and again, and suggestions tried on recorded inputs.

    Asks a model once for each of them, and again for each input tried. Nothing is used before a person accepts it with `tlm review`.
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
