"""The whole of it as `make dev` starts it: `dagster dev`, its daemon and its GraphQL, on a fresh state folder."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline_tests.defs.conftest import BEHIND, BY_DEPARTMENT, FRESH, key
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

ROOT = Path(__file__).parents[2]
ROWS = (department_row("story", 1, most=1), department_row("visual", 2, most=1))
LAUNCH = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
BACKFILL = """
query($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } runs(limit: 9) { id status tags { key value } } }
  }
}
"""
PARTITIONS = """
{ assetNodes { assetKey { path } partitionKeysByDimension { name partitionKeys } } }
"""
SHOWN = """
query($asset: AssetKeyInput!, $partitions: [String!]) {
  assetOrError(assetKey: $asset) { ... on Asset {
    assetMaterializations(partitions: $partitions, limit: 1) { partition metadataEntries { label } }
  } }
}
"""
STALE = """
query($asset: AssetKeyInput!, $partition: String!) {
  assetNodeOrError(assetKey: $asset) { ... on AssetNode { staleStatus(partition: $partition) } }
}
"""


class Server:
    """A running `make dev`."""

    def __init__(self, home: Path, departments: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        env = {
            **os.environ,
            "GATHER_HOME": str(home),
            "GATHER_DEPARTMENTS": str(departments),
            "GATHER_MODEL": "scripted",
            "GATHER_EMBEDDER": "hashing",
            "GATHER_JUDGE_MODEL": "none",
        }
        self.log = (home / "dev.log").open("w+")
        command = [sys.executable, "-m", "gather_pipeline.defs.dev", "-h", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            document = json.load(answer)
        assert "errors" not in document, document["errors"]
        return document["data"]

    def wait(self, what: str, found: Callable[[], Any], seconds: float) -> Any:
        """Asks until there is an answer."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.tail()
            try:
                answer = found()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                answer = None
            if answer:
                return answer
            time.sleep(0.5)
        raise AssertionError(f"no {what} after {seconds:g} s: {self.tail()}")

    def tail(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text(encoding="utf-8")[-4000:]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.log.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    studio = Studio.open(tmp_path, ROWS)
    server = Server(tmp_path, studio.services.settings.departments)
    studio.close()
    yield server
    server.stop()


def partitions(server: Server) -> bool:
    """True once the sensor has added the project and its departments."""
    nodes = {node["assetKey"]["path"][0]: node for node in server.ask(PARTITIONS)["assetNodes"]}
    if "gather_items" not in nodes:
        return False
    dimensions = {row["name"]: row["partitionKeys"] for row in nodes["gather_items"]["partitionKeysByDimension"]}
    return dimensions == {"department": ["story", "visual"], "project": [PROJECT]}


def stale(server: Server, slug: str) -> dict[str, str]:
    """What the UI shows of a partition's assets."""
    asked = {family: {"asset": {"path": [family]}, "partition": key(slug)} for family in BY_DEPARTMENT}
    return {family: server.ask(STALE, variables)["assetNodeOrError"]["staleStatus"] for family, variables in asked.items()}


@pytest.mark.timeout(400)
def test_a_project_is_filled_by_a_backfill_of_the_daemon_and_an_edit_and_a_brief_show_too(server: Server, tmp_path: Path) -> None:
    server.wait("partitions", lambda: partitions(server), 120)
    assert not re.findall(r".*(?:WARNING|Warning).*", server.tail()), "a start says nothing that a user would have to look up"
    params = {
        "partitionNames": [key("story"), key("visual")],
        "assetSelection": [{"path": [family]} for family in BY_DEPARTMENT],
    }
    launched = server.ask(LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def ended() -> Any:
        backfill = server.ask(BACKFILL, {"id": launched["backfillId"]})["partitionBackfillOrError"]
        return backfill if backfill["status"] not in ("REQUESTED", "CANCELING") else None

    backfill = server.wait("end of the backfill", ended, 200)
    assert backfill["status"] == "COMPLETED_SUCCESS", (backfill, server.tail())
    (run,) = backfill["runs"]
    assert run["status"] == "SUCCESS"
    assert {"key": "gather/project", "value": PROJECT} in run["tags"], "the queue admits one run a project, whatever its form"
    for family in BY_DEPARTMENT:
        for slug in ("story", "visual"):
            asked = {"asset": {"path": [family]}, "partitions": [key(slug)]}
            (shown,) = server.ask(SHOWN, asked)["assetOrError"]["assetMaterializations"]
            assert shown["partition"] == key(slug)
            assert "data version" in {entry["label"] for entry in shown["metadataEntries"]}
    studio = Studio.open(tmp_path, ROWS)
    assert {item.department for item in studio.view.items} == {"story", "visual"}
    assert (stale(server, "story"), stale(server, "visual")) == (FRESH, FRESH)
    item = studio.view.items_of("visual")[0]
    found = studio.records.item(item.id)
    assert found is not None
    studio.services.marks.set(PROJECT, "visual")
    studio.records.change_item(found[0].changed("edited", "ana", "2031", content="The keeper counts the hour twice."), found[1])
    server.wait("tick that tells of the edit", lambda: stale(server, "visual") == BEHIND, 60)
    assert stale(server, "story") == FRESH
    studio.services.projects.update(PROJECT, brief="The clock keeper leaves Graz for good.")
    studio.close()
    server.wait("tick that tells of the brief", lambda: stale(server, "story") == FRESH | {"gather_items": "STALE"}, 60)
