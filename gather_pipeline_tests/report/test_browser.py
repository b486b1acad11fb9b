"""The page in a real browser: how it reads on a desk, on a phone, in the dark, on paper and without eyes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.projects import Project
from gather_pipeline_tests.report.measured import ITERATION, measure, measure_sample, read
from gather_pipeline_tests.report.pages import make_drop, make_item, page, sample_page
from gather_pipeline_tests.samples import a_quality

PHONE, DESK, PAPER = 390, 1280, 703  # CSS pixels; an A4 page's width between its margins
CUT = "all => all.filter(one => one.clientWidth && one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML)"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample_page(tmp_path_factory.mktemp("metrics"))


@pytest.fixture
def looked_at(browser: Browser, tmp_path: Path, sample: str) -> Iterator[Page]:
    """The sample, of which every request but the one for the file itself is a failure."""
    (tmp_path / "report.html").write_text(sample, encoding="utf-8")
    page, asked = browser.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    yield page
    page.close()
    assert len(asked) == 1


def colours(page: Page) -> list[str]:
    """Of the ground, a text, a bar and a curve."""
    script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
    places = (("body", "backgroundColor"), ("body", "color"), (".bar i", "backgroundColor"), (".area path:last-of-type", "stroke"))
    return [page.evaluate(script, list(place)) for place in places]


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_nothing_in_it_keeps_anybody_out_and_nothing_runs_off_the_side(looked_at: Page, width: int) -> None:
    looked_at.set_viewport_size({"width": width, "height": 844})
    looked_at.locator("summary").click()
    for scheme in ("light", "dark"):
        looked_at.emulate_media(color_scheme=scheme)
        found = Axe().run(looked_at)
        assert found.violations_count == 0, found.generate_report()
    assert looked_at.evaluate("document.documentElement.scrollWidth") == width


def test_a_page_of_a_project_without_anything_keeps_nobody_out_either(browser: Browser, tmp_path: Path) -> None:
    measure_sample(tmp_path)
    looked_at = browser.new_page()
    looked_at.set_content(page(read(tmp_path, "nobody"), items=[], drops=[]))
    assert Axe().run(looked_at).violations_count == 0


@pytest.mark.parametrize("width", [DESK, PHONE, PAPER])
def test_words_that_do_not_end_run_off_no_side(browser: Browser, tmp_path: Path, width: int) -> None:
    slug, word = "x" * 60, "w" * 200
    measure(tmp_path, ("iteration", {**ITERATION, "department": slug, "iteration": 1, "quality": 5.0, "judged": False, "task_id": word}))
    measure(tmp_path, ("call", {"department": slug, "model": "m", "prompt_tokens": 10**12, "completion_tokens": 1, "cost": 123456.7}))
    measure(
        tmp_path, ("run", {"status": "failed", "reason": word, "task_id": word, "started_at": "2026-03-01T12:00:00Z", "tokens": 10**12})
    )
    looked_at = browser.new_page(viewport={"width": width, "height": 844})
    looked_at.emulate_media(media="print" if width == PAPER else "screen")
    item, drop = make_item(1, department=slug, content=word, summary=word, aspect=word), make_drop(1, department=slug, content=word)
    project = Project(id="skerra", name=word, brief=f"{word} `{word}`\n\n    {word}\n\n| {word} | b |\n|---|---|\n| 1 | {word} |\n")
    departments = [Department(slug=slug, name=word)]
    looked_at.set_content(
        page(read(tmp_path), project=project, departments=departments, items=[item], drops=[drop], qualities={slug: a_quality()})
    )
    assert looked_at.evaluate("document.documentElement.scrollWidth") == width


def test_the_dark_page_is_dark_with_its_plots(looked_at: Page) -> None:
    light = colours(looked_at)
    looked_at.emulate_media(color_scheme="dark")
    dark = colours(looked_at)
    assert light[:2] == ["rgb(255, 255, 255)", "rgb(28, 32, 36)"]
    assert dark[:2] == ["rgb(20, 23, 26)", "rgb(228, 232, 236)"]
    assert all(one != other for one, other in zip(light, dark, strict=True))


def test_plots_can_be_read_on_a_phone(looked_at: Page) -> None:
    looked_at.set_viewport_size({"width": PHONE, "height": 844})
    sizes = looked_at.evaluate("[...document.querySelectorAll('figure *')].map(e => parseFloat(getComputedStyle(e).fontSize))")
    assert min(sizes) >= 12
    widths = looked_at.evaluate("[...document.querySelectorAll('.area')].map(e => e.clientWidth)")
    assert len(widths) == 7 and min(widths) > 120
    assert looked_at.locator("figure *").evaluate_all(CUT) == []


def test_wide_tables_are_reached_and_moved_with_keys(looked_at: Page) -> None:
    looked_at.set_viewport_size({"width": PHONE, "height": 844})
    regions = looked_at.get_by_role("region")
    names = [region.get_attribute("aria-label") for region in regions.all()]
    assert names == ["Brief", "Departments", "Dropped texts", "Iterations", "Runs"]
    looked_at.get_by_role("link", name="Runs").focus()
    looked_at.keyboard.press("Tab")
    assert looked_at.evaluate("document.activeElement.ariaLabel") == "Departments"
    looked_at.keyboard.press("ArrowRight")
    looked_at.wait_for_function("document.activeElement.scrollLeft > 0")


def test_the_rest_of_the_brief_opens(looked_at: Page) -> None:
    rest = looked_at.get_by_text("112 steps, no lift, no second exit.")
    assert not rest.is_visible()
    looked_at.get_by_text("The rest of the brief").click()
    assert rest.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sample_fits_six_pages_of_paper_light_and_whole(looked_at: Page, scheme: str) -> None:
    looked_at.emulate_media(media="print", color_scheme=scheme)
    looked_at.set_viewport_size({"width": PAPER, "height": 1000})
    assert colours(looked_at)[0] == "rgb(255, 255, 255)"
    assert looked_at.get_by_text("112 steps, no lift, no second exit.").is_visible()
    assert looked_at.locator("main *").evaluate_all(CUT) == []
    assert looked_at.evaluate("document.documentElement.scrollWidth") == PAPER
    pages = re.findall(rb"/Type\s*/Page\b", looked_at.pdf(prefer_css_page_size=True))
    assert 3 <= len(pages) <= 6
