"""Assets, each with a reference to its code."""

import warnings

import dagster as dg

from gather_pipeline.defs.assets import gather_items, metrics, sources, tasks, upkeep

with warnings.catch_warnings():
    warnings.simplefilter("ignore", dg.BetaWarning)
    ASSETS = dg.with_source_code_references(
        dg.load_assets_from_modules([sources, gather_items, upkeep, metrics, tasks], include_specs=True)
    )
