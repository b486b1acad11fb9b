"""The picture in asset metadata."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from gather_pipeline.report.figures import Curve
from gather_pipeline.report.plots import VERMILION, quality_plot

CURVE = Curve(department="story", iterations=[1, 2], qualities=[55.5, 64.0], threshold=62.0)
SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def lines(svg: str) -> list[str]:
    """The paths in the plot itself: its grid, its threshold where there is one, its curve, its points."""
    (plot,) = ElementTree.fromstring(svg).findall(f"{SVG}svg")
    return [path.attrib["d"] for path in plot]


def test_the_curve_goes_through_its_qualities_and_the_threshold_lies_across() -> None:
    _, threshold, curve, points = lines(quality_plot(CURVE))
    assert (threshold, curve, points) == ("M0 38.0H100", "M25.0 44.5L75.0 36.0", "M25.0 44.5h0M75.0 36.0h0")


@pytest.mark.parametrize(
    ("many", "shown"), [(1, ["1"]), (3, ["1", "2", "3"]), (40, ["1", "5", "9", "13", "17", "21", "25", "29", "33", "37"])]
)
def test_as_many_iterations_are_numbered_as_there_is_room_for(many: int, shown: list[str]) -> None:
    curve = Curve(department="story", iterations=list(range(1, many + 1)), qualities=[50.0] * many, threshold=60.0)
    first, last = texts(quality_plot(curve)).index("100") + 1, texts(quality_plot(curve)).index("iteration")
    assert texts(quality_plot(curve))[first:last] == shown


def test_what_is_unknown_is_not_drawn() -> None:
    svg = quality_plot(Curve(department="story", iterations=[1, 2, 3], qualities=[None, 50.0, None], threshold=None))
    assert lines(svg)[1:] == ["M50.0 50.0", "M50.0 50.0h0"]
    assert VERMILION not in svg.partition('viewBox="0 0 100 100"')[2]
