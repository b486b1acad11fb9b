"""`gather brain serve`: who may ask, what stays after a restart, and the contract file, which is what the server really offers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from starlette.testclient import TestClient

from gather_pipeline import bootstrap
from gather_pipeline.api import brain
from gather_pipeline.api.brain import contract, create_brain_app
from gather_pipeline.services import Services
from gather_pipeline_tests.harness import PROJECT, make_settings

KEY = "planted-brain-key/0123456789"
CONTRACT = Path(__file__).parents[2] / "docs" / "brain-openapi.yaml"
ITEM = {"id": "1", "version": 2, "content": "Ada finds the lost hour.", "summary": "Hour"}
STORY = {"slug": "story", "name": "Story", "description": "What happens", "aspects": ["opening", "tower"]}
BATCH = {"project_id": PROJECT, "department": {"slug": "story"}, "items": [ITEM]}
ASKED: list[tuple[str, str, dict[str, Any]]] = [
    ("get", "/health", {}),
    ("post", "/api/v1/nodes/batch", {"json": BATCH}),
    ("post", "/api/v1/search/duplicates", {"json": {"content": "ada finds the lost hour.", "project_id": PROJECT}}),
    ("get", "/api/v1/context/department", {"params": {"project_id": PROJECT, "department": "music", "previous_depts": ["story"]}}),
    ("post", "/api/v1/analyze/coverage", {"json": {"project_id": PROJECT, "department": STORY}}),
]


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = bootstrap.build_services(make_settings(tmp_path, brain_api_key=KEY))
    yield services
    services.close()


def client_of(
    services: Services, key: str = KEY, sent: str | None = KEY, base: str = "http://127.0.0.1:8100", address: str = "127.0.0.1"
) -> TestClient:
    app = create_brain_app(*bootstrap.served_brain(services), key, services.secrets)
    headers = {"Authorization": f"Bearer {sent}"} if sent else {}
    return TestClient(app, base, headers=headers, client=(address, 50_000), raise_server_exceptions=False)


def test_the_contract_file_is_what_the_server_offers() -> None:
    """Where this fails, type: python -m gather_pipeline.api.brain > docs/brain-openapi.yaml"""
    assert yaml.safe_load(contract()) == yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))


def test_every_answer_keeps_to_the_contract(services: Services) -> None:
    document = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    client = client_of(services)
    answers = {}
    for method, path, options in ASKED:
        answer = client.request(method, path, **options)
        assert answer.status_code == 200, answer.text
        answers[path] = answer.json()
        schema = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(answers[path], {**schema, "components": document["components"]})
    assert set(document["paths"]) == set(answers)
    assert answers["/api/v1/nodes/batch"] == {"indexed": 1, "unchanged": 0}
    (same,) = answers["/api/v1/search/duplicates"]["duplicates"]
    assert (same["id"], same["similarity"]) == ("1", 1.0)
    assert [one["id"] for one in answers["/api/v1/context/department"]["context"]] == ["1"]


def test_the_same_version_and_an_older_one_change_nothing_also_after_a_restart(services: Services) -> None:
    def index(client: TestClient, **changes: Any) -> dict[str, int]:
        answer = client.post("/api/v1/nodes/batch", json={**BATCH, "items": [{**ITEM, **changes}]})
        return dict(answer.json())

    assert index(client_of(services)) == {"indexed": 1, "unchanged": 0}
    again = client_of(services)
    assert index(again) == index(again, version=1, content="Older.") == {"indexed": 0, "unchanged": 1}
    found = again.get("/api/v1/context/department", params={"project_id": PROJECT, "department": "music"}).json()["context"]
    assert [one["content"] for one in found] == [ITEM["content"]]
    assert index(again, version=3, deleted=True) == {"indexed": 1, "unchanged": 0}
    assert index(again) == {"indexed": 0, "unchanged": 1}, "what was deleted does not come back with an old version"


@pytest.mark.parametrize(("method", "path", "options"), ASKED[1:])
def test_every_call_needs_the_key(services: Services, method: str, path: str, options: dict[str, Any]) -> None:
    for sent in (None, "another"):
        answer = client_of(services, sent=sent).request(method, path, **options)
        assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
        assert KEY not in answer.text
    assert client_of(services, sent=None).get("/health").status_code == 200


def test_without_a_key_it_serves_this_machine_alone(services: Services) -> None:
    method, path, options = ASKED[1]
    assert client_of(services, key="", sent=None).request(method, path, **options).status_code == 200
    for elsewhere in ({"base": "http://brain.example:8100"}, {"address": "192.0.2.7"}):
        assert client_of(services, key="", sent=None, **elsewhere).request(method, path, **options).status_code == 403
    page = client_of(services, key="", sent=None)
    assert page.request(method, path, headers={"Origin": "https://evil.example"}, **options).status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/nodes/batch", {**BATCH, "project_id": "../x"}),
        ("/api/v1/nodes/batch", {**BATCH, "items": [{"content": "no id"}]}),
        ("/api/v1/nodes/batch", {**BATCH, "items": [{**ITEM, "version": 0}]}),
        ("/api/v1/search/duplicates", {"content": "x", "project_id": PROJECT, "threshold": 2}),
        ("/api/v1/analyze/coverage", {"project_id": PROJECT, "department": {"slug": ""}}),
    ],
)
def test_what_is_wrong_is_told(services: Services, path: str, body: dict[str, Any]) -> None:
    answer = client_of(services).post(path, json=body)
    assert answer.status_code == 422 and answer.json()["detail"]


@pytest.mark.parametrize("told", [True, False])
def test_a_body_beyond_the_limit_is_refused_also_where_its_length_is_not_told(
    services: Services, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setattr(brain, "BODY_BYTES", 100)
    body = json.dumps(BATCH).encode()
    headers = {"content-type": "application/json"}
    answer = client_of(services).post(ASKED[1][1], content=body if told else iter([body[:90], body[90:]]), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:gather:problem:too-large")


def test_another_method_is_refused_with_those_that_there_are(services: Services) -> None:
    answer = client_of(services).get(ASKED[1][1])
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
