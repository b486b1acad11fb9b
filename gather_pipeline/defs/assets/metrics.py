"""Assets `metrics` and `reports`: the measurements of all runs in one DuckDB file, and a page of them for each project."""

import warnings
from typing import Any

import dagster as dg

from gather_pipeline.bootstrap import write_whole
from gather_pipeline.defs.assets.families import Results, shared
from gather_pipeline.defs.metadata import Metadata
from gather_pipeline.defs.partitions import of_its_project, projects
from gather_pipeline.defs.reporting import metrics_event, metrics_metadata
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.sensors.following import Looks
from gather_pipeline.errors import StoreError
from gather_pipeline.report.project import project_page, project_tables

WRITER = "duckdb_writer"  # a pool of one: DuckDB admits one writing process


@dg.asset(code_version="1", pool=WRITER, deps=["gather_items"], **shared(layer="figures", kinds={"duckdb"}, table="metrics.main.iteration"))
def metrics(gather: dg.ResourceParam[Gather]) -> dg.MaterializeResult[Any]:
    """Tokens, cost, seconds, scores and drops of every run, in one DuckDB file to ask with `gather sql`.

    Runs leave their measurements as files; this takes them in, each row once, whoever does it. Two never write at the same time.
    """
    with gather.services() as services:
        done = services.metrics.ingest()
        return dg.MaterializeResult(metadata=metrics_metadata(done, services.settings))


with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy
    _report = dg.asset(
        partitions_def=projects,
        backfill_policy=dg.BackfillPolicy.single_run(),
        code_version="1",
        pool=WRITER,
        output_required=False,
        deps=["metrics", *(dg.AssetDep(name, partition_mapping=of_its_project) for name in ("gather_items", "quality_scores"))],
        **shared(layer="figures", kinds={"html"}),
    )


@_report
def reports(context: dg.AssetExecutionContext, gather: dg.ResourceParam[Gather]) -> Results:
    """A project's report: one HTML page with its brief, scores and their reasons, plots, tokens, and what was dropped.

    Its name ends with the day, so that another week's stays beside it. It takes in the newest measurements first. A project that never
    ran has none; where one page fails, the others are written before the run does.
    """
    looks, written = Looks(), 0
    with gather.services() as services:
        context.log_event(metrics_event(services.metrics.ingest(), services.settings))
        for project_id in context.partition_keys:
            with looks.at(project_id):
                project = services.projects.get(project_id)
                if not services.runs.of_project(project_id):
                    context.log.info(f"{project_id}: it never ran, so there is nothing to report")
                    continue
                path = services.settings.home / "reports" / f"{project_id}-{services.clock.now()[:10]}.html"
                view = services.project(project_id).view()
                tables = project_tables(services, view)
                page = project_page(services, project, view, tables)
                try:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_whole(path, page)
                except OSError as error:
                    raise StoreError(f"the report {path} cannot be written: {error.strerror}") from error
                links = {"report": dg.MetadataValue.path(str(path)), "page": dg.MetadataValue.url(path.as_uri())}
                metadata: Metadata = {
                    **links,
                    "departments": len(tables.departments),
                    "items": len(view.items),
                    "bytes": len(page.encode()),
                }
                context.log_event(dg.AssetMaterialization("reports", partition=project_id, metadata=metadata))
                written += 1
    context.log.info(f"{written} reports written")
    if looks.said:
        raise dg.Failure(description="; ".join(looks.said), metadata={"reports": written}, allow_retries=False)
    yield from ()  # its events are logged, one a page
