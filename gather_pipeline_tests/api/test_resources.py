"""Projects, items, events, reports and reviews over HTTP: what the command line prints with --json, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from gather_pipeline.api.app import create_app
from gather_pipeline.bootstrap import build_services
from gather_pipeline.cli.app import gather
from gather_pipeline.cli.tlm import tlm
from gather_pipeline.domain.reviews import Proposal
from gather_pipeline.errors import CmsUnavailable
from gather_pipeline_tests.cli.commands import Shell, entered
from gather_pipeline_tests.finished import Finished
from gather_pipeline_tests.harness import PROJECT, Studio

Capture = pytest.CaptureFixture[str]
HERE = f"/api/projects/{PROJECT}"


@contextmanager
def served(shell: Shell) -> Iterator[TestClient]:
    """The API over the state of a command line."""
    with entered(shell.folder, shell.environment):
        services = build_services()
        try:
            yield TestClient(create_app(services), "http://127.0.0.1:8000", client=("127.0.0.1", 50_000))
        finally:
            services.close()


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/api/projects", "project list"),
        ("/api/projects/salt", "project show salt"),
        ("/api/projects/salt/status", "status --project salt"),
        ("/api/projects/salt/departments", "departments --project salt"),
        ("/api/departments", "departments"),
        ("/api/projects/salt/items?limit=1000", "items --project salt"),
        ("/api/projects/salt/items?department=visual&limit=2", "items --project salt --department visual --limit 2"),
        ("/api/projects/salt/items?deleted=true", "items --project salt --deleted"),
        ("/api/projects/salt/drops?limit=1000", "items --project salt --dropped"),
        ("/api/projects/salt/events/stored?after=3&limit=1000", "events --project salt --after 3"),
        ("/api/projects/salt/events/undelivered", "events --project salt --undelivered"),
    ],
)
def test_what_is_read_is_what_the_command_line_prints(finished: Finished, capsys: Capture, path: str, command: str) -> None:
    printed = finished.shell.here(capsys, *command.split(), "--json").document
    with served(finished.shell) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, printed)


def test_an_item_and_why_it_is_so_are_what_the_command_line_prints(finished: Finished, capsys: Capture) -> None:
    id = finished.shell.items()[0]
    dropped = finished.shell.here(capsys, "items", "--project", "salt", "--dropped", "--json").document[0]["item_id"]
    for one in (id, dropped):
        printed = [finished.shell.here(capsys, *command, one, "--json").document for command in (("item", "show"), ("why",))]
        with served(finished.shell) as client:
            path = f"/api/projects/salt/items/{one}"
            assert [client.get(path).json(), client.get(f"{path}/why").json()] == printed


def test_the_report_has_the_figures_of_the_command_line(copied: Shell, capsys: Capture) -> None:
    printed = copied.here(capsys, "report", "--project", "salt", "--json").document
    with served(copied) as client:
        assert client.get("/api/projects/salt/report").json() == {**printed, "told": None}
        page = client.get("/api/projects/salt/report/page")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Salt" in page.text


@pytest.mark.parametrize(
    ("path", "command", "status"),
    [
        ("/api/projects/nobody", "project show nobody", 404),
        ("/api/projects/NO", "project show NO", 422),
        ("/api/projects/salt/items?after=nobody", "items --project salt --after nobody", 404),
        ("/api/projects/salt/items?department=noise", "items --project salt --department noise", 404),
        ("/api/projects/salt/items/nobody", "item show nobody --project salt", 404),
        ("/api/reviews/nobody", "tlm review show nobody", 404),
    ],
)
def test_a_refusal_has_the_sentence_of_the_command_line(finished: Finished, capsys: Capture, path: str, command: str, status: int) -> None:
    args = command.split()
    said = finished.shell.here(capsys, *args[args[0] == "tlm" :], command=tlm if args[0] == "tlm" else gather).err
    with served(finished.shell) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert said == f"Error: {answer.json()['detail']}\n"


def test_pages_lead_on_to_each_other_and_have_everything_once(api_client: TestClient, studio: Studio) -> None:
    next_page, found = f"{HERE}/items?limit=2", []
    while next_page:
        answer = api_client.get(next_page)
        found += [row["id"] for row in answer.json()]
        next_page = answer.links.get("next", {}).get("url", "")
    assert found == [item.id for item in studio.view.items] and len(found) > 2


def test_an_item_is_written_by_one_person_and_changed_by_another(api_client: TestClient, studio: Studio) -> None:
    made = api_client.post(f"{HERE}/items?by=ana", json={"department": "story", "content": "The mayor has the key. She lies."})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert {name: made.json()[name] for name in ("written_by", "summary", "origin")} == {
        "written_by": "ana",
        "summary": "The mayor has the key.",
        "origin": "person",
    }
    place = made.headers["location"]
    changed = api_client.patch(f"{place}?by=ben", json={"content": "The mayor has no key."}, headers={"If-Match": made.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"], changed.json()["written_by"]) == (200, '"2"', "ben")
    late = api_client.patch(f"{place}?by=ana", json={"content": "The mayor has two keys."}, headers={"If-Match": made.headers["etag"]})
    assert (late.status_code, late.json()["title"]) == (409, "Edit conflict")
    assert "was edited by ben" in late.json()["detail"]
    assert api_client.delete(place, headers={"If-Match": '"1"'}).status_code == 409
    assert api_client.delete(place, headers={"If-Match": 'W/"2"'}).json()["state"] == "deleted"  # as a proxy that compresses has it
    assert api_client.post(f"{place}/restore?by=ana").json()["state"] == "active"
    shown = api_client.get(place)
    assert shown.headers["etag"] == '"4"'
    assert [(one["action"], one["by"]) for one in shown.json()["history"]][1::2] == [("edited", "ben"), ("restored", "ana")]


@pytest.mark.parametrize("given", ['""', '"0"', "x", '"99999999999"'])
def test_an_if_match_that_is_no_etag_of_ours_is_refused(api_client: TestClient, studio: Studio, given: str) -> None:
    answer = api_client.delete(f"{HERE}/items/{studio.view.items[0].id}", headers={"If-Match": given})
    assert (answer.status_code, studio.view.items[0].is_active) == (422, True)


@pytest.mark.parametrize("given", ["1", 'W/"1"', '"1-gzip"', '"1--gzip"', '"1;gzip"'])
def test_an_etag_that_a_proxy_marked_as_packed_is_still_the_items(api_client: TestClient, studio: Studio, given: str) -> None:
    place = f"{HERE}/items/{studio.view.items[0].id}"
    assert api_client.patch(place, json={"context": "Dawn."}, headers={"If-Match": given}).headers["etag"] == '"2"'


def test_two_items_that_say_the_same_are_made_one_and_parted_again(api_client: TestClient, studio: Studio) -> None:
    first, second = (item.id for item in studio.view.items[:2])
    assert api_client.post(f"{HERE}/items/{first}/same", json={"other": second}).json()["state"] == "dropped"
    [drop] = api_client.get(f"{HERE}/drops").json()
    assert (drop["item_id"], drop["match_id"], drop["rule"]) == (first, second, "person")
    assert api_client.post(f"{HERE}/items/{drop['item_id']}/restore").json()["state"] == "active"


def test_a_slip_in_a_name_of_a_field_is_told(api_client: TestClient, studio: Studio) -> None:
    answer = api_client.patch(f"{HERE}/items/{studio.view.items[0].id}", json={"contnt": "Hello."})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.contnt")


def test_a_project_is_made_changed_and_says_what_became_stale(
    api_client: TestClient, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: object) -> None:
        raise CmsUnavailable("the CMS does not answer")

    made = api_client.post("/api/projects", json={"name": "Salt", "brief": "A town of salt.", "id": "salt"})
    assert (made.status_code, made.headers["location"]) == (201, "/api/projects/salt")
    again = api_client.post("/api/projects", json={"name": "Salt", "brief": "A town of salt.", "id": "salt"})
    assert (again.status_code, again.json()["detail"]) == (422, "project id is 'salt', expected an id that no project has")
    changed = api_client.patch(f"{HERE}?by=ana", json={"brief": "Another story."}).json()
    assert (changed["changed"], [one["department"] for one in changed["stale"]]) == (True, ["story"])
    assert api_client.get(HERE).json()["earlier"][0]["by"] == "ana"
    with monkeypatch.context() as patched:
        patched.setattr(type(studio.services.departments), "departments", away)
        changed = api_client.patch(HERE, json={"brief": "A third story."})
    assert (changed.status_code, changed.json()["stale"], api_client.get(HERE).json()["brief"]) == (200, None, "A third story.")
    nothing = api_client.patch(HERE, json={})
    assert (nothing.status_code, nothing.json()["detail"]) == (422, "neither name nor brief is given, expected what is to change")


def test_what_waits_is_decided_once(api_client: TestClient, studio: Studio) -> None:
    asked = Proposal(kind="task_output", title="A skill", content={"skill": "clocks"}, subject={"task": "x"}, source="0" * 32)
    place = f"/api/reviews/{studio.services.reviews.propose(asked).id}"
    assert [one["title"] for one in api_client.get("/api/reviews?kind=task_output").json()] == ["A skill"]
    assert api_client.post(f"{place}/assignment?by=ana", json={"assignee": "Mara"}).json()["assignee"] == "Mara"
    done = api_client.post(f"{place}/decision?by=Mara", json={"choice": "edit", "changed": {"skill": "towers"}, "note": "better"})
    assert (done.status_code, done.json()["changed"]) == (200, {"skill": "towers"})
    late = api_client.post(f"{place}/decision?by=ana", json={"choice": "reject"})
    assert late.status_code == 409 and "Mara edited it" in late.json()["detail"]
    assert api_client.get("/api/reviews").json() == [] and len(api_client.get("/api/reviews?status=all").json()) == 1


def test_executions_are_found_and_judged(api_client: TestClient, studio: Studio) -> None:
    [found] = api_client.get("/api/executions?task=gather_item&limit=1").json()
    said = api_client.post(f"/api/executions/{found['id']}/feedback?by=ana", json={"accepted": True, "rating": 4}).json()
    assert {**said, "feedback": None} == {"execution": found["id"], "accepted": True, "rating": 4.0, "feedback": None}
    shown: dict[str, Any] = api_client.get(f"/api/executions/{found['id']}").json()
    assert shown["accepted"] is True and shown["input"]
    assert api_client.post(f"/api/executions/{found['id']}/feedback", json={}).status_code == 422


def test_a_token_of_one_project_sees_nothing_of_another(api_client: TestClient, studio: Studio) -> None:
    studio.services.projects.create("Other", "Another one.", "other")
    secret = studio.services.tokens.create("page", PROJECT)
    headers = {"authorization": f"Bearer {secret}"}
    assert [one["id"] for one in api_client.get("/api/projects", headers=headers).json()] == [PROJECT]
    refused = [("GET", "/api/projects/other"), ("GET", "/api/projects/other/items"), ("GET", "/api/reviews"), ("GET", "/api/executions")]
    refused += [("POST", "/api/projects"), ("DELETE", f"/api/projects/other/items/{studio.view.items[0].id}")]
    for method, path in refused:
        body = {"json": {"name": "a", "brief": "b"}} if method == "POST" else {}
        assert api_client.request(method, path, headers=headers, **body).status_code == 403, path
    added = api_client.post(f"{HERE}/items", headers=headers, json={"department": "story", "content": "A key."}).json()
    assert added["written_by"] == "page"
    assert api_client.get(HERE).status_code == 401
