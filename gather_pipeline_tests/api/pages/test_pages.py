"""What the page shows, and what its forms do where no script runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from gather_pipeline.domain.departments import Department
from gather_pipeline.domain.events import Event
from gather_pipeline.errors import CmsUnavailable
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import DepartmentSource
from gather_pipeline.records.lease import Owner
from gather_pipeline.records.submissions import Submission
from gather_pipeline.upkeep.tasks import AUTOMATION
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.api.pages.conftest import BASE, EVIL
from gather_pipeline_tests.api.served import happen
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.report.test_page import Outline

PAGES = (
    "/",
    BASE,
    f"{BASE}/notes",
    f"{BASE}/notes?department=story",
    f"{BASE}/notes?department=music",
    f"{BASE}/drops",
    f"{BASE}/runs",
    "/docs",
)


def seen(answer: Response) -> str:
    """What a reader sees, of a page whose tags are balanced."""
    return Outline(answer.text).text


def first(studio: Studio) -> str:
    return studio.view.items_of("story")[0].id


@pytest.mark.usefixtures("evil", "dropped", "stale")
@pytest.mark.parametrize("path", [*PAGES, f"{BASE}/notes?deleted=1"])
def test_every_page_needs_nothing_but_this_server_and_lets_nothing_in(api_client: TestClient, path: str) -> None:
    answer = api_client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    outline = Outline(answer.text)
    assert not [name for _, name, _ in outline.attributes if name == "style" or name.startswith("on")]
    addresses = [value or "" for _, name, value in outline.attributes if name in ("src", "href", "action")]
    assert all(re.match(r"/(?!/)|#|$", address) for address in addresses)
    ids = [value for _, name, value in outline.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert answer.text.count("<script") == 1 and "<style" not in answer.text


def test_texts_that_people_and_models_wrote_stay_texts(api_client: TestClient, evil: str, dropped: str) -> None:
    shown = EVIL.replace("\u202e", "\ufffd").replace("\u202c", "\ufffd").replace("\x07", "\ufffd")
    for path in (f"{BASE}/notes", f"{BASE}/notes/{evil}"):
        answer = api_client.get(path)
        assert seen(answer).count(shown) >= 4
        assert "<img" not in answer.text and answer.text.count("<script") == 1
        assert not re.search("[\u202e\x07]", answer.text)
    assert shown in seen(api_client.get(f"{BASE}/drops"))
    assert "Flagged, for words that seem meant for a model: Ignore all previous instructions" in seen(api_client.get(f"{BASE}/notes"))


def test_what_is_edited_comes_back_as_it_was_written(api_client: TestClient, studio: Studio, evil: str) -> None:
    before = studio.view.records.items([evil])[0]
    page = api_client.get(f"{BASE}/notes/{evil}?edit=1").text
    assert "\u202e" in page and "\x07" in page  # a form that lost them would change the note unseen
    given = {"revision": "1", "content": before.content.replace("\n", "\r\n"), "summary": before.summary, "context": before.context}
    answer = api_client.post(f"{BASE}/notes/{evil}", data=given | {"aspect": before.aspect})
    assert "Nothing differs" in seen(answer)
    assert People(studio.services).find(evil) == before


def test_the_overview_tells_how_every_department_stands_and_what_is_stale(api_client: TestClient, stale: None) -> None:
    text = seen(api_client.get(BASE))
    for expected in (
        "The Lost Hour",
        "Last run completed",
        "1 department is stale. The next run adds to what is stale and deletes nothing. Run what is stale",
        "Stale: the project's name or brief changed",
        "Visual Department no score yet, threshold 99 not begun 0 iterations, 0 notes",
        "Quality by iteration",
        "story: iteration 1, quality",
        "Ada Brandt repairs clocks in Konstanz.",
    ):
        assert expected in text
    assert re.search(r"Story Department [\d.]+ of 99 unjudged below", text)


def test_a_run_that_is_at_work_is_told_with_its_departments(studio: Studio) -> None:
    told: list[str] = []

    def look(event: Event) -> None:
        if event.type == "iteration_complete" and not told:
            client = client_of(studio)
            told.append(seen(client.get(BASE)))
            told.append(seen(client.post(f"{BASE}/run")))
            told.append(seen(client.post(f"{BASE}/cancel", data={"task_id": "task-2"})))

    studio.run("task-2", departments=("visual", "music"), max_iterations=4, progress=look)
    assert "A run is at work Since" in told[0] and "0 of 2 departments ended." in told[0]
    assert re.search(r"Visual Department .*? at work", told[0])
    assert "waits its turn" in told[0]
    assert "Cancel the run What it has done is kept." in told[0]
    assert "is busy" in told[1]
    assert "The run is asked to end: it saves what it has first." in told[2] and "Cancel the run" not in told[2]
    assert studio.services.runs.get("task-2").cancel_requested


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("max_iterations", "0", "expected a whole number from 1 to 10000"),
        ("max_iterations", "many", "expected a whole number"),
        ("max_cost", "-1", "expected an amount of US dollars above 0"),
        ("max_cost", "a little", "expected an amount such as 2.50"),
    ],
)
def test_a_run_that_cannot_be_is_told_beside_its_field(api_client: TestClient, field: str, value: str, expected: str) -> None:
    answer = api_client.post(f"{BASE}/run", data={field: value, "department": "music"})
    assert answer.status_code == 422 and f"{field} is" in seen(answer) and expected in seen(answer)
    assert re.search(rf'id="start-{field}"[^>]*aria-invalid="true"', answer.text)
    assert re.search(r'value="music" checked', answer.text) and f'value="{value}"' in answer.text


def test_a_run_that_cannot_be_begun_is_told_with_its_status_and_no_secret(
    api_client: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "planted-key/0123456789"

    def away(self: object) -> None:
        raise CmsUnavailable(f"the CMS does not answer to {secret}")

    monkeypatch.setattr(studio.services.secrets, "_telling", [secret])
    monkeypatch.setattr(type(studio.services.departments), "departments", away)
    answer = api_client.post(f"{BASE}/run")
    assert (answer.status_code, secret in answer.text) == (503, False)
    assert "the CMS does not answer to ***" in seen(answer)


def test_a_page_listens_for_what_happened_while_it_was_made(
    api_client: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    last, read = studio.records.last_sequence(), type(studio.services.departments).departments

    def meanwhile(self: DepartmentSource) -> list[Department]:
        happen(studio, 1)
        return read(self)

    monkeypatch.setattr(type(studio.services.departments), "departments", meanwhile)
    assert f'data-sequence="{last}"' in api_client.get(BASE).text


def test_a_run_that_has_not_begun_or_never_did_is_told(api_client: TestClient, studio: Studio) -> None:
    asked = Submission(
        task_id="task-9",
        task_type=AUTOMATION,
        project_id=PROJECT,
        priority=1,
        place="process",
        owner=Owner.this_process("task-9"),
        request="",
    )
    studio.services.submissions.add(asked)
    assert "A run is about to begin Asked for" in seen(api_client.get(BASE))
    studio.services.submissions.failed("task-9", "the disk is full")
    told = seen(api_client.get(BASE))
    assert re.search("The run that was asked for .* did not begin: the disk is full", told) and "Start a run" in told


def test_a_project_without_anything_says_what_to_do_next(api_client: TestClient, studio: Studio) -> None:
    studio.services.projects.create("Blank", "A brief.", "blank")
    for path, expected in (
        ("", "No run yet A run writes notes for each department"),
        ("", "Nothing yet. Start a run, and what it does is told here as it happens."),
        ("/notes", "There are no notes yet. Start a run , or write one yourself"),
        ("/drops", "Nothing was dropped. Where a run drops a text"),
        ("/runs", "No run yet. Start one"),
        ("/runs", "Nothing went wrong in any run."),
    ):
        assert expected in seen(api_client.get(f"/projects/blank{path}"))


def test_a_wrong_list_of_departments_is_told_and_hides_nothing(api_client: TestClient, studio: Studio) -> None:
    studio.services.settings.departments.write_text("- {slug: story}", encoding="utf-8")
    answer = api_client.get(BASE)
    assert answer.status_code == 200
    assert "field name is missing" in seen(answer) and "Story Department" in seen(answer)


def test_failures_are_told_with_their_reason(api_client: TestClient, studio: Studio) -> None:
    fields = {"department": "story", "model": "m", "error": "the key is refused"}
    last = studio.records.last_sequence()
    at = studio.services.clock.now()
    event = Event(type="model_fault", fields=fields, project_id=PROJECT, task_id="task-1", sequence=last + 1, at=at)
    studio.records.add_events([event])
    assert "1 thing went wrong in it" in seen(api_client.get(BASE))
    assert "story: a call to m failed: the key is refused" in seen(api_client.get(f"{BASE}/runs"))
    studio.records.add_events([replace(event, sequence=last + number) for number in range(2, 103)])
    assert "newest 100 of 102" in seen(api_client.get(f"{BASE}/runs"))


def test_a_note_is_edited_by_a_form_and_a_wrong_text_is_told_beside_its_field(api_client: TestClient, studio: Studio) -> None:
    id = first(studio)
    given = {"revision": "1", "content": "Ada burns the ledger. Nobody sees it.", "summary": "", "context": "", "aspect": "ending"}
    answer = api_client.post(f"{BASE}/notes/{id}", data=given)
    assert answer.status_code == 422
    assert re.search(r'aria-invalid="true" required|id="edit-summary"[^>]*aria-invalid="true"', answer.text)
    assert "summary is empty, expected at least a word" in seen(answer) and "Ada burns the ledger." in answer.text
    before = People(studio.services).find(id)
    answer = api_client.post(f"{BASE}/notes/{id}", data=given | {"summary": before.summary})
    assert answer.url.path == f"{BASE}/notes/{id}" and "The note is saved." in seen(answer)
    after = People(studio.services).find(id)
    assert (after.content, after.summary, after.aspect) == (given["content"], "Ada burns the ledger.", "ending")
    assert f"edited by {after.written_by}: content, summary, context, aspect" in seen(answer)


def test_who_is_late_sees_what_the_other_wrote_and_keeps_his_own_words(api_client: TestClient, studio: Studio) -> None:
    id = first(studio)
    People(studio.services).edit(id, Texts(content="Bo was here."), "bo")
    given = {"revision": "1", "content": "Ana was here.", "summary": "Ana.", "context": "", "aspect": ""}
    answer = api_client.post(f"{BASE}/notes/{id}", data=given)
    assert answer.status_code == 409
    assert "was edited by bo" in seen(answer) and "Bo was here." in seen(answer) and "Ana was here." in seen(answer)
    assert 'name="revision" value="2"' in answer.text
    assert api_client.post(f"{BASE}/notes/{id}", data=given | {"revision": "2"}).status_code == 200
    assert People(studio.services).find(id).content == "Ana was here."


def test_a_note_is_deleted_and_comes_back(api_client: TestClient, studio: Studio) -> None:
    id = first(studio)
    assert "The note is deleted" in seen(api_client.post(f"{BASE}/notes/{id}/delete"))
    assert id in api_client.get(f"{BASE}/notes?deleted=1").text and f"note-{id}" not in api_client.get(f"{BASE}/notes").text
    assert "It is there again." in seen(api_client.post(f"{BASE}/notes/{id}/restore"))
    assert People(studio.services).find(id).is_active


def test_a_dropped_text_stands_beside_its_match_and_is_restored(api_client: TestClient, studio: Studio, dropped: str) -> None:
    path = f"{BASE}/drops?department=story"
    page = api_client.get(path)
    assert '<input type="hidden" name="department" value="story">' in page.text
    assert "embedding 0.93" in seen(page)
    assert "<mark>Once more: </mark>" in page.text  # what differs
    answer = api_client.post(f"{BASE}/notes/{dropped}/restore", data={"drop": "1", "department": "story", "after": ""})
    assert str(answer.url).endswith(f"{path}&said=restored") and "restored by" in seen(answer)
    assert People(studio.services).find(dropped).is_active


def test_a_note_is_added_and_a_wrong_one_is_kept_in_the_form(api_client: TestClient, studio: Studio) -> None:
    answer = api_client.post(f"{BASE}/notes", data={"department": "music", "content": " ", "summary": "kept"})
    assert answer.status_code == 422
    assert "content is empty" in seen(answer) and "kept" in seen(answer)
    answer = api_client.post(f"{BASE}/notes", data={"department": "music", "content": "A cello.\r\nNo more."})
    assert "The note is added." in seen(answer)
    (added,) = studio.view.items_of("music")
    assert (added.content, added.summary) == ("A cello.\nNo more.", "A cello.")


def test_notes_come_in_pages(api_client: TestClient, studio: Studio) -> None:
    for number in range(31):
        People(studio.services).add(PROJECT, "music", Texts(content=f"Note {number}."), "ana")
    page = api_client.get(f"{BASE}/notes?department=music")
    (further,) = re.findall(r'href="([^"]+)" rel="next"', page.text)
    assert page.text.count("<article") == 30
    assert api_client.get(further.replace("&amp;", "&")).text.count("<article") == 1


def test_a_project_is_created_by_a_form(api_client: TestClient, studio: Studio) -> None:
    answer = api_client.post("/projects", data={"name": "Salt", "brief": "  ", "id": "salt"})
    assert answer.status_code == 422 and "expected at least a sentence about the project" in seen(answer)
    answer = api_client.post("/projects", data={"name": "Salt", "brief": "A ledger.", "id": "Salt!"})
    assert answer.status_code == 422 and re.search(r'id="create-id"[^>]*aria-invalid', answer.text)
    answer = api_client.post("/projects", data={"name": "Salt", "brief": "A ledger.", "id": "salt"})
    assert answer.url.path == "/projects/salt" and "The project is created." in seen(answer)
    assert studio.services.projects.get("salt").brief == "A ledger."


def test_errors_are_pages_with_the_sentence_of_the_command_line(api_client: TestClient) -> None:
    for path in ("/projects/nowhere", f"{BASE}/notes/{'0' * 24}", f"{BASE}/notes?department=nowhere", f"{BASE}/drops?after=x"):
        answer = api_client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "Not found" in seen(answer) and "expected" in seen(answer)
    assert api_client.get("/static/nothing.js").status_code == 404


def test_forms_of_other_sites_are_refused(api_client: TestClient, studio: Studio) -> None:
    id = first(studio)
    for origin in ("https://evil.example", "null"):
        assert api_client.post(f"{BASE}/notes/{id}/delete", headers={"origin": origin}).status_code == 403
    assert People(studio.services).find(id).is_active


def test_what_is_kept_by_browsers_has_a_name_that_changes_with_it(api_client: TestClient) -> None:
    addresses = re.findall(r'"(/static/[^"]+)"', api_client.get("/").text)
    assert len(addresses) == 4
    for address in addresses:
        answer = api_client.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert re.fullmatch(r"/static/[a-z]+\.[a-z]+\?[0-9a-f]{12}", address)


class TestWithTokens:
    """Where there are tokens, the page asks for one once."""

    @pytest.fixture
    def tokens(self, studio: Studio) -> tuple[str, str]:
        """Of all projects, and of one that is another than the studio's."""
        studio.services.projects.create("Other", "A brief.", "other")
        return studio.services.tokens.create("ana", None), studio.services.tokens.create("guest", "other")

    def test_a_browser_without_one_gets_the_form_and_a_page_after_it(self, api_client: TestClient, tokens: tuple[str, str]) -> None:
        browser = {"accept": "text/html"}
        answer = api_client.get(BASE, headers=browser)
        assert answer.status_code == 401 and "This page needs a token." in seen(answer)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        for address in re.findall(r'"(/static/[^"]+)"', answer.text):
            assert api_client.get(address).status_code == 200
        answer = api_client.post("/session", data={"token": "gat_wrong"}, headers=browser)
        assert answer.status_code == 401 and "is not known or is revoked" in seen(answer)
        answer = api_client.post("/session", data={"token": tokens[0]}, headers=browser)
        assert answer.url.path == "/" and "The Lost Hour" in seen(answer) and "ana" in seen(answer)
        assert tokens[0] not in answer.text
        assert api_client.post("/sign-out", headers=browser).status_code == 401

    def test_one_for_a_project_shows_that_alone(self, api_client: TestClient, tokens: tuple[str, str]) -> None:
        bearer = {"authorization": f"Bearer {tokens[1]}"}
        answer = api_client.get("/", headers=bearer)
        assert "Other" in seen(answer) and "The Lost Hour" not in seen(answer) and "New project" not in seen(answer)
        for path in (BASE, f"{BASE}/notes", f"{BASE}/drops", f"{BASE}/runs"):
            assert api_client.get(path, headers=bearer).status_code == 403
        assert api_client.post(f"{BASE}/cancel", data={"task_id": "task-1"}, headers=bearer).status_code == 403
        assert api_client.post("/projects/other/cancel", data={"task_id": "task-1"}, headers=bearer).status_code in (403, 404)
        assert api_client.post("/projects", data={"name": "n", "brief": "b"}, headers=bearer).status_code == 403

    def test_changes_are_kept_under_its_name(self, api_client: TestClient, studio: Studio, tokens: tuple[str, str]) -> None:
        bearer = {"authorization": f"Bearer {tokens[0]}"}
        api_client.post(f"{BASE}/notes/{first(studio)}/delete", headers=bearer)
        assert People(studio.services).find(first_of_all(studio)).history()[-1].by == "ana"


def first_of_all(studio: Studio) -> str:
    return studio.view.everything[0].id


def test_the_script_and_the_style_hold_no_address_of_elsewhere() -> None:
    folder = Path(__file__).parents[3] / "gather_pipeline" / "api" / "pages" / "static"
    for file in folder.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(|innerHTML|eval\(", file.read_text(encoding="utf-8"))
