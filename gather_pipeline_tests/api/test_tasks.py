"""Tasks over HTTP: definitions in the server, and runs however they were begun."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from gather_pipeline.api import executing
from gather_pipeline.defs import starting
from gather_pipeline.domain.automation import AutomationRequest
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline.ports import DocumentStore
from gather_pipeline.records.lease import Owner, holding
from gather_pipeline.records.submissions import Place, Submission
from gather_pipeline.services import Services
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.upkeep.tasks import AUTOMATION
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.cli.commands import wait_until
from gather_pipeline_tests.harness import PROJECT, Studio
from gather_pipeline_tests.tasks.builders import document

EXECUTE = "/api/tasks/execute"
GREETING = {"task_type": "greeting", "parameters": {"who": "Mara"}}


@pytest.fixture
def tasked(tmp_path: Path) -> Iterator[Studio]:
    """A studio with a definition of its own, and a scripted model that takes its time."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    (folder / "greeting.json").write_text(json.dumps(document(output__schema__properties__greeting={"type": "string"})))
    studio = Studio.open(tmp_path / "home", task_folders=(folder,), script_latency_s=1.5, concurrency=1)
    yield studio
    studio.close()


@pytest.fixture
def client(tasked: Studio) -> Iterator[TestClient]:
    with client_of(tasked) as client:
        yield client


def status(client: TestClient, task_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/tasks/status/{task_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ended(client: TestClient, task_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        now = status(client, task_id)
        return now if now["status"] not in ("pending", "running") else None

    return dict(wait_until(look))


def begun(client: TestClient, body: dict[str, Any], **headers: str) -> str:
    answer = client.post(EXECUTE, json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/tasks/status/{answer.json()['task_id']}"
    return str(answer.json()["task_id"])


def test_a_definition_is_executed_in_the_server_and_its_record_has_the_id_that_was_given_out(tasked: Studio, client: TestClient) -> None:
    task_id = begun(client, GREETING)
    done = ended(client, task_id)
    execution = tasked.services.executions.get(task_id)
    assert (done["status"], done["task_type"], done["result"]) == ("completed", "greeting", execution.output)
    assert done["submitted_at"] <= done["started_at"] <= done["ended_at"]


def test_the_same_key_with_the_same_body_is_done_once(tasked: Studio, client: TestClient) -> None:
    key = {"Idempotency-Key": "monday"}
    first, again = (client.post(EXECUTE, json=GREETING, headers=key) for _ in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (202, again.json())
    other = client.post(EXECUTE, json=GREETING | {"parameters": {"who": "Jonas"}}, headers=key)
    assert (other.status_code, other.json()["detail"].partition(",")[0]) == (422, "Idempotency-Key was used with another body")
    ended(client, first.json()["task_id"])
    assert len(tasked.services.executions.find(task="greeting")) == 1
    assert begun(client, GREETING) != first.json()["task_id"]


def test_a_key_is_of_the_token_that_it_came_with(tasked: Studio, client: TestClient) -> None:
    secrets = [tasked.services.tokens.create(name, None) for name in ("one", "two")]
    headers = [{"authorization": f"Bearer {secret}", "Idempotency-Key": "monday"} for secret in secrets]
    assert len({client.post(EXECUTE, json=GREETING, headers=one).json()["task_id"] for one in headers}) == 2


def test_an_execution_that_is_cancelled_says_so_and_so_does_one_that_waited(tasked: Studio, client: TestClient) -> None:
    first, waiting = (begun(client, GREETING | {"options": {"draw": draw}}) for draw in (1, 2))
    for task_id in (waiting, first):
        assert client.post(f"/api/tasks/cancel/{task_id}").json()["cancel_requested"]
    assert [ended(client, task_id)["status"] for task_id in (waiting, first)] == ["cancelled", "cancelled"]
    assert [one.status for one in tasked.services.executions.find(task="greeting")] in ([], ["cancelled"])


def test_an_execution_that_ends_with_its_server_says_so(tasked: Studio) -> None:
    with client_of(tasked) as client:
        task_id = begun(client, GREETING)
        wait_until(lambda: status(client, task_id)["status"] == "running")
    with client_of(tasked) as client:
        shown = status(client, task_id)
    assert (shown["status"], shown["reason"]) == ("cancelled", "its process was stopped")


def test_what_an_execution_fails_of_is_its_reason(tasked: Studio, client: TestClient) -> None:
    task_id = begun(client, GREETING | {"options": {"model": "scripted:down"}})
    done = ended(client, task_id)
    assert done["status"] == "failed" and "ModelUnreachable" in done["reason"]


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ({"task_type": "gretting"}, 404, "task is 'gretting', expected one of"),
        (GREETING | {"version": "9.0.0"}, 404, "version of task greeting is '9.0.0'"),
        (GREETING | {"parameters": {}}, 422, "input of task greeting 1.0.0 does not fit"),
        (GREETING | {"priority": 0}, 422, "body.priority is 0, expected greater than or equal to 1"),
        (GREETING | {"options": {"modell": "x"}}, 422, "body.options.modell"),
        ({"task_type": AUTOMATION}, 422, "body.parameters.project_id is missing"),
        ({"task_type": AUTOMATION, "parameters": None, "priority": None}, 422, "body.parameters.project_id is missing"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": PROJECT, "max_cost": None, "departments": "x"}}, 404, "department is 'x'"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": "nobody"}}, 404, "project id is 'nobody', expected one of"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": "../x"}}, 422, "project id is '../x'"),
        ({"task_type": AUTOMATION, "parameters": {"projectId": PROJECT, "departments": ["sound"]}}, 404, "department is 'sound'"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": PROJECT, "max_iterations": 0}}, 422, "body.parameters.max_iterations is 0"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": PROJECT, "webhook_url": "ftp://x"}}, 422, "webhook_url begins with"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": PROJECT, "webhook_url": "http://["}}, 422, "webhook_url begins with"),
        ({"task_type": AUTOMATION, "parameters": {"project_id": PROJECT}, "version": "2.0.0"}, 422, "version or options are given"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_cannot_be_done_is_refused_at_once(client: TestClient, body: dict[str, Any], code: int, told: str) -> None:
    answer = client.post(EXECUTE, json=body)
    assert (answer.status_code, told in answer.json()["detail"]) == (code, True), answer.text


def test_a_project_that_a_live_run_holds_is_busy(tasked: Studio, client: TestClient) -> None:
    lease = tasked.services.leases.lease(PROJECT, Owner.this_process("task-9"), 30)
    asked = {"task_type": AUTOMATION, "parameters": {"project_id": PROJECT}}
    with holding(lease):
        for _ in range(2):  # what could not be begun does not use up its key
            answer = client.post(EXECUTE, json=asked, headers={"Idempotency-Key": "k"})
            assert (answer.status_code, "run task-9 holds it" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("is_begun", [True, False])
def test_of_two_requests_with_one_key_at_once_only_one_begins_a_run(
    studio: Studio, api_client: TestClient, monkeypatch: pytest.MonkeyPatch, is_begun: bool
) -> None:
    asked = {"json": {"task_type": AUTOMATION, "parameters": {"project_id": PROJECT}}, "headers": {"Idempotency-Key": "k"}}
    begun: list[str] = []

    def begin(services: Services, request: AutomationRequest, task_id: str, priority: int) -> tuple[Place, Owner]:
        begun.append(task_id)
        if len(begun) == 1:
            second = api_client.post(EXECUTE, **asked)
            assert (second.status_code, second.json()["detail"]) == (
                409,
                f"task {task_id} is being begun for another request with this Idempotency-Key: ask again",
            )
            if not is_begun:
                raise StoreUnavailable("the store is away")
        return "process", Owner.this_process(task_id)

    monkeypatch.setattr(starting, "begin_run", begin)
    first, again = api_client.post(EXECUTE, **asked), api_client.post(EXECUTE, **asked)
    assert (first.status_code, again.status_code, len(begun)) == ((202, 202, 1) if is_begun else (503, 202, 2))
    assert again.json()["task_id"] == begun[0]


def test_a_key_that_was_taken_back_as_it_was_looked_up_is_free(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    submissions = studio.services.submissions
    asked = Submission(
        task_id="t", task_type="greeting", project_id=None, priority=1, place="server", owner=Owner.this_process("t"), request=""
    )
    assert submissions.add(asked) is None
    find = submissions.find

    def late(task_id: str) -> Submission | None:
        monkeypatch.undo()
        submissions.withdraw(task_id)
        return find(task_id)

    monkeypatch.setattr(submissions, "find", late)
    assert submissions.add(asked) is None and find("t") is not None


def test_one_key_is_of_one_body_also_where_the_kinds_of_tasks_differ(tasked: Studio, client: TestClient) -> None:
    key = {"Idempotency-Key": "monday"}
    ended(client, client.post(EXECUTE, json=GREETING, headers=key).json()["task_id"])
    other = client.post(EXECUTE, json={"task_type": AUTOMATION, "parameters": {"project_id": PROJECT}}, headers=key)
    assert (other.status_code, other.json()["detail"].partition(",")[0]) == (422, "Idempotency-Key was used with another body")


def test_a_run_that_was_begun_elsewhere_is_told_alike(studio: Studio, api_client: TestClient) -> None:
    result = studio.run("task-7", max_iterations=1, departments=("story",))
    shown = status(api_client, "task-7")
    assert (shown["status"], shown["task_type"], shown["project_id"]) == ("completed", AUTOMATION, PROJECT)
    assert {name: shown["result"][name] for name in ("status", "iterations", "items_created", "processing_time_ms")} == {
        name: getattr(result, name) for name in ("status", "iterations", "items_created", "processing_time_ms")
    }
    assert [row["department"] for row in shown["result"]["summary"]] == ["story"]
    assert api_client.post("/api/tasks/cancel/task-7").json() == shown


def test_a_task_that_nobody_knows_is_not_found(api_client: TestClient) -> None:
    for answer in (api_client.get("/api/tasks/status/nothing"), api_client.post("/api/tasks/cancel/nothing")):
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:gather:problem:unknown-entity")


@pytest.mark.parametrize(("wished", "told"), [(False, "failed"), (True, "cancelled")])
def test_a_task_whose_process_is_gone_before_it_began_has_ended(studio: Studio, api_client: TestClient, wished: bool, told: str) -> None:
    gone = Owner(task_id="task-8", host=Owner.this_process("").host, pid=2**22 + 1, started=1.0)
    asked = Submission(
        task_id="task-8", task_type=AUTOMATION, project_id=PROJECT, priority=1, place="process", owner=gone, request="", started_at=None
    )
    studio.services.submissions.add(asked)
    studio.services.open_runs.note(PROJECT, gone, 60)
    if wished:
        assert api_client.post("/api/tasks/cancel/task-8").status_code == 200
    assert status(api_client, "task-8")["status"] == told
    assert studio.services.open_runs.all() == []


def test_a_killed_run_is_told_of_where_its_end_cannot_be_written(studio: Studio, api_client: TestClient) -> None:
    gone = Owner(task_id="task-8", host=Owner.this_process("").host, pid=2**22 + 1, started=1.0)
    studio.services.runs.start("task-8", AutomationRequest(project_id=PROJECT))
    studio.services.open_runs.note(PROJECT, gone, 60)
    studio.services.settings.dagster_home.write_text("no folder")
    assert status(api_client, "task-8")["status"] == "failed"


def test_an_execution_whose_server_was_killed_in_its_midst_is_not_said_to_have_never_begun(studio: Studio, api_client: TestClient) -> None:
    gone = Owner(task_id="task-8", host=Owner.this_process("").host, pid=2**22 + 1, started=1.0)
    studio.services.submissions.add(
        Submission(task_id="task-8", task_type="greeting", project_id=None, priority=1, place="server", owner=gone, request="")
    )
    studio.services.submissions.started("task-8")
    shown = status(api_client, "task-8")
    assert (shown["status"], shown["reason"]) == ("failed", "its process ended without a word; nothing of it is stored")


class AwayStore:
    """A store that does not answer of tasks for as long as somebody says so; everything else is the store's own."""

    def __init__(self, body: DocumentStore) -> None:
        self._body, self.is_away = body, False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._body, name)

        def call(*args: Any, **options: Any) -> Any:
            if self.is_away and {"submissions", "executions"} & set(args[1:2]):
                raise StoreUnavailable("MongoDB at store.example:27017 does not answer")
            return method(*args, **options)

        return call if callable(method) else method


def test_an_execution_outlives_an_outage_of_the_store_and_its_output_is_stored_afterwards(
    tasked: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(executing, "AWAY_S", 0.05)
    store = AwayStore(tasked.services.store)
    with client_of(replace(tasked, services=replace(tasked.services, store=cast("DocumentStore", store)))) as client:
        task_id = begun(client, GREETING)
        wait_until(lambda: status(client, task_id)["status"] == "running")
        store.is_away = True
        wait_until(lambda: f"task {task_id} waits for the store" in caplog.text)  # it has ended
        store.is_away = False
        done = ended(client, task_id)
    assert (done["status"], done["result"]) == ("completed", tasked.services.executions.get(task_id).output)
    assert caplog.text.count("waits for the store") == 1


def test_types_are_the_automation_and_every_definition(api_client: TestClient) -> None:
    shown = {one["task_type"]: one for one in api_client.get("/api/tasks/types").json()}
    assert set(shown) == {AUTOMATION} | {definition.id for definition in Catalogue.packaged()}
    assert "project_id" in shown[AUTOMATION]["parameters"]["properties"]
    assert shown["skill_decomposition"]["kind"] == "definition"
