"""The plot of asset metadata: a picture, drawn with matplotlib, for Dagster shows no page.

Figures are made and thrown away one by one, without pyplot's global state, so that threads may draw at the same time.
"""

from __future__ import annotations

import io
import math

from gather_pipeline.report.figures import Curve

BLUE, VERMILION = "#0072B2", "#D55E00"  # from the palette of Okabe and Ito, which colour-blind people can tell apart
INK, FAINT = "#222222", "#D9D9D9"


def quality_plot(curve: Curve) -> bytes:
    """A department's quality (0 to 100) after each iteration against the threshold, as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8.0, 2.3), facecolor="white")
    axes = figure.add_axes((0.065, 0.2, 0.925, 0.67))  # what is around it has always the same room; a layout engine would draw all twice
    if curve.threshold is not None:
        axes.axhline(curve.threshold, color=VERMILION, linestyle="--", linewidth=1.2, label="threshold")
    quality = [math.nan if value is None else value for value in curve.qualities]
    axes.plot(curve.iterations, quality, color=BLUE, marker="o", markersize=4, linewidth=1.6, label="quality after the iteration")
    axes.set_xlim(curve.iterations[0] - 0.5, curve.iterations[-1] + 0.5)
    axes.set_ylim(0, 105)
    axes.set_yticks([0, 50, 100])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.set_xlabel("iteration", color=INK, fontsize=8)
    axes.set_ylabel("quality", color=INK, fontsize=8)
    figure.legend(loc="upper right", ncols=2, frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
