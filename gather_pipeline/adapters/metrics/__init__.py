"""The metrics in DuckDB."""
