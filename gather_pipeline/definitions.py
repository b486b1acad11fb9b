"""Everything that Dagster shows and runs, as a table."""

import dagster as dg

from gather_pipeline.bootstrap import build_services
from gather_pipeline.defs.assets import ASSETS
from gather_pipeline.defs.checks import asset_checks
from gather_pipeline.defs.jobs import automated_gather_creation, rank_models, refresh_departments, report_projects, suggest_prompts
from gather_pipeline.defs.resources import Gather
from gather_pipeline.defs.schedules import nightly_refresh, weekly_rankings, weekly_report, weekly_suggestions
from gather_pipeline.defs.sensors.alerts import below_threshold, deliveries, failed_runs
from gather_pipeline.defs.sensors.changes import changes
from gather_pipeline.defs.sensors.requests import item_changes, stale_departments

defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=asset_checks,
    jobs=[automated_gather_creation, refresh_departments, report_projects, rank_models, suggest_prompts],
    sensors=[changes, item_changes, stale_departments, failed_runs, below_threshold, deliveries],
    schedules=[nightly_refresh, weekly_report, weekly_rankings, weekly_suggestions],
    resources={"gather": Gather(build=build_services)},
    # A step in a process of its own costs seconds to start, and these are short and share a model (D4).
    executor=dg.in_process_executor,
)
