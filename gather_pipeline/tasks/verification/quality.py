"""Quality: measures that other packages bring, each with the least that an output must reach (S000-EXT-05, S004-INT-03)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import Field

from gather_pipeline.domain.verdicts import Verdict
from gather_pipeline.errors import InvalidInput
from gather_pipeline.tasks.definition import Fraction, Name, Part, VerificationParameters
from gather_pipeline.tasks.plugins import plugin, plugin_names
from gather_pipeline.tasks.verification import Case, Tools, Verifier
from gather_pipeline.tasks.verification.parameters import read_parameters

METHOD = "quality"
Metric = Callable[[Mapping[str, Any], Any], float]  # of input and output, from 0 to 1


class Quality(Part):
    """What is measured.

    Attributes:
        metrics: Least that an output must reach, 0 to 1, by the name of a metric.
    """

    metrics: Annotated[dict[Name, Fraction], Field(min_length=1)]


def make(parameters: VerificationParameters, _: Tools) -> Verifier:
    """The check; raises `ValueError` where a parameter is wrong or a metric is not there."""
    least = read_parameters(Quality, parameters).metrics
    found: dict[str, Metric] = {}
    for name in least:
        if (metric := plugin("quality_metrics", name)) is None:
            known = ", ".join(plugin_names("quality_metrics")) or "none: no package brings any"
            raise ValueError(str(InvalidInput.field("metric", name, f"one of {known}")))
        found[name] = metric

    async def verify(case: Case) -> Verdict:
        try:
            values = {name: float(metric(case.input, case.output)) for name, metric in found.items()}
            if odd := [name for name, value in values.items() if not math.isfinite(value)]:
                raise ValueError(f"{', '.join(odd)} gives no finite number")
        except Exception as error:  # a package's own code
            return Verdict(ruling="undecided", method=METHOD, reasons=(f"a metric failed: {type(error).__name__}: {error}",))
        low = tuple(f"{name} is {value:.2f}, expected at least {least[name]:g}" for name, value in values.items() if value < least[name])
        confidence = min(1.0, max(0.0, min(values.values())))
        return Verdict(ruling="reject" if low else "accept", method=METHOD, confidence=confidence, reasons=low, evidence=values)

    return verify
