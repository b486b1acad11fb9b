"""What Prometheus is given: every metric of S001 from the store, how the server does, and a dashboard over exactly that."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from gather_pipeline.api import measures
from gather_pipeline.api.measures import FAMILIES
from gather_pipeline.errors import StoreUnavailable
from gather_pipeline.records.projects import Projects
from gather_pipeline_tests.api.conftest import client_of
from gather_pipeline_tests.api.served import Served, wait_for
from gather_pipeline_tests.harness import PROJECT, Studio

DASHBOARD = json.loads((Path(__file__).parents[2] / "docs" / "grafana.json").read_text(encoding="utf-8"))
REQUIRED = {f"S001-MET-{number:02}" for number in range(7, 20)}


def samples(client: TestClient) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Labels and values by name."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        found.setdefault(family.name, [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_the_store_is_told_of_in_the_numbers_that_the_report_has(studio: Studio, api_client: TestClient) -> None:
    studio.services.metrics.ingest()
    (row,) = studio.services.metrics.query("FROM items_per_iteration").to_dict("records")
    found = samples(api_client)
    story = {"project": PROJECT, "department": "story"}
    assert found["gather_items_created_total"] == [(story, row["items_created"])]
    assert found["gather_quality_score"] == [(story, studio.view.iterations[-1].score)]
    assert found["gather_task_success_ratio"] == [({"project": PROJECT}, 1.0)]
    assert found["gather_task_execution_seconds_count"] == [({"project": PROJECT, "status": "completed"}, 1.0)]
    assert found["gather_metrics_up"] == [({}, 1.0)]
    calls = {"project": PROJECT, "department": "story", "definition": "gather_item", "model": "scripted"}
    assert found["gather_llm_generation_seconds_count"] == [(calls, row["items_generated"])]


def test_every_required_metric_is_exported_also_before_anything_was_measured(tmp_path: Path) -> None:
    studio = Studio.open(tmp_path)
    found = samples(client_of(studio))
    assert {name.removesuffix("_total") for name in FAMILIES} <= set(found)
    assert {match[0] for family in FAMILIES.values() if (match := re.match(r"S001-MET-\d\d", family.help))} == REQUIRED
    studio.close()


def test_samples_of_the_store_are_kept_some_seconds_and_a_store_that_is_away_leaves_them_as_they_were(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(studio)
    before = samples(client)
    studio.run("task-2", max_iterations=1, departments=("visual",))
    assert samples(client)["gather_iterations_total"] == before["gather_iterations_total"]
    monkeypatch.setattr(measures, "FRESH_S", 0.0)
    after = samples(client)
    assert len(after["gather_iterations_total"]) == 2

    def away(sql: str) -> None:
        raise StoreUnavailable("held by another process")

    monkeypatch.setattr(type(studio.services.metrics), "query", lambda self, sql: away(sql))
    late, _ = samples(client), samples(client)
    assert caplog.text.count("held by another process") == 1
    assert late["gather_metrics_up"] == [({}, 0.0)]
    assert late["gather_iterations_total"] == after["gather_iterations_total"]


def test_requests_are_counted_by_the_template_of_their_route(api_client: TestClient) -> None:
    for path in (f"/api/projects/{PROJECT}/events?after=-1", "/api/projects/nobody/events", "/no/such/1", "/no/such/2", "/health"):
        api_client.get(path)
    found = samples(api_client)["gather_http_request_duration_seconds_count"]
    counted = {(labels["route"], labels["status"]): value for labels, value in found}
    assert counted[("/api/projects/{project_id}/events", "422")] == 1 and counted[("/api/projects/{project_id}/events", "404")] == 1
    assert counted[("none", "404")] == 2 and counted[("/health", "200")] == 1


def test_a_request_that_failed_unforeseen_is_counted_too(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Projects, project_id: str) -> None:
        raise ValueError(project_id)

    monkeypatch.setattr(Projects, "find", fail)
    client = client_of(studio, raise_server_exceptions=False)
    assert client.get("/health").status_code == 500
    found = samples(client)["gather_http_request_duration_seconds_count"]
    assert found == [({"method": "GET", "route": "/health", "status": "500"}, 1)]


def test_clients_of_live_events_are_counted_as_long_as_they_are_there(studio: Studio) -> None:
    with Served(studio) as served, served.socket(), served.stream():
        wait_for(lambda: served.live.clients.total() == 2)
    wait_for(lambda: served.live.clients.total() == 0)


def test_a_token_of_one_project_does_not_see_the_others_numbers(studio: Studio) -> None:
    secret = studio.services.tokens.create("one", PROJECT)
    assert client_of(studio, headers={"Authorization": f"Bearer {secret}"}).get("/metrics").status_code == 403


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_dashboard_asks_for_what_is_exported_and_for_all_of_it(studio: Studio, api_client: TestClient) -> None:
    exported = set(samples(api_client)) | set(samples(api_client))  # by then a request was measured
    asked = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    asked += " ".join(variable.get("definition", "") for variable in DASHBOARD["templating"]["list"])
    names = set(re.findall(r"\b(?:gather|process)_\w+", asked))
    never = {"gather_queue_wait_seconds_sum", "gather_queue_wait_seconds_count"}  # no task of this project waited in a queue
    assert names - exported <= never
    assert {re.sub("_(sum|count|bucket)$", "", name) for name in names} >= set(FAMILIES)
    labels = {label for name in names & exported for given, _ in samples(api_client)[name] for label in given}
    assert {label.strip() for group in re.findall(r"by \(([^)]*)\)", asked) for label in group.split(",")} <= labels


def test_the_dashboard_shows_every_required_metric_and_no_panel_lies_over_another() -> None:
    assert {match for panel in panels() for match in re.findall(r"S001-MET-\d\d", panel["description"])} == REQUIRED
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for one, other in combinations([panel["gridPos"] for panel in DASHBOARD["panels"]], 2):
        apart = [one[a] + one[s] <= other[a] or other[a] + other[s] <= one[a] for a, s in (("x", "w"), ("y", "h"))]
        assert any(apart), (one, other)
