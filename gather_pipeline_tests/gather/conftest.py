"""Fixtures that several modules of this room share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline_tests.harness import Studio


@pytest.fixture(scope="session")
def ran_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State of a project that ran to its end; tests change a copy of it."""
    home = tmp_path_factory.mktemp("ran")
    studio = Studio.open(home)
    assert studio.run().status == "completed"
    studio.close()
    return home


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path)
    yield studio
    studio.close()
