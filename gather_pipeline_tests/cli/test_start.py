from __future__ import annotations

import pytest

from gather_pipeline_tests.cli.conftest import Finished
from gather_pipeline_tests.cli.test_app import HEAVY, loaded_by

ENGINE_OF_TASKS = {"jsonschema", "jinja2", "numpy", "rapidfuzz", "simplemma", "sentencex"}


@pytest.mark.parametrize("args", ["items --project salt --json", "events --project salt --json", "project list --json"])
def test_a_command_that_reads_starts_without_what_only_a_run_needs(finished: Finished, args: str) -> None:
    assert loaded_by(finished.shell, *args.split()) & (HEAVY | ENGINE_OF_TASKS) == set()
