"""Asset `metrics`: the measurements of all runs in one DuckDB file."""

from typing import Any

import dagster as dg

from gather_pipeline.bootstrap import ingest_metrics
from gather_pipeline.defs.assets.families import OWNERS
from gather_pipeline.defs.resources import Gather


@dg.asset(group_name="metrics", owners=OWNERS, kinds={"duckdb"}, code_version="1", pool="duckdb_writer", deps=["gather_items"])
def metrics(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Takes the files that runs left into `metrics.duckdb`, each row once. The pool admits one writer at a time (D2)."""
    with gather.services() as services:
        report = ingest_metrics(services.settings)
        database = services.settings.metrics_database
    return dg.MaterializeResult(
        metadata={
            "rows ingested": report.rows,
            "files": report.files,
            "malformed lines": report.malformed,
            "database": dg.MetadataValue.path(str(database)),
        }
    )
