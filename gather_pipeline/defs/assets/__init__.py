"""Assets."""

import dagster as dg

from gather_pipeline.defs.assets import gather_items, metrics, sources, upkeep

ASSETS = dg.load_assets_from_modules([sources, gather_items, upkeep, metrics], include_specs=True)
