"""Fixtures that several modules of this room share."""

import pytest

from gather_pipeline.adapters.embedders.minilm import MiniLM
from gather_pipeline_tests.adapters.metrics.metrics_folder import metrics  # noqa: F401
from gather_pipeline_tests.adapters.models.openai_asking import clock, serve  # noqa: F401


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The packaged embedder, loaded once."""
    return MiniLM()
