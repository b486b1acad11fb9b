from __future__ import annotations

from gather_pipeline_tests.cli.test_app import HEAVY, loaded_by
from gather_pipeline_tests.finished import Finished

ENGINE_OF_TASKS = {"jsonschema", "jinja2", "numpy", "rapidfuzz", "simplemma", "sentencex"}


def test_a_command_that_reads_starts_without_what_only_a_run_needs(finished: Finished) -> None:
    lines = "items --project salt --json", "events --project salt --json", "project list --json"
    assert loaded_by(finished.shell, *lines) & (HEAVY | ENGINE_OF_TASKS) == set()


def test_the_status_of_a_run_that_ended_well_is_told_without_dagster(finished: Finished) -> None:
    assert "dagster" not in loaded_by(finished.shell, f"status {finished.task_id} --json", "status --project salt --json")
