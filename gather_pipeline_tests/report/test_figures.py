"""Plots say what the tables say: nothing unknown is drawn as zero, and lengths are to scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from gather_pipeline.report.figures import Bars, bars, curves
from gather_pipeline.report.tables import rows
from gather_pipeline_tests.report.measured import ITERATION, measure, measure_sample, read


def drawn(folder: Path) -> dict[str, Bars]:
    return {plot.title: plot for plot in bars(read(folder))}


def test_a_curve_has_a_point_for_each_known_score(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    measure(tmp_path, ("iteration", {"department": "art", "iteration": 2, "quality": None, "threshold": 70.0}))
    story, art = curves(rows(read(tmp_path).iterations))
    assert (story.department, story.iterations, story.threshold) == ("story", [1, 2], 62.0)
    assert story.points == [(25.0, 44.5), (75.0, 36.0)]
    assert (art.qualities, art.threshold, art.points) == ([40.0, None], 70.0, [(25.0, 60.0)])


def test_bars_are_to_scale_and_name_what_was_kept_and_dropped(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    story, art = drawn(tmp_path)["Kept against dropped"].bars
    assert (story.label, story.note, story.length) == ("story", "12 kept, 4 dropped", 100.0)
    assert story.parts == [("kept 12", 75.0), ("dropped: duplicate 2", 12.5), ("dropped: content filter 2", 12.5)]
    assert (art.note, art.length) == ("6 kept, 2 dropped", 50.0)


def test_calls_with_unknown_tokens_are_named_beside_the_bar(tmp_path: Path) -> None:
    measure_sample(tmp_path)
    assert [bar.note for bar in drawn(tmp_path)["Tokens"].bars] == ["1,234", "550 and 1 call unknown"]


def test_tokens_of_which_nothing_is_known_are_unknown_and_not_zero(tmp_path: Path) -> None:
    measure(tmp_path, ("call", {"department": None, "model": "m", "prompt_tokens": None, "completion_tokens": None}))
    (bar,) = drawn(tmp_path)["Tokens"].bars
    assert (bar.label, bar.note, bar.length) == ("whole project", "unknown", 0.0)
    assert drawn(tmp_path)["Time"].bars == []


@pytest.mark.parametrize(("seconds", "note"), [(50.0, "50 s"), (300.0, "5.0 min")])
def test_time_is_in_the_unit_that_suits_it(tmp_path: Path, seconds: float, note: str) -> None:
    measure(tmp_path, ("iteration", {**ITERATION, "department": "story", "iteration": 1, "quality": 1, "duration_s": seconds}))
    (bar,) = drawn(tmp_path)["Time"].bars
    assert bar.note == note
    assert bar.parts[0] == ("generate 12 s", pytest.approx(100 * 12 / seconds))
