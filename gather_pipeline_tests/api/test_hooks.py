"""The CMS's hook: who may send it, and what is known a moment later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gather_pipeline import bootstrap
from gather_pipeline.api.app import create_app
from gather_pipeline.defs import launch, partitions
from gather_pipeline.defs.reporting import DEPARTMENTS, newest
from gather_pipeline.services import Services
from gather_pipeline.settings import load_settings
from gather_pipeline_tests.cli.commands import wait_until
from gather_pipeline_tests.cms_server import KEY, CmsServer, department

SECRET = "a hook's own secret"
HOOK = "/api/hooks/payload"


@pytest.fixture
def cms() -> Iterator[CmsServer]:
    with CmsServer(department("story", 1), department("music", 2)) as server:
        yield server


@pytest.fixture
def services(cms: CmsServer, tmp_path: Path) -> Iterator[Services]:
    given = {"home": tmp_path, "cms_url": cms.url, "payload_api_key": KEY, "payload_webhook_secret": SECRET, "embedder": "hashing"}
    made = bootstrap.build_services(load_settings(_env_file=None, **given))
    yield made
    made.close()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    """The CMS, which stands on another machine and has no token."""
    services.tokens.create("somebody else's", None)
    with TestClient(create_app(services), "http://gather.example.com", client=("192.0.2.7", 50_000)) as client:
        yield client


def test_a_changed_department_is_known_a_moment_later(services: Services, client: TestClient, cms: CmsServer) -> None:
    with launch.open_instance(services.settings) as instance:
        cms.rows.append(department("sound", 3, id=3))
        asked = len(cms.paths)
        for headers in ({"x-payload-secret": SECRET}, {"authorization": f"Bearer {SECRET}"}):
            answer = client.post(HOOK, json={"collection": "departments", "operation": "create", "doc": {"id": 3}}, headers=headers)
            assert (answer.status_code, answer.json()) == (202, {"status": "looking"})
        wait_until(lambda: newest(instance, DEPARTMENTS, "sound"))
        assert "sound" in instance.get_dynamic_partitions(str(partitions.departments.name))
    assert len(cms.paths) == asked + 1  # both hooks together


def test_a_change_of_something_else_is_passed_over(client: TestClient, cms: CmsServer) -> None:
    answer = client.post(HOOK, json={"collection": "projects"}, headers={"x-payload-secret": SECRET})
    assert (answer.json(), cms.paths) == ({"status": "ignored"}, [])


@pytest.mark.parametrize("secret", ["", "another", f"{SECRET}.", "ünïcode"])
def test_a_hook_without_the_secret_is_not_heard(client: TestClient, cms: CmsServer, secret: str) -> None:
    answer = client.post(HOOK, json={}, headers={"x-payload-secret": secret.encode()})
    assert (answer.status_code, cms.paths) == (401, [])
    assert SECRET not in answer.text


def test_where_no_secret_is_set_no_hook_is_heard(api_client: TestClient) -> None:
    answer = api_client.post(HOOK, json={}, headers={"x-payload-secret": "anything"})
    assert (answer.status_code, "PAYLOAD_WEBHOOK_SECRET is not set" in answer.json()["detail"]) == (403, True)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"collection": {"slug": "departments", "fields": []}, "operation": None, "doc": {"id": 1}}, "looking"),
        ({"collection": {"slug": "media"}}, "ignored"),
        ({"collection": None, "doc": {"id": 1}}, "looking"),
    ],
)
def test_a_hook_may_send_the_collection_as_payload_hands_it_on(client: TestClient, asked: dict[str, object], status: str) -> None:
    assert client.post(HOOK, json=asked, headers={"authorization": f"bearer {SECRET}"}).json() == {"status": status}


@pytest.mark.parametrize("kind", ["text/plain;charset=UTF-8", "application/json", None])
@pytest.mark.parametrize("body", [b"", b'{"collection": "departments"}'])
def test_a_hook_is_heard_whatever_it_calls_its_body(client: TestClient, kind: str | None, body: bytes) -> None:
    headers = {"x-payload-secret": SECRET} | ({"content-type": kind} if kind else {})
    assert client.post(HOOK, content=body, headers=headers).json() == {"status": "looking"}
    assert client.post(HOOK, content=body + b"x", headers=headers).status_code == 422


def test_a_secret_of_other_letters_is_compared_as_it_is_sent(cms: CmsServer, tmp_path: Path) -> None:
    given = {"home": tmp_path, "cms_url": cms.url, "payload_webhook_secret": "schlüssel-1", "embedder": "hashing"}
    with closing(bootstrap.build_services(load_settings(_env_file=None, **given))) as services, TestClient(create_app(services)) as client:
        assert client.post(HOOK, json={}, headers={"x-payload-secret": "schlüssel-1".encode()}).status_code == 202
