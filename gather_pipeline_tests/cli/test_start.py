from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gather_pipeline.cli import collector
from gather_pipeline.cli.commands.run import Watched
from gather_pipeline.cli.signals import Signals
from gather_pipeline.cli.views.display import Lines
from gather_pipeline_tests.cli.conftest import Finished
from gather_pipeline_tests.cli.test_app import HEAVY, loaded_by

ENGINE_OF_TASKS = {"jsonschema", "jinja2", "numpy", "rapidfuzz", "simplemma", "sentencex"}


@pytest.fixture(autouse=True)
def collecting() -> Iterator[None]:
    """Leaves the collector as it was."""
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("args", ["items --project salt --json", "events --project salt --json", "project list --json"])
def test_a_command_that_reads_starts_without_what_only_a_run_needs(finished: Finished, args: str) -> None:
    assert loaded_by(finished.shell, *args.split()) & (HEAVY | ENGINE_OF_TASKS) == set()


def test_nothing_is_collected_while_a_command_starts() -> None:
    with collector.paused():
        assert not gc.isenabled()
        with collector.paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "whoever paused it first ends the pause"
    assert gc.isenabled() and gc.get_freeze_count() > 0


def test_a_start_that_fails_leaves_the_collector_at_work() -> None:
    with pytest.raises(RuntimeError), collector.paused():
        raise RuntimeError
    assert gc.isenabled()


def test_a_process_that_collects_nothing_stays_so() -> None:
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()


def test_a_run_collects_again_from_its_first_event_on() -> None:
    watched = Watched(Lines([]), [], Signals(None))
    watched.starting.enter_context(collector.paused())
    assert not gc.isenabled()
    watched({"type": "progress", "task_id": "t1", "department": "story", "done": 1, "total": 2, "phase": "generate"})
    assert gc.isenabled()
