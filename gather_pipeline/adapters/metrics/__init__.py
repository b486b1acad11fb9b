"""The metrics log and its DuckDB store."""
