"""What holds for every route: how errors are told."""

from __future__ import annotations

import gzip

import pytest
from starlette.testclient import TestClient

from gather_pipeline import errors
from gather_pipeline.api.app import create_app
from gather_pipeline.api.problems import problem_of
from gather_pipeline.domain.secrets import Secrets
from gather_pipeline.errors import GatherError
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.harness import PROJECT, Studio

SECRET = "sk-very-secret-1234567890"


def test_health_is_told_to_everyone(studio: Studio) -> None:
    answer = client_of(studio, "192.0.2.7").get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


@pytest.mark.parametrize("path", ["/health", "/api/projects", "/", "/openapi.json"])
def test_every_path_that_can_be_read_has_a_head(api_client: TestClient, path: str) -> None:
    assert api_client.head(path).headers["content-type"] == api_client.get(path).headers["content-type"]


def test_a_slash_at_a_paths_end_changes_nothing(api_client: TestClient) -> None:
    for path in ("/health", "/api/projects", "/docs"):
        assert api_client.get(f"{path}/", follow_redirects=False).status_code == 200
    asked = {"name": "Other", "brief": "Another film.", "id": "other"}
    assert api_client.post("/api/projects/", json=asked, follow_redirects=False).status_code == 201


def test_a_filter_without_a_value_filters_nothing(api_client: TestClient, studio: Studio) -> None:
    rows = f"/api/projects/{PROJECT}/items"
    assert api_client.get(f"{rows}?department=&after=&limit=&deleted=").json() == api_client.get(rows).json()
    assert api_client.get(f"{rows}?limit=0").status_code == 422


@pytest.mark.parametrize(
    ("content", "encoding", "told"),
    [
        (gzip.compress(b"{}"), "gzip", "Content-Encoding is 'gzip', expected a body as it is"),
        ("{'größe'".encode("latin-1"), "identity", "the body is no JSON, expected a JSON object in UTF-8"),
        (b"[" * 100_000, "identity", "the body is no JSON, expected a JSON object in UTF-8"),
    ],
    ids=["packed", "of another encoding", "too deep"],
)
def test_a_body_that_cannot_be_read_is_told_why(api_client: TestClient, content: bytes, encoding: str, told: str) -> None:
    headers = {"content-type": "application/json", "content-encoding": encoding}
    answer = api_client.post("/api/projects", content=content, headers=headers)
    assert (answer.status_code // 100, answer.json()["detail"]) == (4, told)


def test_half_a_character_in_a_brief_is_kept_as_one_that_is_unknown(api_client: TestClient) -> None:
    made = api_client.post(
        "/api/projects", content=b'{"name": "Half", "brief": "A half \\ud83d sign."}', headers={"content-type": "application/json"}
    )
    assert made.json()["brief"] == "A half \ufffd sign."


def test_what_is_not_there_is_a_problem_document(api_client: TestClient) -> None:
    answer = api_client.get("/api/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "urn:gather:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "GET /api/nothing: Not Found",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UnknownEntity.field("project id", "solt", "one of salt"), 404),
        (errors.InvalidInput.field("limit", 0, "1 or more"), 422),
        (errors.ProjectBusy("project salt is busy"), 409),
        (errors.EditConflict("somebody else changed it"), 409),
        (errors.StoreUnavailable("the store does not answer"), 503),
        (errors.CmsUnavailable("the CMS does not answer", 2.5), 503),
        (errors.ModelTimeout("no answer"), 503),
        (errors.StaleCursor("the cursor is of another store"), 410),
        (errors.BudgetExhausted("spent"), 409),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatherError) else "",
)
def test_an_error_is_told_with_the_command_lines_sentence(studio: Studio, error: GatherError, status: int) -> None:
    app = create_app(studio.services)

    @app.get("/raise")
    def fail() -> None:
        raise error

    answer = TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 1)).get("/raise")
    assert (answer.status_code, answer.json()["status"], answer.json()["detail"]) == (status, status, str(error))
    assert answer.headers.get("retry-after") == ("3" if isinstance(error, errors.CmsUnavailable) else None)


def test_what_nobody_foresaw_is_told_without_its_words(studio: Studio) -> None:
    app = create_app(studio.services)

    @app.get("/raise")
    def fail() -> None:
        raise ValueError(SECRET)

    answer = TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 1), raise_server_exceptions=False).get("/raise")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:gather:problem:unexpected")
    assert SECRET not in answer.text and "Traceback" not in answer.text


def test_a_secret_of_the_settings_is_masked() -> None:
    answer = problem_of(errors.ModelRefused(f"the key {SECRET} is refused"), Secrets([SECRET]))
    assert SECRET.encode() not in bytes(answer.body) and b"***" in bytes(answer.body)


def test_every_wrong_value_is_named(api_client: TestClient) -> None:
    answer = api_client.post("/api/tasks/execute", json={"task_type": "", "priority": 11, "more": 1})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:gather:problem:invalid-input")
    assert {one["field"] for one in problem["errors"]} == {"body.task_type", "body.priority", "body.more"}
    no_json = "the body is no JSON, expected a JSON object in UTF-8"
    for body, kind, told in (
        (b"{", "application/json", no_json),
        (b'"\xff"', "application/json", no_json),
        (b"{", "text/plain", "expected application/json"),
        (b'{"task_type": "x", "more": 1}', "application/json", "body.more is not a known field"),
        (b'{"task_type": ""}', "application/json", "body.task_type is '', expected at least 1 character"),
    ):
        answer = api_client.post("/api/tasks/execute", content=body, headers={"content-type": kind})
        assert answer.status_code == 422 and told in answer.json()["detail"]
