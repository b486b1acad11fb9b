"""Grow a creative project from a brief: departments of scored, duplicate-free production notes, as Dagster assets."""

__version__ = "1.0.0"
