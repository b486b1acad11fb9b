"""What holds for every route: who may ask, and how errors are told."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.harness import Studio


def test_health_is_told_to_everyone(studio: Studio) -> None:
    answer = client_of(studio, "192.0.2.7").get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_what_is_not_there_is_a_problem_document(api_client: TestClient) -> None:
    answer = api_client.get("/api/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "urn:gather:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "GET /api/nothing: Not Found",
    }


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", ""])
def test_without_tokens_a_foreign_name_for_this_machine_is_refused(api_client: TestClient, host: str) -> None:
    assert api_client.get("/openapi.json").status_code == 200
    assert api_client.get("/openapi.json", headers={"host": host}).status_code == 403
