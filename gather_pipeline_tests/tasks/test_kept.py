"""No answer is paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gather_pipeline.adapters.cache.disk import DiskCache
from gather_pipeline.domain.executions import Completion, ModelRequest
from gather_pipeline.errors import ModelTimeout, OutputInvalid
from gather_pipeline.tasks import kept
from gather_pipeline.tasks.catalogue import Catalogue
from gather_pipeline.tasks.execution import Execution
from gather_pipeline.tasks.kept import KeptAnswers
from gather_pipeline.tasks.runner import Support, TaskRunner
from gather_pipeline_tests.tasks.builders import ListModel, StepClock, completion, define

GOOD = '{"greeting": "Good evening, Mara."}'


class SlowModel(ListModel):
    """Answers after others had the chance to ask."""

    async def complete(self, request: ModelRequest) -> Completion:
        await asyncio.sleep(0.05)
        return await super().complete(request)


class Desk:
    """Runners over one cache, each with a model of its own as another process has."""

    def __init__(self, folder: Path) -> None:
        self.cache = DiskCache(folder)
        self.records: list[Execution] = []

    def runner(self, model: ListModel, realm: str = "") -> TaskRunner:
        answers = KeptAnswers(self.cache, realm)

        def store(execution: Execution) -> None:
            self.records.append(execution)
            answers.settle(execution)

        return TaskRunner(model, Catalogue([define()]), StepClock(), store, Support(kept=answers))

    def run(self, body: ListModel, realm: str = "", **options: Any) -> Any:
        return asyncio.run(self.runner(body, realm).run("greeting", {"who": "Mara"}, **({"model": "small"} | options))).output


class HeldElsewhere(DiskCache):
    """The cache while a process that was stopped, not killed, is asking for every answer."""

    def claim(self, key: str) -> None:
        return None


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "cache")
    yield made
    made.cache.close()


def test_the_same_again_makes_no_call_and_costs_nothing(desk: Desk):
    silent = ListModel()
    assert desk.run(ListModel(GOOD), draw=0) == desk.run(silent, draw=0) == {"greeting": "Good evening, Mara."}
    first, second = desk.records
    assert (first.cached, first.usage.cost, second.cached, second.usage.cost) == (False, 0.25, True, 0.0)
    assert silent.requests == [] and second.calls[0].usage == first.calls[0].usage


def test_an_answer_that_a_stopped_process_asks_for_is_waited_for_a_while_and_then_asked_for(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kept, "PATIENCE_S", 0.1)
    desk.cache = HeldElsewhere(tmp_path / "held")
    assert desk.run(ListModel(GOOD), draw=0) == {"greeting": "Good evening, Mara."}


@pytest.mark.parametrize(
    "other",
    [
        {"draw": 1},
        {"draw": None},
        {"model": "large"},
        {"temperature": 0.1},
        {"seed": 4},
        {"max_tokens": 49},
        {"conditions": ["deaf"]},
        {"realm": "b"},
    ],
    ids=str,
)
def test_another_draw_model_parameter_prompt_or_server_is_asked(desk: Desk, other: dict[str, Any]):
    desk.run(ListModel(GOOD), draw=0)
    model = ListModel('{"greeting": "Hi."}')
    assert desk.run(model, **({"draw": 0} | other)) == {"greeting": "Hi."}


def test_without_a_draw_nothing_is_kept(desk: Desk):
    for _ in range(2):
        assert len((model := ListModel(GOOD)).requests) == 0
        desk.run(model)
        assert len(model.requests) == 1
    assert desk.cache.stats().entries == {}


def test_a_conversation_that_asks_again_is_played_anew_from_what_is_kept(desk: Desk):
    desk.run(ListModel("prose", GOOD), draw=0)
    assert desk.run(ListModel(), draw=0) == {"greeting": "Good evening, Mara."}
    assert [call.complaint is None for call in desk.records[1].calls] == [False, True]


def test_answers_that_could_not_be_used_are_not_served_again(desk: Desk):
    with pytest.raises(OutputInvalid):
        desk.run(ListModel("prose", "prose", "prose"), draw=0)
    assert desk.run(ListModel(GOOD), draw=0) == {"greeting": "Good evening, Mara."}


def test_what_is_asked_twice_at_once_costs_one_call(desk: Desk):
    models = SlowModel(GOOD), SlowModel(GOOD)

    async def both() -> None:
        runs = (desk.runner(model).run("greeting", {"who": "Mara"}, model="small", draw=0) for model in models)
        await asyncio.gather(*runs)

    asyncio.run(both())
    assert sum(len(model.requests) for model in models) == 1
    assert sorted(record.usage.cost or 0 for record in desk.records) == [0.0, 0.25]


def test_who_waited_for_an_answer_that_failed_asks_itself(desk: Desk):
    models = SlowModel(ModelTimeout("late")), SlowModel(GOOD)

    async def both() -> list[Any]:
        runs = (desk.runner(model).run("greeting", {"who": "Mara"}, model="small", draw=0) for model in models)
        return await asyncio.gather(*runs, return_exceptions=True)

    failed, done = asyncio.run(both())
    assert isinstance(failed, ModelTimeout) and done.output == {"greeting": "Good evening, Mara."}


def test_an_answer_whose_execution_was_killed_before_its_record_is_not_paid_again_and_its_cost_is_told(desk: Desk):
    child = os.fork()
    if child == 0:
        desk.records = Killing()
        desk.run(ListModel(GOOD), draw=0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert desk.run(ListModel(), draw=0) == {"greeting": "Good evening, Mara."}
    assert desk.run(ListModel(), draw=0) == {"greeting": "Good evening, Mara."}
    assert [record.usage.cost for record in desk.records] == [0.25, 0.0]


class Killing(list[Execution]):
    """Takes a record as a process does that is killed just then."""

    def append(self, _: Execution) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("value", [b"", b"[]", b'{"completion": {}}', b'{"completion": {"usage": {}}, "payer": null}'])
def test_a_kept_answer_that_is_none_is_asked_for_again(desk: Desk, value: bytes):
    desk.run(ListModel(GOOD), draw=0)
    [key] = [name.partition("/")[2] for name in desk.cache._cache.iterkeys()]
    desk.cache.put("result", key, value)
    assert desk.run(ListModel('{"greeting": "Hi."}'), draw=0) == {"greeting": "Hi."}


def test_a_cache_that_fails_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "cache").write_text("in the way")
    assert Desk(tmp_path / "cache").run(ListModel(completion(GOOD)), draw=0) == {"greeting": "Good evening, Mara."}
    assert "An answer is not kept: the cache in" in caplog.text
