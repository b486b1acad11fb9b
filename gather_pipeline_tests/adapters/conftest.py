"""Fixtures that several modules of this room share."""

from gather_pipeline_tests.adapters.metrics.metrics_folder import metrics  # noqa: F401
from gather_pipeline_tests.adapters.models.openai_asking import clock, serve  # noqa: F401
