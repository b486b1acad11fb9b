"""Plots that say what the tables say. Matplotlib writes each text of an SVG as a comment beside its outline, which is read here."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from PIL import Image

from gather_pipeline.report import plots
from gather_pipeline.report.tables import ReportTables
from gather_pipeline_tests.report.measured import ITERATION, measure, measure_sample, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metrics")
    measure_sample(folder)
    return folder


@pytest.fixture
def tables(folder: Path) -> ReportTables:
    return read(folder)


def texts(svg: bytes) -> list[str]:
    ElementTree.fromstring(svg)
    return [text.strip() for text in re.findall(r"<!-- (.*?) -->", svg.decode(), re.DOTALL)]


def draw_all(tables: ReportTables) -> list[bytes]:
    drawn = plots.quality_plot(tables.iterations), plots.kept_plot(tables.kept), plots.tokens_plot(tables.spending)
    return [*drawn, plots.time_plot(tables.spending)]


def test_quality_has_a_panel_a_department_with_its_newest_score_and_threshold(tables: ReportTables) -> None:
    found = texts(plots.quality_plot(tables.iterations))
    assert [text for text in found if " of " in text] == ["64.0 of 62", "40.0 of 62"]
    assert found.index("story") < found.index("art")
    assert "threshold" in found


def test_bars_name_what_was_kept_and_dropped(tables: ReportTables) -> None:
    found = texts(plots.kept_plot(tables.kept))
    assert {"12 kept, 4 dropped", "6 kept, 2 dropped", "dropped: duplicate", "dropped: content filter"} <= set(found)


def test_calls_with_unknown_tokens_are_named_beside_the_bar(tables: ReportTables) -> None:
    assert {"1,234", "550 and 1 call unknown"} <= set(texts(plots.tokens_plot(tables.spending)))


def test_tokens_of_which_nothing_is_known_are_unknown_and_not_zero(tmp_path: Path) -> None:
    measure(tmp_path, ("call", {"department": None, "model": "m", "prompt_tokens": None, "completion_tokens": None}))
    found = texts(plots.tokens_plot(read(tmp_path).spending))
    assert {"unknown", "whole project"} <= set(found)


@pytest.mark.parametrize(("seconds", "note", "unit"), [(50.0, "50.0 s", "seconds"), (300.0, "5.0 min", "minutes")])
def test_time_is_in_the_unit_that_suits_it(tmp_path: Path, seconds: float, note: str, unit: str) -> None:
    measure(tmp_path, ("iteration", {**ITERATION, "department": "story", "iteration": 1, "quality": 1, "duration_s": seconds}))
    assert {note, unit} <= set(texts(plots.time_plot(read(tmp_path).spending)))


def test_nothing_measured_gives_a_picture_that_says_so(folder: Path) -> None:
    for svg in draw_all(read(folder, "nobody")):
        (text,) = texts(svg)
        assert text.startswith("No ")
        assert text.endswith("has been measured yet")


def test_one_point_and_unknown_values_are_drawn_without_a_warning(tmp_path: Path) -> None:
    """Warnings are errors in this suite."""
    measure(tmp_path, ("iteration", {"department": "story", "iteration": 1, "quality": None, "threshold": 62.0}))
    tables = read(tmp_path)
    assert "unknown of 62" in texts(plots.quality_plot(tables.iterations))
    assert len(draw_all(tables)) == 4


def test_fifty_departments_with_the_longest_slugs_still_fit(tmp_path: Path) -> None:
    slugs = [f"{'x' * 60}{number:03}" for number in range(50)]
    measure(tmp_path, *(("iteration", {**ITERATION, "department": slug, "iteration": 1, "quality": 50}) for slug in slugs))
    for svg in draw_all(read(tmp_path)):
        assert max(map(len, texts(svg))) < 40


def test_png_is_as_large_as_a_page_is_wide(tables: ReportTables) -> None:
    assert Image.open(io.BytesIO(plots.quality_plot(tables.iterations, "png"))).width == 1152


def test_threads_draw_at_the_same_time(tables: ReportTables) -> None:
    pictures: list[list[list[str]]] = []
    threads = [threading.Thread(target=lambda: pictures.append([texts(svg) for svg in draw_all(tables)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 4
    assert all(picture == pictures[0] for picture in pictures)


def test_no_global_state_is_touched() -> None:
    script = (
        "import sys; from gather_pipeline.report import plots, tables, page; assert 'matplotlib' not in sys.modules; "
        "assert 'pandas' not in sys.modules; assert 'jinja2' not in sys.modules; "
        "import pandas; plots.quality_plot(pandas.DataFrame()); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("plot", [plots.quality_plot, plots.kept_plot, plots.tokens_plot, plots.time_plot])
def test_a_frame_without_columns_counts_as_empty(plot: Callable[[pd.DataFrame], bytes]) -> None:
    assert len(texts(plot(pd.DataFrame()))) == 1
