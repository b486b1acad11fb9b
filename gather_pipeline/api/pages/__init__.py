"""The page at `/`, for people who do not open Dagster."""
