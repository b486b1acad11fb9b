"""Fixtures that several modules of this room share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gather_pipeline_tests.harness import Studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(tmp_path)
    yield studio
    studio.close()
