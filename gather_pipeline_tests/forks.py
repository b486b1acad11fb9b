"""Processes of tests, forked from one that has imported what a run needs: each has its own id, signals and end, and costs no imports."""

from __future__ import annotations

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "gather_pipeline_tests.kill_points",
        "gather_pipeline.cli.commands.run",
        "gather_pipeline.cli.commands.transfer",
        "gather_pipeline.defs.launch",
        "gather_pipeline.gather.automate",
        "alembic.command",
        "dagster._core.storage.event_log.sqlite",
        "dagster._core.storage.runs.sqlite",
        "duckdb",
        "pandas",
        "upath",
        "wordfreq",
    ]
)
