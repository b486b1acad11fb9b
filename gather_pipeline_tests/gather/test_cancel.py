"""A cancel and the deadline reach whatever a run waits for: without that each of these would wait for minutes, and meet pytest's limit."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gather_pipeline.errors import TaskCancelled
from gather_pipeline.gather import session
from gather_pipeline.gather.control import RunControl
from gather_pipeline.people.edit import People, Texts
from gather_pipeline.ports import Clock, Vectors
from gather_pipeline_tests import fault_server as fault
from gather_pipeline_tests.fault_server import Exchange, FaultServer, Reply
from gather_pipeline_tests.harness import PROJECT, Studio, department_row

logger = logging.getLogger(__name__)
ROWS = (department_row("story", 1, defaultModel="the/writer"),)
LONG_S = 900.0
HELD: dict[str, Reply] = {"hangs": fault.hang(LONG_S), "waits for Retry-After": fault.rate_limited(retry_after="90")}


class Held:
    """A server whose one model answers and whose other holds its caller up; tells when the first call was held."""

    def __init__(self, model: str, reply: Reply) -> None:
        self.on_held: Callable[[], object] = lambda: None
        self.model, self._reply, self._answer = model, reply, fault.like_the_scripted_model()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.body["model"] != self.model:
            self._answer(exchange)
            return
        self.on_held()
        self._reply(exchange)


def open_studio(home: Path, server: FaultServer, **settings: object) -> Studio:
    return Studio.open(
        home, ROWS, model=None, judge_model="the/judge", openai_base_url=server.base_url, openai_api_key="sk-secret-0123456789", **settings
    )


@pytest.mark.parametrize("reply", HELD.values(), ids=HELD.keys())
@pytest.mark.parametrize("model", ["the/writer", "the/judge"])
def test_a_cancel_ends_the_call_under_way_and_keeps_what_came(model: str, reply: Reply, tmp_path: Path) -> None:
    held = Held(model, reply)
    with FaultServer(then=held) as server:
        studio = open_studio(tmp_path, server)
        asked: list[float] = []

        def cancel() -> None:
            asked.append(time.monotonic())
            studio.services.runs.request_cancel("task-1")

        held.on_held = cancel
        result = studio.run()
        logger.info("a cancel while %s is held up took %.1f s", model, time.monotonic() - asked[0])
        assert result.status == "cancelled"
        assert result.items_created == len(studio.view.items)
        assert (result.items_created > 0) == (model == "the/judge"), "its notes had come"
        studio.close()


class Jumping:
    """The system's clock, which somebody may put forward."""

    def __init__(self, body: Clock) -> None:
        self._body, self.ahead_s = body, 0.0

    def now(self) -> str:
        return self._body.now()

    def monotonic(self) -> float:
        return self._body.monotonic() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await self._body.sleep(seconds)


@pytest.mark.parametrize("reply", HELD.values(), ids=HELD.keys())
@pytest.mark.parametrize("model", ["the/writer", "the/judge"])
def test_the_deadline_ends_the_call_under_way(model: str, reply: Reply, tmp_path: Path) -> None:
    held = Held(model, reply)
    with FaultServer(then=held) as server:
        studio = open_studio(tmp_path, server)
        clock = Jumping(studio.services.clock)
        studio.services = replace(studio.services, clock=clock)
        held.on_held = lambda: setattr(clock, "ahead_s", LONG_S)
        result = studio.run()
        assert result.summary[0].ended_by == "deadline"
        assert (result.items_created > 0) == (model == "the/judge"), "its notes had come"
        studio.close()


class Loading:
    """An embedder that takes its time at its first text, in which somebody cancels the run."""

    def __init__(self, studio: Studio, loaded: threading.Event, most_s: float) -> None:
        self._body, self._runs, self._loaded, self._most_s = studio.services.embedder, studio.services.runs, loaded, most_s
        self._is_asked = False

    @property
    def name(self) -> str:
        return self._body.name

    def embed(self, texts: Sequence[str]) -> Vectors:
        if texts and not self._is_asked:
            self._is_asked = True
            self._runs.request_cancel("task-1")
            self._loaded.wait(self._most_s)
        return self._body.embed(texts)


def test_a_cancel_while_the_embedder_loads_waits_a_little_for_it_and_keeps_what_came(tmp_path: Path) -> None:
    held = Held("the/writer", fault.like_the_scripted_model())
    with FaultServer(then=held) as server:
        studio = open_studio(tmp_path, server)
        studio.services = replace(studio.services, embedder=Loading(studio, threading.Event(), 0.5))
        result = studio.run()
        assert result.status == "cancelled"
        assert result.items_created == len(studio.view.items) > 0
        studio.close()


def test_a_cancel_does_not_wait_for_an_embedder_that_loads_on_and_the_next_run_pays_no_answer_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notes are stored with their vectors, so that none is; but their answers are kept."""
    monkeypatch.setattr(session, "ENDING_S", 0.1)
    loaded = threading.Event()
    with FaultServer(then=Held("the/writer", fault.like_the_scripted_model())) as server:
        studio = open_studio(tmp_path, server)
        present = studio.services
        studio.services = replace(present, embedder=Loading(studio, loaded, 60.0))
        result = studio.run()
        assert (result.status, result.items_created, loaded.is_set()) == ("cancelled", 0, False)
        loaded.set()
        answered = len(studio.documents("executions"))
        studio.services = present
        before = len(server.requests)
        again = studio.run("task-2")
        assert again.items_created > 0
        served = [row for row in studio.documents("executions") if row["cached"]]
        assert 0 < len(served) <= answered, f"{len(server.requests) - before} calls of the second run"
        studio.close()


@pytest.mark.parametrize("is_embedded", [False, True], ids=["what a person wrote is embedded first", "the nearest notes are looked for"])
def test_a_cancel_does_not_wait_for_an_embedder_that_loads_before_any_call_is_under_way(is_embedded: bool, tmp_path: Path) -> None:
    loaded = threading.Event()
    with FaultServer(then=fault.like_the_scripted_model()) as server:
        studio = open_studio(tmp_path, server)
        present = studio.services
        if is_embedded:
            studio.run("task-0", max_iterations=1)
        else:
            People(present).add(PROJECT, "story", Texts(content="The keeper writes with his left hand."), "ana")
        studio.services = replace(present, embedder=Loading(studio, loaded, 60.0))
        result = studio.run()
        assert (result.status, result.reason, loaded.is_set()) == ("cancelled", "cancelled on request", False)
        assert studio.event_types()[-1] == "automation_cancelled"
        loaded.set()
        studio.close()


def test_a_cancel_is_told_to_everyone_who_waits_and_not_to_who_looks_first_alone() -> None:
    """Forty pairs that a judge hangs on would else end one by one, every half second."""

    class Stopped:
        def now(self) -> str:
            return ""

        def monotonic(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)

    control = RunControl(Stopped(), timeout_s=60, max_tokens=None, max_cost=None, cancelled=lambda: True, lease_lost=lambda: False)
    for _ in range(2):
        with pytest.raises(TaskCancelled):
            control.check()
