"""The whole loop over HTTP against a server that fails as told: every fault is recorded and survived, or ends in one sentence."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from gather_pipeline.domain.events import Event
from gather_pipeline.errors import InvalidInput
from gather_pipeline.gather import department
from gather_pipeline.records.runs import Runs
from gather_pipeline.upkeep.runs import run_status
from gather_pipeline_tests import fault_server as fault
from gather_pipeline_tests.fault_server import FaultServer, Reply
from gather_pipeline_tests.harness import Studio, department_row
from gather_pipeline_tests.server_process import free_port

ONE = (department_row("story", 1, most=1, defaultModel="some/model"),)
KEY = "sk-secret-0123456789"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def open_studio(home: Path, server: FaultServer, departments: Sequence[dict] = ONE, **settings: object) -> Studio:
    return Studio.open(home, departments, model=None, openai_base_url=server.base_url, openai_api_key=KEY, **settings)


@pytest.fixture
def healthy() -> Iterator[FaultServer]:
    # Slow enough that requests meet there, also on a busy machine.
    with FaultServer(then=fault.like_the_scripted_model(after_s=0.2)) as server:
        yield server


def test_a_healthy_server_fills_a_department_and_is_asked_by_its_model_id(home: Path, healthy: FaultServer) -> None:
    studio = open_studio(home, healthy)
    result = studio.run()
    assert (result.status, result.items_created) == ("completed", len(studio.view.items))
    assert result.items_created >= 4
    assert {request["model"] for request in healthy.requests} == {"some/model"}
    assert healthy.most_at_once > 1
    studio.close()


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([fault.nothing()], id="nothing"),
        pytest.param([fault.prose()], id="prose"),
        pytest.param([fault.half_json()], id="half a JSON"),
        pytest.param([fault.foreign_schema()], id="someone else's schema"),
        pytest.param([fault.rate_limited(retry_after="0")], id="429 with Retry-After"),
        pytest.param([fault.malformed()], id="a malformed 200"),
        pytest.param([fault.status(500)], id="500"),
        pytest.param([fault.truncated()], id="a truncated answer"),
        pytest.param([fault.dropped()], id="a dropped connection"),
    ],
)
def test_a_passing_fault_is_survived_with_nothing_lost(home: Path, faults: list[Reply]) -> None:
    with FaultServer(faults, then=fault.like_the_scripted_model()) as server:
        studio = open_studio(home, server)
        result = studio.run()
        assert result.status == "completed"
        assert result.items_created == len(studio.view.items) >= 4
        studio.close()


def test_a_department_that_got_a_part_of_its_calls_says_what_became_of_the_others(home: Path) -> None:
    with FaultServer([fault.like_the_scripted_model(), *[fault.status(401)] * 9]) as server:
        studio = open_studio(home, server, concurrency=1)
        result = studio.run()
        (last,) = studio.view.iterations
        assert 0 < result.items_created == len(last.item_ids) and last.faults
        assert "HTTP 401" in result.summary[0].reason.partition(f"; {len(last.faults)} faults in its last iteration, the last one: ")[2]
        studio.close()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        pytest.param(fault.status(401), "401", id="a wrong key"),
        pytest.param(fault.status(404), "404", id="an unknown model"),
    ],
)
def test_a_refusal_ends_in_one_sentence_without_the_key(home: Path, reply: Reply, told: str, caplog: pytest.LogCaptureFixture) -> None:
    with FaultServer(then=reply) as server:
        studio = open_studio(home, server)
        result = studio.run()
        assert result.status == "failed"
        assert "department story: every one of 5 calls failed" in result.reason
        assert told in result.reason
        events = str(studio.records.events())
        assert KEY not in result.reason + events + caplog.text + str(studio.documents("executions")) + repr(studio.services)
        studio.close()


def test_a_server_behind_a_variable_that_is_wrong_is_refused_before_anything_is_begun(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "gone.pem"))
    studio = Studio.open(home, ONE, model=None, openai_base_url="https://models.example/v1", openai_api_key=KEY)
    with pytest.raises(InvalidInput, match="SSL_CERT_FILE is '.*gone.pem', expected a file or folder of certificates"):
        studio.run()
    assert studio.records.events() == []
    studio.close()


def test_no_network_ends_in_one_sentence_and_the_next_run_begins_where_it_was(home: Path) -> None:
    studio = Studio.open(home, ONE, model=None, openai_base_url=f"http://127.0.0.1:{free_port()}/v1", openai_api_key=KEY, timeout_s=60.0)
    result = studio.run()
    assert result.status == "failed"
    assert studio.view.iterations == []
    studio.close()


def test_a_server_that_hangs_costs_the_time_of_the_run_and_no_more(home: Path) -> None:
    with FaultServer([fault.like_the_scripted_model()] * 3, then=fault.hang()) as server:
        studio = open_studio(home, server, timeout_s=4.0)
        result = studio.run()
        assert result.status == "completed"
        assert result.summary[0].ended_by == "deadline"
        assert result.processing_time_ms < 6000
        assert result.items_created == len(studio.view.items) >= 2
        studio.close()


@pytest.mark.parametrize("reply", [fault.nothing(), fault.foreign_schema()], ids=["nothing", "someone else's schema"])
def test_a_model_that_never_gives_a_usable_answer_fails_after_one_iteration(home: Path, reply: Reply) -> None:
    with FaultServer(then=reply) as server:
        studio = open_studio(home, server, [department_row("story", 1, most=4, defaultModel="some/model")])
        result = studio.run()
        assert result.status == "failed"
        assert "department story: every one of 5 calls failed, the last one because: " in result.reason
        assert studio.view.iterations == []
        assert len(server.requests) <= 15
        studio.close()


def test_a_run_whose_time_ends_before_any_answer_failed(home: Path) -> None:
    with FaultServer(then=fault.hang()) as server:
        studio = open_studio(home, server, timeout_s=2.0)
        result = studio.run()
        assert (result.status, result.items_created) == ("failed", 0)
        assert result.reason.startswith("no answer came in the time given")
        studio.close()


def test_a_model_server_that_goes_away_is_waited_for_and_that_is_said_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(department, "AWAY_S", (0.2,))
    rows = [department_row("story", 1, most=2, defaultModel="some/model"), department_row("visual", 2, most=2, defaultModel="some/model")]
    away, answers = threading.Event(), fault.like_the_scripted_model()

    def reply(exchange: fault.Exchange) -> None:
        (fault.dropped() if away.is_set() else answers)(exchange)

    note_wait = Runs.note_wait

    def noting(self: Runs, task_id: str, seconds: float) -> None:
        note_wait(self, task_id, seconds)
        if self.get(task_id).away_rounds == 3:
            away.clear()

    monkeypatch.setattr(Runs, "note_wait", noting)

    def watch(event: Event) -> None:
        if event.type == "iteration_complete" and event.fields["total_iterations"] == 1:
            away.set()

    with FaultServer(then=reply) as server:
        studio = open_studio(home, server, rows)
        result = studio.run(progress=watch)
        assert (result.status, result.departments_processed) == ("completed", 2)
        said = [one for one in studio.records.events() if one.type.startswith("model_")]
        assert [one.type for one in said] == ["model_away", "model_back"], "not each call, nor each round"
        assert (said[1].fields["rounds"], round(said[1].fields["waited_s"], 1)) == (3, 0.6)
        status = run_status(studio.services, "task-1")
        assert (status.away_rounds, round(status.away_s, 1)) == (3, 0.6)
        assert [(one.department, one.number) for one in studio.view.iterations] == [
            ("story", 1),
            ("story", 2),
            ("visual", 1),
            ("visual", 2),
        ]
        studio.close()


def test_an_endless_rate_limit_ends_at_the_deadline(home: Path) -> None:
    with FaultServer(then=fault.rate_limited()) as server:
        studio = open_studio(home, server, timeout_s=3.0)
        result = studio.run()
        assert result.summary[0].ended_by in ("deadline", "failed")
        assert result.processing_time_ms < 5000
        studio.close()


def test_a_second_model_of_the_chain_answers_where_the_first_refuses(home: Path) -> None:
    def by_model(exchange: fault.Exchange) -> None:
        reply = fault.status(404) if exchange.body["model"] == "some/model" else fault.like_the_scripted_model()
        reply(exchange)

    with FaultServer(then=by_model) as server:
        studio = open_studio(home, server, fallback_models=("other/model",))
        result = studio.run()
        assert result.status == "completed"
        assert {item.provenance["generated_by"] for item in studio.view.items} == {"other/model"}
        studio.close()


def test_a_remote_department_is_judged_by_its_own_model(home: Path, healthy: FaultServer) -> None:
    studio = open_studio(home, healthy, judge_model=None)
    studio.run()
    assert "judge_quality" in {row["task_id"] for row in studio.documents("executions")}
    studio.close()


def test_several_items_a_call_are_asked_for_where_the_setting_says_so(home: Path, healthy: FaultServer) -> None:
    studio = open_studio(home, healthy, items_per_call=5)
    result = studio.run()
    assert len(healthy.requests) < result.items_created
    assert {item.provenance["task"] for item in studio.view.items} == {"gather_items_batch"}
    studio.close()
