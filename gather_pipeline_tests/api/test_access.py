"""Who may ask: by token, by cookie, from this machine; and how much."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from gather_pipeline.api.app import create_app
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.harness import PROJECT, Studio

ANY = "/api/tasks/types"
OTHER = "http://evil.example"


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Studio]:
    """Limits that a test reaches, and a page elsewhere that may ask."""
    studio = Studio.open(tmp_path / "home", api_rate=3, api_body_bytes=1000, api_origins="https://app.example.com")
    yield studio
    studio.close()


def test_without_tokens_only_this_machine_is_served(studio: Studio) -> None:
    assert client_of(studio).get(ANY).status_code == client_of(studio, "::1").get(ANY).status_code == 200
    refused = client_of(studio, "192.0.2.7").get(ANY)
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:gather:problem:not-allowed")
    assert "from 192.0.2.7" in refused.json()["detail"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "[", "[::1", "[evil]"])
def test_without_tokens_a_foreign_name_of_this_machine_is_refused(api_client: TestClient, host: str) -> None:
    assert api_client.get(ANY, headers={"host": "localhost:8000"}).status_code == 200
    assert api_client.get(ANY, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("origin", [OTHER, "null", "http://127.0.0.1:9999", "http://127.0.0.1:8000.evil.example", "http://["])
def test_a_page_of_another_origin_drives_no_server_that_asks_for_no_token(api_client: TestClient, origin: str) -> None:
    assert api_client.post("/api/tasks/cancel/x", headers={"origin": "http://127.0.0.1:8000"}).status_code == 404
    assert api_client.post("/api/tasks/cancel/x", headers={"origin": origin}).status_code == 403


def test_once_a_token_was_made_everything_but_health_needs_one(studio: Studio) -> None:
    secret = studio.services.tokens.create("ed", None)
    client = client_of(studio)
    refused = client.get(ANY)
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Bearer realm="gather"')
    assert [client.get(path).status_code for path in ("/health", "/openapi.json", "/", "/nothing")] == [200, 401, 401, 401]
    elsewhere = client_of(studio, "192.0.2.7")
    assert elsewhere.get(ANY, headers=bearer(secret) | {"host": "gather.example.com"}).status_code == 200
    for wrong in ("gat_x", "", secret[:-1]):
        assert client.get(ANY, headers=bearer(wrong)).status_code == 401
    assert client.get(ANY, headers={"authorization": f"Basic {secret}"}).status_code == 401
    assert client.get(ANY, params={"token": secret}).status_code == 401
    assert client.get(ANY, headers={"host": "127.0.0.1/health?"}).status_code == 401, "a path in the header Host opens nothing"


def test_a_revoked_token_opens_nothing_and_revoking_the_last_does_not_open_the_server(studio: Studio) -> None:
    secret = studio.services.tokens.create("ed", None)
    client = client_of(studio)
    assert client.get(ANY, headers=bearer(secret)).status_code == 200
    studio.services.tokens.revoke("ed")
    assert [client.get(ANY, headers=headers).status_code for headers in (bearer(secret), {})] == [401, 401]


def test_a_token_of_one_project_sees_no_other(studio: Studio) -> None:
    studio.services.projects.create("Pepper", "A brief.", "pepper")
    own, other = (bearer(studio.services.tokens.create(name, name)) for name in (PROJECT, "pepper"))
    client = client_of(studio)
    assert studio.run("task-2", max_iterations=1, departments=("story",)).task_id == "task-2"
    asked = {"task_type": "automated_gather_creation", "parameters": {"project_id": PROJECT}}
    assert client.get("/api/tasks/status/task-2", headers=own).status_code == 200
    for refused in (
        client.get("/api/tasks/status/task-2", headers=other),
        client.post("/api/tasks/cancel/task-2", headers=other),
        client.post("/api/tasks/execute", json=asked, headers=other),
    ):
        assert refused.status_code == 403
        assert f"is for project pepper, expected one for project {PROJECT}" in refused.json()["detail"]


def test_a_page_hands_in_its_token_once_and_is_known_by_a_cookie_no_script_reads(studio: Studio) -> None:
    secret = studio.services.tokens.create("page", None)
    client = client_of(studio)
    assert client.post("/session", json={"token": "gat_wrong"}).status_code == 401
    answer = client.post("/session", json={"token": secret})
    kept = answer.headers["set-cookie"]
    assert (answer.status_code, answer.content) == (204, b"")
    assert "HttpOnly" in kept and "SameSite=lax" in kept and "Secure" not in kept
    assert client.get(ANY).status_code == 200
    assert client.post("/api/tasks/cancel/x", headers={"origin": OTHER}).status_code == 403
    assert client.delete("/session").status_code == 204
    assert client.get(ANY).status_code == 401


def test_over_tls_the_cookie_is_secure(studio: Studio) -> None:
    secret = studio.services.tokens.create("page", None)
    client = TestClient(create_app(studio.services), "https://gather.example.com")
    assert "Secure" in client.post("/session", json={"token": secret}).headers["set-cookie"]


def test_a_form_without_a_script_signs_in_too_and_is_led_on(studio: Studio) -> None:
    secret = studio.services.tokens.create("page", None)
    client = client_of(studio)
    answer = client.post("/session", data={"token": f" {secret} "}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get(ANY).status_code == 200
    assert client.post("/session", data={"tokens": "x"}).json()["detail"] == "body.token is missing"


def test_signing_in_leads_to_the_page_that_was_asked_for_and_to_no_other_server(studio: Studio) -> None:
    secret = studio.services.tokens.create("page", None)
    client = client_of(studio)
    asked = client.get(f"/projects/{PROJECT}?department=story", headers={"accept": "text/html"})
    wanted = f"/projects/{PROJECT}?department=story"
    field = f'<input type="hidden" name="next" value="{wanted}">'
    assert asked.status_code == 401 and field in asked.text
    assert field in client.post("/session", data={"token": "gat_wrong", "next": wanted}).text
    answer = client.post("/session", data={"token": secret, "next": wanted}, follow_redirects=False)
    assert answer.headers["location"] == wanted
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert client.post("/session", data={"token": secret, "next": elsewhere}, follow_redirects=False).status_code == 422


def test_a_websocket_is_refused_before_it_opens(studio: Studio) -> None:
    app = create_app(studio.services)

    @app.websocket("/ws/test")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.access.name)
        await socket.close()

    secret, address = studio.services.tokens.create("watcher", None), "ws://127.0.0.1:8000/ws/test"
    client = TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50_000))
    with pytest.raises(Exception) as refused, client.websocket_connect(address):
        pass
    assert getattr(refused.value, "status_code", None) == 401
    client.post("/session", json={"token": secret})
    with client.websocket_connect(address) as socket:
        assert socket.receive_text() == "watcher"


def test_who_asks_too_often_is_told_how_long_to_wait(open_studio: Studio) -> None:
    client = client_of(open_studio)
    answers = [client.get("/health") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert client_of(open_studio, "127.0.0.2").get("/health").status_code == 200


@pytest.mark.parametrize("told", [True, False])
def test_a_body_beyond_the_limit_is_refused(open_studio: Studio, told: bool) -> None:
    body = b'{"task_type": "' + b"x" * 2000 + b'"}'
    headers = {"content-type": "application/json"}
    answer = client_of(open_studio).post("/api/tasks/execute", content=body if told else iter([body[:900], body[900:]]), headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:gather:problem:too-large")


def test_only_a_page_that_a_setting_names_may_ask_from_elsewhere(studio: Studio, open_studio: Studio) -> None:
    asks = {"origin": "https://app.example.com", "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    allowed = client_of(open_studio).options(ANY, headers=asks)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, "https://app.example.com")
    shown = client_of(open_studio).get("/health", headers=asks).headers["access-control-expose-headers"]
    assert set(shown.split(", ")) >= {"ETag", "Link"}
    assert "access-control-allow-origin" not in client_of(open_studio).options(ANY, headers=asks | {"origin": OTHER}).headers
    assert "access-control-allow-origin" not in client_of(studio).options(ANY, headers=asks).headers
