"""Which log lines a person sees."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline.cli import logs
from gather_pipeline.domain.events import TOLD_BY_EVENT
from gather_pipeline_tests.harness import Studio, department_row


@pytest.fixture(autouse=True)
def shown() -> Iterator[None]:
    """Log lines as a command without --verbose has them."""
    logs.show(verbose=False)
    yield
    logs.end()


@pytest.mark.parametrize("module", ["gather.generate", "gather.automate", "some.new.module"])
def test_a_warning_is_shown_unless_an_event_tells_it_whatever_module_it_is_from(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger(f"gather_pipeline.{module}")
    logger.warning("[AutoGather] Told by nothing else")
    logger.warning("[AutoGather] Told by an event", extra={TOLD_BY_EVENT: True})
    assert capsys.readouterr().err == "Told by nothing else\n"


def test_what_a_run_says_as_an_event_is_not_said_again_by_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    studio = Studio.open(tmp_path, [department_row("story", 1, most=1)])
    studio.run()
    studio.close()
    assert "Max iterations reached" in caplog.text
    assert "Max iterations reached" not in capsys.readouterr().err
