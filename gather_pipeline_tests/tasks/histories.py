"""Synthetic histories of executions for the judging of rankings: what models are truly like is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from gather_pipeline.tasks.ranking import Observation

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def history(
    seed: int, truth: Mapping[str, tuple[float, float]], runs: int, *, days: float = 20.0, judged: bool = True
) -> list[Observation]:
    """So many executions of each model over the last days; `truth` is its share of good outputs and its median seconds."""
    random = np.random.default_rng(seed)
    return [
        Observation(
            model=model,
            department=None,
            at=NOW - timedelta(days=float(random.uniform(0, days))),
            judged=float(random.random() < quality) if judged else None,
            usable=True,
            fit=judged or bool(random.random() < quality),
            latency_s=float(seconds * random.lognormal(0, 0.4)),
            cost=0.01,
        )
        for model, (quality, seconds) in truth.items()
        for _ in range(runs)
    ]
