"""Asset `metrics`: the measurements of all runs in one DuckDB file."""

from typing import Any

import dagster as dg

from gather_pipeline.defs.assets.families import OWNERS
from gather_pipeline.defs.reporting import metrics_metadata
from gather_pipeline.defs.resources import Gather


@dg.asset(group_name="metrics", owners=OWNERS, kinds={"duckdb"}, code_version="1", pool="duckdb_writer", deps=["gather_items"])
def metrics(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Takes the files that runs left into `metrics.duckdb`, each row once. The pool admits one writer at a time (D2)."""
    with gather.services() as services:
        done = services.metrics.ingest()
        return dg.MaterializeResult(metadata=metrics_metadata(done, str(services.settings.metrics_database)))
