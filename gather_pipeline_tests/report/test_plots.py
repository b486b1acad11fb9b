"""The picture in asset metadata."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import pytest
from PIL import Image

from gather_pipeline.report.figures import Curve
from gather_pipeline.report.plots import quality_plot

CURVE = Curve(department="story", iterations=[1, 2], qualities=[55.5, 64.0], threshold=62.0)


def test_the_picture_is_a_png_that_fits_a_dialog() -> None:
    picture = Image.open(io.BytesIO(quality_plot(CURVE)))
    assert (picture.format, picture.width) == ("PNG", 880)


@pytest.mark.parametrize(
    "curve",
    [
        Curve(department="story", iterations=[1], qualities=[None], threshold=None),
        Curve(department="x" * 64, iterations=list(range(1, 60)), qualities=[float(n) for n in range(1, 60)], threshold=0.0),
    ],
    ids=["unknown", "long"],
)
def test_unknown_values_and_many_are_drawn_without_a_warning(curve: Curve) -> None:
    """Warnings are errors in this suite."""
    assert quality_plot(curve) != quality_plot(CURVE)


def test_threads_draw_at_the_same_time() -> None:
    pictures: list[bytes] = []
    threads = [threading.Thread(target=lambda: pictures.append(quality_plot(CURVE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pictures == [quality_plot(CURVE)] * 4


def test_no_global_state_is_touched() -> None:
    script = (
        "import sys; from gather_pipeline.report import brief, figures, page, plots, tables; "
        "assert not {'matplotlib', 'pandas', 'jinja2', 'markdown_it'} & set(sys.modules); "
        "plots.quality_plot(figures.Curve(department='a', iterations=[1], qualities=[1.0], threshold=2.0)); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
