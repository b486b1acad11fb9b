"""Keys planted in every secret setting, and a model server that repeats them: whatever a run, a command or the API writes has none."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from gather_pipeline.api.app import create_app
from gather_pipeline.bootstrap import build_services
from gather_pipeline.cli.tlm import tlm
from gather_pipeline.report.tables import rows
from gather_pipeline.settings import Settings
from gather_pipeline_tests.cli.commands import Shell, entered
from gather_pipeline_tests.fault_server import FaultServer
from gather_pipeline_tests.gather.test_secrets import PLANTED, SET, VALUES, base_url, echoing
from gather_pipeline_tests.harness import department_row
from gather_pipeline_tests.listener import Listener

NOWHERE = "127.0.0.1:9"  # where nobody answers
ENDLESS = "/api/projects/{project_id}/events"


def variables(server: FaultServer, listener: Listener) -> dict[str, str]:
    """Every secret setting but the store's, as an environment has them."""
    planted = {name: value if isinstance(value, str) else json.dumps(value) for name, value in PLANTED.items()}
    planted = {name: value.replace("@host", f"@{NOWHERE}") for name, value in planted.items()}
    planted |= {"openai_base_url": base_url(server.base_url.split("/")[2]), "webhook_url": f"{listener.url}&more=h00k-planted"}
    del planted["mongodb_uri"]
    own = {"GATHER_MODEL": "", "BRAIN_SERVICE_BASE_URL": f"http://{NOWHERE}"}
    return {str(Settings.model_fields[name].validation_alias): value for name, value in planted.items()} | own


def asked(client: TestClient, ids: dict[str, str]) -> Iterator[str]:
    """What the API answers, headers included: every GET of the document, the document, and refusals of requests that hold a key."""
    document = client.get("/openapi.json")
    yield document.text
    for path, item in document.json()["paths"].items():
        if "get" in item and path != ENDLESS:
            answer = client.get(path.format_map(ids))
            assert answer.status_code < 300 or "review_id" in path, answer.text
            yield f"{answer.headers} {answer.text}"
    for value in SET:
        for answer in (
            client.post("/api/projects", json={"name": "x", "brief": "y", "id": f"{value} "}),
            client.patch("/api/projects/salt", json={value: value}),
            client.post("/api/projects/salt/items", json={"department": value, "content": "A key."}),
            client.get("/api/projects/salt/items", params={"after": value}),
            client.get("/api/projects/salt/items", params={"limit": value}),
            client.get("/api/executions", headers={"authorization": f"Bearer {value}"}),
            client.post("/api/tasks/execute", json={"task_type": value, "parameters": {value: value}}),
        ):
            assert 400 <= answer.status_code < 500, answer.text
            yield f"{answer.headers} {answer.text}"


def test_nothing_that_is_planted_is_written_shown_or_sent(
    tmp_path: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    shell = Shell.make(tmp_path, (department_row("story", 1, most=1, defaultModel="a/model"),))
    with FaultServer() as server, Listener() as listener, caplog.at_level(logging.DEBUG, "gather_pipeline"):
        echoing(server)
        shell.extra = variables(server, listener)
        shell.create()

        def ran(*args: str, code: int = 0, **kwargs: Any) -> str:
            done = shell.here(capsys, *args, **kwargs)
            assert done.code == code, done.err
            seen.append(done.out + done.err)
            return done.out

        items = [item for _ in [ran("--verbose", "run", "--project", "salt", "--json")] for item in shell.items()]
        for command in (f"item show {items[0]}", f"why {items[0]}", "events --project salt", "items --project salt --json"):
            ran(*command.split())
        ran("report", "--project", "salt", "--html", "report.html")
        ran("export", "executions.jsonl", command=tlm)
        token = ran("token", "create", "--project", "salt", "--name", "page").strip()
        seen.pop()  # which is where it is shown, once
        ran("token", "list", "--json")
        shell.extra["MONGODB_URI"] = PLANTED["mongodb_uri"].replace("@host", f"@{NOWHERE}") + "&serverSelectionTimeoutMS=100"
        shell.extra |= {"HTTPS_PROXY": f"http://{NOWHERE}", "NO_PROXY": "127.0.0.1"}  # a provider is asked by its own name
        ran("doctor", code=1)
        for name in ("MONGODB_URI", "HTTPS_PROXY", "NO_PROXY"):
            del shell.extra[name]
        with entered(shell.folder, shell.environment):
            services = build_services()
            secret = services.tokens.create("whole", None)
            execution = services.executions.find(limit=1)[0]
            app = create_app(services)
            client = TestClient(app, "http://127.0.0.1:8000", client=("127.0.0.1", 50_000), headers={"authorization": f"Bearer {secret}"})
            task_id = services.runs.of_project("salt")[0].task_id
            ids = {"project_id": "salt", "item_id": items[0], "execution_id": execution.id, "task_id": task_id, "review_id": "none"}
            seen += asked(client, ids)
            tables = services.metrics.query("SELECT table_name FROM information_schema.tables")["table_name"]
            seen += [json.dumps(rows(services.metrics.query(f"SELECT * FROM {table}"))) for table in tables]
            assert len(tables) > 5
            app.state.closing.close()
            services.close()
    assert any("She finds a note: ***" in told for told in seen) and listener.events
    seen += [caplog.text, json.dumps(listener.events)]
    seen += [path.read_bytes().decode("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file()]
    planted = [value for value in VALUES if value != "T0planted0"] + [token, secret, "s3cret"]  # the receiver is here
    assert [(value, told[max(told.find(value) - 200, 0) :][:300]) for value in planted for told in seen if value in told] == []
