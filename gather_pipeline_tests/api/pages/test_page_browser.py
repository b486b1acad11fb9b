"""The page in a real browser: on a desk, on a phone, in the dark, by keys, followed live, and without a script."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from gather_pipeline.domain.events import Event
from gather_pipeline.people.edit import People, Texts
from gather_pipeline_tests.api.pages.conftest import BASE, add_drop, add_evil
from gather_pipeline_tests.api.served import Served
from gather_pipeline_tests.harness import PROJECT, Studio

DESK, PHONE = 1280, 390  # CSS pixels
expect.set_options(timeout=30_000)
WORD = "w" * 200
SCHEMES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}  # what axe looks at


@dataclass(frozen=True)
class Looked:
    """A studio, where it is served, and its hostile note."""

    studio: Studio
    address: str
    evil: str


@pytest.fixture(scope="module")
def seen(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looked]:
    """A studio with whatever a page may have to show, and the address that it is served at; tests change notes of their own."""
    studio = Studio.open(Path(shutil.copytree(written, tmp_path_factory.mktemp("seen") / "home")))
    evil = add_evil(studio)
    add_drop(studio)
    People(studio.services).delete(People(studio.services).add(PROJECT, "story", Texts(content=WORD, aspect=WORD), "ana").id, "ana")
    People(studio.services).add(PROJECT, "story", Texts(content=WORD, aspect=WORD, context=WORD), WORD)
    studio.services.projects.update(PROJECT, name=f"The Lost Hour {WORD[:60]}", brief=f"Ada repairs clocks. {WORD}")
    studio.services.projects.create("Blank", "A brief.", "blank")
    happen(studio, "model_fault", error=WORD, model="m")
    with Served(studio) as served:
        yield Looked(studio, f"http://{served.address}", evil)
    studio.close()


@pytest.fixture
def page(browser: Browser, seen: Looked) -> Iterator[Page]:
    """A page of which nothing leaves the server and nothing is refused by its own policy."""
    context = browser.new_context(base_url=seen.address, viewport={"width": DESK, "height": 900})
    page, asked, said = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" and "status of" not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(seen.address)] == []
    assert said == []


def happen(studio: Studio, kind: str, **fields: object) -> None:
    last = studio.records.last_sequence()
    own = {"project_id": PROJECT, "task_id": "task-1", "sequence": last + 1, "at": studio.services.clock.now()}
    studio.records.add_events([Event(type=kind, fields={"department": "story", **fields}, **own)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        BASE,
        f"{BASE}/notes?department=story",
        f"{BASE}/notes?deleted=1",
        f"{BASE}/notes/EVIL?edit=1",
        f"{BASE}/drops",
        f"{BASE}/runs",
        "/projects/blank",
        "/projects/nowhere",
        "/docs",
    ],
)
def test_no_page_keeps_anybody_out_and_nothing_runs_off_the_side(page: Page, seen: Looked, path: str) -> None:
    page.goto(path.replace("EVIL", seen.evil))
    for details in page.locator("main details").all():
        details.evaluate("one => one.open = true")
    for width in (DESK, PHONE):
        page.set_viewport_size({"width": width, "height": 844})
        for scheme, options in SCHEMES.items():
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options=options)
            assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_note_is_edited_in_place_by_keys_alone(page: Page, seen: Looked) -> None:
    id = People(seen.studio.services).add(PROJECT, "music", Texts(content="A cello."), "ana").id
    page.goto(f"{BASE}/notes?department=music")
    page.keyboard.press("j")
    expect(page.locator(f"#note-{id}")).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_role("textbox", name="Note")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(f"#note-{id}")).to_be_focused()
    page.keyboard.press("e")
    page.get_by_role("textbox", name="Summary").fill(" ")
    page.get_by_role("textbox", name="Note").fill("A viola. No, two.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("textbox", name="Summary")).to_be_focused()  # where the fault is told
    expect(page.get_by_role("textbox", name="Summary")).to_have_accessible_description(
        "Left as it is, it becomes the first sentence of a changed note. summary is empty, expected at least a word"
    )
    page.get_by_role("textbox", name="Summary").fill("Violas")
    page.keyboard.press("Control+Enter")
    expect(page.locator(f"#note-{id}")).to_be_focused()
    expect(page.locator("#announce")).to_have_text("The note is saved.")
    assert page.url.endswith(f"{BASE}/notes?department=music")
    after = People(seen.studio.services).find(id)
    assert (after.content, after.summary) == ("A viola. No, two.", "Violas")


def test_a_dropped_text_is_restored_by_one_key(page: Page, seen: Looked) -> None:
    id = add_drop(seen.studio, "e" * 24)
    page.goto(f"{BASE}/drops")
    article = page.locator(f"article[id$={id}]")
    article.focus()
    page.keyboard.press("r")
    expect(article).to_contain_text("restored by")
    expect(article).to_be_focused()
    assert People(seen.studio.services).find(id).is_active


def test_letters_can_be_switched_off_and_are_told_on_the_page(page: Page) -> None:
    page.goto(f"{BASE}/notes")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("restore the dropped text")
    page.get_by_label("Use keys of one letter").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('article')") is None
    page.reload()
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('article')") is None


def test_the_page_follows_the_project_and_leaves_alone_where_somebody_types(page: Page, seen: Looked) -> None:
    page.goto(BASE)
    page.keyboard.press("s")
    page.get_by_label("Most iterations").fill("7")
    happen(seen.studio, "stagnation_detected", quality_score=1, step=1, reason="no gain any more")
    expect(page.locator("#happened")).to_contain_text("story: no gain any more")
    expect(page.locator("#announce")).to_have_text("story: no gain any more")
    expect(page.get_by_label("Most iterations")).to_have_value("7")
    expect(page.get_by_label("Most iterations")).to_be_focused()


def test_the_page_listens_again_where_its_events_were_refused(page: Page) -> None:
    page.route("**/events?after=*", lambda route: route.fulfill(status=503))
    page.clock.install()
    with page.expect_response("**/events?after=*"):
        page.goto(BASE)
    page.unroute("**/events?after=*")
    page.clock.resume()
    with page.expect_response("**/events?after=*", timeout=30_000) as again:
        page.clock.fast_forward(6_000)
    assert again.value.status == 200


def test_hostile_texts_do_nothing_where_they_are_put_in_by_the_script(page: Page, seen: Looked) -> None:
    page.goto(f"{BASE}/notes?department=story")
    note = page.locator(f"#note-{seen.evil}")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    note.get_by_role("link", name="Edit").click()
    page.get_by_role("link", name="Leave it as it was").click()
    expect(note).to_contain_text("<script>alert('x')</script><img src=x onerror=alert(1)>")
    assert page.locator("main script, main img").count() == 0


def test_without_a_script_notes_are_read_and_edited(browser: Browser, seen: Looked) -> None:
    id = People(seen.studio.services).add(PROJECT, "music", Texts(content="A harp."), "ana").id
    context = browser.new_context(base_url=seen.address, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{BASE}/notes?department=music")
    page.locator(f"#note-{id}").get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Note").fill("Two harps.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_have_text("The note is saved.")
    expect(page.locator("article .text")).to_have_count(0)  # the summary says it all
    expect(page.locator("article h3")).to_have_text("Two harps.")
    expect(page.get_by_role("button", name="Keyboard")).to_be_hidden()
    context.close()
