"""The plot of asset metadata: a picture, for Dagster shows no page. It is the page's plot with numbers at its axes, in SVG."""

from __future__ import annotations

from gather_pipeline.report.figures import Curve
from gather_pipeline.report.page import environment

BLUE, VERMILION = "#0072B2", "#D55E00"  # from the palette of Okabe and Ito, which colour-blind people can tell apart
NUMBERED = 12  # iterations whose numbers have room below the plot


def quality_plot(curve: Curve) -> str:
    """A department's quality (0 to 100) after each iteration against the threshold, as SVG."""
    every = -(-len(curve.iterations) // NUMBERED)
    return environment().get_template("curve.svg.j2").render(curve=curve, every=every, blue=BLUE, vermilion=VERMILION)
